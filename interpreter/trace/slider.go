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

// take takes the next state of the window and returns its place and kind: none if there is none.
func (s *slider) take() (int, data.Kind) {
	if s.seen >= s.length || s.pos >= s.size {
		return -1, data.None
	}
	i := s.pos
	s.pos++
	s.seen++
	if s.kept != nil {
		return i, s.kept[i].Kind
	}
	return i, s.new.Kind(i)
}

// at is a state. One of the current trace is good until another is asked for.
func (s *slider) at(i int) *Entry {
	if s.kept != nil {
		return &s.kept[i]
	}
	s.read = Entry{Known: Foreign{}}
	s.new.Read(i, &s.read.State)
	return &s.read
}

// par is what a state of a par says.
func (s *slider) par(i int) (left, right uint32) {
	if s.kept != nil {
		return s.kept[i].Left, s.kept[i].Right
	}
	return s.new.Par(i)
}

// generation is that of the stream value in a state.
func (s *slider) generation(i int) (uint32, bool) {
	if s.kept != nil {
		return s.kept[i].StreamGeneration()
	}
	return s.new.Generation(i)
}

func (s *slider) rest() int { return s.length - s.seen }

// trySetLength opens a window of n states at the current position, if there are so many.
func (s *slider) trySetLength(n int) bool {
	if n > s.size-s.pos {
		return false
	}
	s.length, s.seen = n, 0
	return true
}

// trySetWindow opens a window, if it lies in the trace.
func (s *slider) trySetWindow(w window) bool {
	if w.len != 0 && w.pos+w.len > s.size {
		return false
	}
	s.pos, s.length, s.seen = w.pos, w.len, 0
	return true
}

func (s *slider) setLength(n int) error {
	if !s.trySetLength(n) {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d",
			n, s.pos, s.size)
	}
	return nil
}

func (s *slider) setWindow(w window) error {
	if !s.trySetWindow(w) {
		return fmt.Errorf("requested a subtrace of %d states at position %d, but the trace has %d",
			w.len, w.pos, s.size)
	}
	return nil
}

type window struct{ pos, len int }
