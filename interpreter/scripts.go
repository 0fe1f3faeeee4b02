package interpreter

import (
	"container/list"
	"sync"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// Scripts keeps resolved scripts by their text, since a script arrives many times
// with one particle and again with the next. It is bounded and safe for concurrent use.
type Scripts struct {
	mu     sync.Mutex
	max    int // bytes
	size   int
	byText map[string]*list.Element
	recent *list.List // of *program, the latest first
}

// NewScripts makes a cache that holds about max bytes.
func NewScripts(max int) *Scripts {
	return &Scripts{max: max, byText: map[string]*list.Element{}, recent: list.New()}
}

// program returns the resolved form of a script. A nil cache resolves anew.
func (s *Scripts) program(text string, count *meter.Counter) (*program, error) {
	if p := s.lookup(text); p != nil {
		return p, nil
	}
	if f := fault.Charge(count, len(text)/4, 3*len(text)); f != nil { // a byte takes 12 ns
		return nil, f
	}
	script, err := air.Parse(text)
	if err != nil {
		return nil, err
	}
	if f := fault.Charge(count, len(script.Names), resolvedSize(script)); f != nil {
		return nil, f
	}
	p := newProgram(script)
	s.keep(p)
	return p, nil
}

func (s *Scripts) lookup(text string) *program {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byText[text]
	if !ok {
		return nil
	}
	s.recent.MoveToFront(e)
	return e.Value.(*program)
}

func (s *Scripts) keep(p *program) {
	if s == nil || p.size > s.max {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byText[p.source]; ok {
		return
	}
	s.byText[p.source] = s.recent.PushFront(p)
	s.size += p.size
	for s.size > s.max {
		old := s.recent.Remove(s.recent.Back()).(*program)
		delete(s.byText, old.source)
		s.size -= old.size
	}
}
