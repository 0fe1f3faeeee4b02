package dispatch

import (
	"context"
	"sync"
)

// slots is a semaphore that is fair among owners: those who wait stand in a line for each
// owner, and a free slot goes to the first of the owner whose turn it is.
type slots struct {
	mu    sync.Mutex
	free  int
	lines map[string]*line
	turns []*line // owners that wait, in turn
}

type line struct {
	owner   string
	waiting []chan struct{} // closed when the slot is granted
}

func newSlots(n int) *slots { return &slots{free: n, lines: make(map[string]*line)} }

// acquire waits for a slot; it reports false when the context ended first.
func (s *slots) acquire(ctx context.Context, owner string) bool {
	if ctx.Err() != nil {
		return false
	}
	granted := s.enter(owner)
	if granted == nil {
		return true
	}
	select {
	case <-granted:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-granted: // at the same moment: pass it on
		s.grant()
	default:
		s.leave(owner, granted)
	}
	return false
}

// enter takes a free slot, and returns nil, or the last place in the owner's line.
func (s *slots) enter(owner string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return nil
	}
	l := s.lines[owner]
	if l == nil {
		l = &line{owner: owner}
		s.lines[owner] = l
		s.turns = append(s.turns, l)
	}
	granted := make(chan struct{})
	l.waiting = append(l.waiting, granted)
	return granted
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant()
}

// grant gives a slot to the next in turn. Lines that were left empty are skipped.
func (s *slots) grant() {
	for len(s.turns) > 0 {
		l := s.turns[0]
		s.turns = s.turns[1:]
		if len(l.waiting) == 0 {
			delete(s.lines, l.owner)
			continue
		}
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		if len(l.waiting) > 0 {
			s.turns = append(s.turns, l)
		} else {
			delete(s.lines, l.owner)
		}
		return
	}
	s.free++
}

// leave takes a place out of a line that is not its turn yet.
func (s *slots) leave(owner string, place chan struct{}) {
	l := s.lines[owner]
	for i, c := range l.waiting {
		if c == place {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
}
