package interpreter_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
)

var errMemory = errors.New("over the memory limit")

// ledger is a meter with a limit of bytes.
type ledger struct{ held, most int64 }

func (*ledger) Work(int) error { return nil }

func (l *ledger) Grow(n int64) error {
	if n > 0 && l.held+n > l.most {
		return errMemory
	}
	l.held += n
	return nil
}

// multipliers are programs of some kB that make much more of themselves.
var multipliers = map[string]string{
	"arrays of arrays": doubling(`(seq (canon "@me" $s #c%d) (ap #c%[1]d $s))`),
	"maps of maps":     doublingMaps(),
	"tetraplets":       `(seq ` + seq(900, `(ap %d $s)`) + ` (seq (canon "@me" $s #c) (call "@me" ("s" "g") [` + strings.Repeat(" #c", 2000) + `])))`,
	"many calls":       `(seq ` + seq(900, `(ap %d $s)`) + ` (seq (canon "@me" $s #c) ` + list(200, `(par (call "@me" ("s" "g") [%d`+strings.Repeat(" #c", 10)+`]) `) + "(null)" + strings.Repeat(")", 200) + `))`,
	"canons of canons": `(seq ` + seq(900, `(ap %d $s)`) + " " + seq(5000, `(seq (canon "@me" $s #c%d) (ap #c%[1]d x%[1]d))`) + ")",
}

func doubling(format string) string {
	return `(seq (ap "` + strings.Repeat("x", 1000) + `" $s) ` + seq(40, format) + ")"
}

func doublingMaps() string {
	return `(seq (ap ("k" "` + strings.Repeat("x", 1000) + `") %m) ` + seq(40, `(seq (canon "@me" %%m x%d) (ap ("k%[1]d" x%[1]d) %%m))`) + ")"
}

// TestMemoryIsAskedFor stops programs that multiply long before they take much more than the limit.
func TestMemoryIsAskedFor(t *testing.T) {
	const limit = 16 << 20
	for name, script := range multipliers {
		for _, form := range []string{"retained", "cold"} {
			m := &ledger{most: limit}
			l := newLone(t, script, nil)
			l.params.Meter = m
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			stopped := l.stops(form)
			runtime.ReadMemStats(&after)
			if !errors.Is(stopped, errMemory) {
				t.Errorf("%s, %s: the run ended with %v", name, form, stopped)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 5*limit {
				t.Errorf("%s, %s: %d MB were allocated under a limit of %d", name, form, taken>>20, limit>>20)
			}
			if m.held != 0 {
				t.Errorf("%s, %s: %d bytes were not given back", name, form, m.held)
			}
		}
	}
}

// stops runs a particle until it is stopped.
func (l *lone) stops(form string) error {
	if form == "cold" {
		in := interpreter.Input{Script: l.script, CallResults: data.EncodeCallResults(nil), Params: l.params, SecretKey: make([]byte, 32)}
		out, _ := interpreter.Run(context.Background(), in)
		return out.Stopped
	}
	s, err := interpreter.Open(l.script, nil, l.params)
	if err != nil {
		return err
	}
	out := s.Step(context.Background(), nil, nil)
	if out.Stopped == nil {
		return fmt.Errorf("code %d %s", out.RetCode, out.ErrorMessage)
	}
	return out.Stopped
}
