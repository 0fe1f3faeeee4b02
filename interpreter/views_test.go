package interpreter_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
)

func encoded(tb testing.TB, s *interpreter.State) []byte {
	b, err := s.Data()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestArrivalsAreNotKept writes over what arrived once a step has ended: a state that lives on must
// not have views of it, whether it knew something before or nothing.
func TestArrivalsAreNotKept(t *testing.T) {
	steps := clientSteps(t, 30)
	for name, from := range map[string]int{"from the beginning": 0, "from one arrival": 12} {
		play := func(spoil bool) []byte {
			s := open(t, steps[0])
			for i := from; i < len(steps); i++ {
				r := *steps[i]
				if from > 0 {
					r.CallResults = nil // of calls that this state did not make
				}
				r.CurrData = slices.Clone(r.CurrData)
				step(t, s, &r)
				if spoil {
					clear(r.CurrData)
				}
			}
			return encoded(t, s)
		}
		if !bytes.Equal(play(true), play(false)) {
			t.Errorf("%s: the data changed with what had arrived", name)
		}
	}
}
