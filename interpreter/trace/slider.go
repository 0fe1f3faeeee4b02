package trace

import (
	"fmt"

	"github.com/aquanode/aquanode/interpreter/data"
)

// slider is a window that moves over a trace. An operation that fails leaves
// it as it was.
type slider struct {
	kept   []Entry     // the states of the previous trace
	new    data.States // those of the current one
	read   Entry       // the one of those that was read last
	size   int         // of whichever it is
	pos    int         // of the next state
	length int         // of the window
	seen   int         // states taken in the window
}

// take returns the next state of the window, or nil. One of the current trace is good until the next is taken.
func (s *slider) take() *data.State {
	if s.seen >= s.length || s.pos >= s.size {
		return nil
	}
	s.pos++
	s.seen++
	return s.at(s.pos - 1)
}

func (s *slider) at(i int) *data.State {
	if s.kept != nil {
		return &s.kept[i].State
	}
	s.read = Entry{State: s.new.At(i), Known: Foreign{}}
	return &s.read.State
}

// generation is that of the stream value in a state.
func (s *slider) generation(i int) (uint32, bool) {
	if s.kept != nil {
		return s.kept[i].StreamGeneration()
	}
	return s.new.Generation(i)
}

func (s *slider) rest() int { return s.length - s.seen }

// setLength opens a window of n states at the current position.
func (s *slider) setLength(n int) error {
	if n > s.size-s.pos {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d", n, s.pos, s.size)
	}
	s.length, s.seen = n, 0
	return nil
}

// setWindow opens a window of n states at position p.
func (s *slider) setWindow(w window) error {
	if w.len != 0 && w.pos+w.len > s.size {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d", w.len, w.pos, s.size)
	}
	s.pos, s.length, s.seen = w.pos, w.len, 0
	return nil
}

type window struct{ pos, len int }
