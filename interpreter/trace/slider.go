package trace

import "fmt"

// slider is a window that moves over a trace. An operation that fails leaves
// it as it was.
type slider struct {
	trace  []Entry
	pos    int // of the next state
	length int // of the window
	seen   int // states taken in the window
}

// take returns the next state of the window, or nil.
func (s *slider) take() *Entry {
	if s.seen >= s.length || s.pos >= len(s.trace) {
		return nil
	}
	s.pos++
	s.seen++
	return &s.trace[s.pos-1]
}

func (s *slider) rest() int { return s.length - s.seen }

// setLength opens a window of n states at the current position.
func (s *slider) setLength(n int) error {
	if n > len(s.trace)-s.pos {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d", n, s.pos, len(s.trace))
	}
	s.length, s.seen = n, 0
	return nil
}

// setWindow opens a window of n states at position p.
func (s *slider) setWindow(w window) error {
	if w.len != 0 && w.pos+w.len > len(s.trace) {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d", w.len, w.pos, len(s.trace))
	}
	s.pos, s.length, s.seen = w.pos, w.len, 0
	return nil
}

type window struct{ pos, len int }
