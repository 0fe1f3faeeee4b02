package program

import (
	"container/list"
	"sync"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// Cache keeps resolved scripts by their text, since a script arrives many times
// with one particle and again with the next. It is bounded and safe for concurrent use.
type Cache struct {
	mu     sync.Mutex
	max    int // bytes
	size   int
	byText map[string]*list.Element
	recent *list.List // of *program, the latest first
}

// NewCache makes a cache that holds about max bytes.
func NewCache(max int) *Cache {
	return &Cache{max: max, byText: map[string]*list.Element{}, recent: list.New()}
}

// Get returns the resolved form of a script. A nil cache resolves anew.
func (s *Cache) Get(text string, count *meter.Counter) (*Program, error) {
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
	p := New(script)
	s.put(p)
	return p, nil
}

func (s *Cache) lookup(text string) *Program {
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
	return e.Value.(*Program)
}

func (s *Cache) put(p *Program) {
	if s == nil || p.size > s.max {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byText[p.Source]; ok {
		return
	}
	s.byText[p.Source] = s.recent.PushFront(p)
	s.size += p.size
	for s.size > s.max {
		old := s.recent.Remove(s.recent.Back()).(*Program)
		delete(s.byText, old.Source)
		s.size -= old.size
	}
}
