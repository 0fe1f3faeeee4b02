// Package fault has the errors of AIR: one table with the code, the texts, the meaning and the
// remedy of each, and the type of an error that a run ends with.
//
// The codes of the constants, docs/ERRORS.md and all texts are made from the table. Texts that the
// published interpreter has too are those of the published interpreter, word for word: scripts
// and other peers see them.
package fault

import (
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Fault is an error during execution. One that is catchable is caught by xor, par and folds over
// streams. The others end the run and leave the data as it was.
type Fault struct {
	code     int64
	message  string // once made: it is only made when somebody asks for it
	format   string
	args     []any
	Waits    bool             // a variable has no value yet: most instructions wait
	Variable string           // which one
	Triplet  *value.Tetraplet // of the call that failed, once it was known
	cause    error            // of a run that was stopped
}

// New is a fault with this text. Values and names in it are cut.
func (t *Text) New(args ...any) *Fault {
	return &Fault{code: t.code.Number, format: t.Format, args: args}
}

// constant is a fault with this text, which has no arguments, for use again and again.
func (t *Text) constant() *Fault { return &Fault{code: t.code.Number, message: t.Format} }

// Fill is the text with its arguments, none of them cut.
func (t *Text) Fill(args ...any) string { return fmt.Sprintf(t.Format, args...) }

// Of is a fault with a code and a message made elsewhere.
func Of(code int64, message string, err error) *Fault {
	f := &Fault{code: code, message: message}
	var stop *meter.Stop
	if errors.As(err, &stop) {
		f.cause = stop.Err
	}
	return f
}

// Stop ends a run with the error of its counter.
func Stop(err error) *Fault {
	return &Fault{code: CodeStopped, message: err.Error(), cause: errors.Unwrap(err)}
}

// TooManySteps ends a run that executed more instructions than its limit. cause is what callers
// test for.
func TooManySteps(steps, limit int, cause error) *Fault {
	f := StepLimit.New(steps, limit)
	f.cause = cause
	return f
}

// NoValue is the fault of a variable without a value. Most instructions wait for the value, so the
// text is made only when somebody asks for it.
func NoValue(name string) *Fault {
	return &Fault{code: Undefined.code.Number, Waits: true, Variable: name}
}

// Charge counts work and bytes about to be taken. A fault says that the run is over.
func Charge(count *meter.Counter, units, bytes int) *Fault {
	_ = count.Work(units)
	if count.Grow(bytes) != nil {
		return Stop(count.Err())
	}
	return nil
}

// At is the fault with the triplet of the call that failed.
func (f *Fault) At(t *value.Tetraplet) *Fault {
	c, copied := *f, *t
	c.Triplet = &copied
	return &c
}

// Code is the number of the fault's row in the table.
func (f *Fault) Code() int64 { return f.code }

// Catchable reports whether scripts can catch the fault.
func (f *Fault) Catchable() bool { return Catchable(f.code) }

// Unwrap is the error that stopped a run, if one did.
func (f *Fault) Unwrap() error { return f.cause }

func (f *Fault) Error() string { return f.Message() }

// Message is the text that peers and scripts see.
func (f *Fault) Message() string {
	switch {
	case f.message != "":
	case f.Waits:
		f.message = Undefined.Fill(Cut(f.Variable))
	case f.format != "":
		f.message, f.args = fmt.Sprintf(f.format, shown(f.args)...), nil
	}
	return f.message
}

// mostText is how much of a value or a name a fault shows. Faults are values too: of a long one
// each fault could make another.
const mostText = 1024

// Cut shortens a text.
func Cut(s string) string {
	if len(s) <= mostText {
		return s
	}
	n := mostText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// Whole is a text that faults show as it is: that of the error of a service.
type Whole string

// shown are the arguments of a text, cut.
func shown(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case value.Value:
			out[i] = Cut(a.Text())
		case Whole, fmt.Stringer:
			out[i] = a
		case error:
			out[i] = Cut(a.Error())
		default:
			out[i] = a
			if v := reflect.ValueOf(a); v.Kind() == reflect.String {
				out[i] = Cut(v.String())
			}
		}
	}
	return out
}
