// Code generated from the table by 'UPDATE_GOLDEN=1 go test ./interpreter/fault'. DO NOT EDIT.

package fault

// The codes of runs. 0 is success.
const (
	CodeParse          = 1
	CodeArchive        = 2
	CodeEnvelope       = 3
	CodeNoArchive      = 4
	CodeCallResults    = 5
	CodeVersion        = 6
	CodeKey            = 7
	CodeStore          = 8
	CodeSignature      = 9
	CodeSizeLimit      = 10
	CodeService        = 10000
	CodeMatch          = 10001
	CodeMismatch       = 10002
	CodeUndefined      = 10003
	CodeNotIterable    = 10005
	CodeFail           = 10006
	CodeLens           = 10007
	CodeErrorObject    = 10008
	CodeCleared        = 10009
	CodeLength         = 10010
	CodeTripletType    = 10011
	CodeMapKey         = 10012
	CodeTrace          = 20000
	CodeGeneration     = 20001
	CodeNoFold         = 20003
	CodeIteratorShadow = 20004
	CodeIteratorTwice  = 20005
	CodeResultKind     = 20006
	CodeShadow         = 20007
	CodeNewScope       = 20008
	CodeMissingCID     = 20010
	CodeFailedValue    = 20012
	CodeStreamSize     = 20013
	CodeMapPair        = 20014
	CodeMissingScalar  = 20016
	CodeParameters     = 20017
	CodeStopped        = 29000
	CodeValueSize      = 29001
	CodeUnusedResults  = 30000
)
