package interpreter

import (
	"errors"
	"fmt"

	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Codes of failures. Scripts and other peers see those from 10000 on.
const (
	CodeParse       = 1
	CodeData        = 2
	CodeEnvelope    = 3
	CodeDataVersion = 4
	CodeCallResults = 5
	CodeTooOld      = 6
	CodeKey         = 7
	CodeStore       = 8
	CodeSignature   = 9
	CodeSizeLimit   = 10

	CodeService          = 10000
	CodeMatch            = 10001
	CodeMismatch         = 10002
	CodeUndefined        = 10003
	CodeNotIterable      = 10005
	CodeFail             = 10006
	CodeLens             = 10007
	CodeErrorObject      = 10008
	CodeCleared          = 10009
	CodeLength           = 10010
	CodeTripletType      = 10011
	CodeMapKey           = 10012
	CodeTrace            = 20000
	CodeGeneration       = 20001
	CodeNoFold           = 20003 // a next outside of the fold of its iterator
	CodeIteratorShadow   = 20004
	CodeIteratorTwice    = 20005
	CodeResultKind       = 20006
	CodeShadow           = 20007
	CodeNewScope         = 20008
	CodeMissingCID       = 20010
	CodeFailedValue      = 20012
	CodeStreamSize       = 20013
	CodeMapPair          = 20014
	CodeMissingScalar    = 20016
	CodeParameters       = 20017
	CodeStopped          = 29000 // ours: cancelled, or over the step budget
	CodeValueSize        = 29001 // ours: a value made by the script is too large
	CodeUnusedResults    = 30000
	codeFirstCatchable   = 10000
	codeFirstUncatchable = 20000
)

// fault is an error during execution. Those below 20000 are catchable: xor,
// par and stream folds go on after them. The others end the run and leave the
// data as it was.
type fault struct {
	code     int64
	text     string
	waits    bool             // a variable has no value yet: most instructions wait
	variable string           // which
	triplet  *value.Tetraplet // of the call that failed, once it was known
	cause    error            // of a run that was stopped
}

// Unwrap is what stopped a run.
func (f *fault) Unwrap() error { return f.cause }

// asFault makes a fault of an error of this package, of data, or of the counter.
func asFault(err error) *fault {
	code, text := codeOf(err)
	f := &fault{code: code, text: text}
	var stop *meter.Stop
	if errors.As(err, &stop) {
		f.cause = stop.Err
	}
	return f
}

func (f *fault) Error() string { return f.message() }

func (f *fault) catchable() bool { return f.code < codeFirstUncatchable }

func faultf(code int64, format string, args ...any) *fault {
	return &fault{code: code, text: fmt.Sprintf(format, args...)}
}

// notFound is the error of a variable without a value. Most instructions wait for the value, so the
// text is made only when somebody wants it.
func notFound(name string) *fault { return &fault{code: CodeUndefined, waits: true, variable: name} }

// message is the text that peers and scripts see.
func (f *fault) message() string {
	if f.text == "" && f.waits {
		f.text = "variable with name '" + f.variable + "' wasn't defined during script execution"
	}
	return f.text
}

var (
	errMatch    = &fault{code: CodeMatch, text: "compared values do not match"}
	errMismatch = &fault{code: CodeMismatch, text: "compared values do not mismatch"}
)
