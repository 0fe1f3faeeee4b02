package interpreter

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/aquanode/aquanode/interpreter/data"
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
	text     string // once made: it is only made when somebody wants it
	format   string
	args     []any
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
	return &fault{code: code, format: format, args: args}
}

// mostText is how much of a value or a name an error shows. Errors are values too: of a long one each error could make
// another.
const mostText = 1024

// cut shortens a text.
func cut(s string) string {
	if len(s) <= mostText {
		return s
	}
	n := mostText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// whole is a text that errors show as it is: that of the error of a service.
type whole string

// shown are the arguments of an error, cut.
func shown(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			a = cut(a)
			out[i] = a
		case value.Value:
			out[i] = cut(a.Text())
		case data.CID:
			out[i] = cut(string(a))
		case error:
			out[i] = cut(a.Error())
		default:
			out[i] = a
		}
	}
	return out
}

// notFound is the error of a variable without a value. Most instructions wait for the value, so the
// text is made only when somebody wants it.
func notFound(name string) *fault { return &fault{code: CodeUndefined, waits: true, variable: name} }

// message is the text that peers and scripts see.
func (f *fault) message() string {
	switch {
	case f.text != "":
	case f.waits:
		f.text = "variable with name '" + cut(f.variable) + "' wasn't defined during script execution"
	case f.format != "":
		f.text, f.args = fmt.Sprintf(f.format, shown(f.args)...), nil
	}
	return f.text
}

var (
	errMatch    = &fault{code: CodeMatch, text: "compared values do not match"}
	errMismatch = &fault{code: CodeMismatch, text: "compared values do not mismatch"}
)
