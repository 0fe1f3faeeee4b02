package interpreter

import (
	"sort"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// streamLimit is the number of values at which a stream is too large.
const streamLimit = 1024

// streamValue is a value in a stream and the position of its state in the
// result trace.
type streamValue struct {
	item *item
	pos  int
}

const sizeOfStreamValue = int(unsafe.Sizeof(streamValue{}))

// stream is an append-only list of values in generations, in three lists by
// origin. A pass of a fold takes whole generations; see batch.
type stream struct {
	span     air.Span // where the name means this stream
	previous generations
	current  generations
	fresh    generations // made in this run; indexes are dense
	count    int
	news     news       // of its values
	folds    int        // that ran over values of it
	settled  bool       // previous is numbered without gaps, see settle
	touched  bool       // see machine.touch
	closed   bool       // its new has ended
	outer    int        // in the list of open streams of the name, the nearest one before that may be meant where this is not
	frozen   frozenList // of the latest canon
}

// generations maps an index to values. Only non-empty ones are held, since an
// index may be anything up to 2^32-1; length counts the empty ones too.
type generations struct {
	held   []generation // by index
	length int
}

type generation struct {
	index  uint32
	values []streamValue
}

func (g *generations) add(index uint32, v streamValue) {
	n := len(g.held)
	at := n
	if n > 0 && g.held[n-1].index >= index {
		at = sort.Search(n, func(i int) bool { return g.held[i].index >= index })
	}
	if at == n || g.held[at].index != index {
		g.held = append(g.held, generation{})
		copy(g.held[at+1:], g.held[at:])
		g.held[at] = generation{index: index}
	}
	g.held[at].values = append(g.held[at].values, v)
	g.length = max(g.length, int(index)+1)
}

// last reports whether the last generation is empty.
func (g *generations) lastEmpty() bool {
	return g.length > 0 && (len(g.held) == 0 || int(g.held[len(g.held)-1].index) != g.length-1)
}

// after returns the non-empty generations but the first n. (Counting skips
// non-empty ones, while n counts empty ones too: what lands in an earlier, formerly
// empty generation can be missed. Peers agree on that.)
func (g *generations) after(n int) []generation { return g.held[min(n, len(g.held)):] }

// cursor says how far the passes of a fold got: a count for each list.
type cursor struct{ previous, current, fresh int }

// batch returns the generations from the cursor on.
func (s *stream) batch(c cursor) []generation {
	p, cu, f := s.previous.after(c.previous), s.current.after(c.current), s.fresh.after(c.fresh)
	out := make([]generation, 0, len(p)+len(cu)+len(f))
	return append(append(append(out, p...), cu...), f...)
}

// openGeneration moves the cursor behind everything and lets values that are added from now
// on start a generation.
func (s *stream) openGeneration() cursor {
	c := cursor{s.previous.length, s.current.length, s.fresh.length}
	s.fresh.length++
	return c
}

func (s *stream) closeEmptyGeneration() {
	if s.fresh.lastEmpty() {
		s.fresh.length--
	}
}

func (s *stream) add(v streamValue, from trace.Source, index uint32) *fault.Fault {
	s.news |= newsFrom(from)
	switch from {
	case trace.FromPrevious, trace.FromBoth:
		s.previous.add(index, v)
	case trace.FromCurrent:
		s.current.add(index, v)
	default:
		s.fresh.length = max(s.fresh.length, 1)
		s.fresh.add(uint32(s.fresh.length-1), v)
	}
	if s.count++; s.count >= streamLimit {
		return fault.StreamSize.New(streamLimit)
	}
	return nil
}

// allPrevious reports whether all values came from previous data.
func (s *stream) allPrevious() bool { return len(s.current.held)+len(s.fresh.held) == 0 }

// items returns all values in order.
func (s *stream) items() []*item {
	out := make([]*item, 0, s.count)
	s.each(func(g *generation) {
		for _, v := range g.values {
			out = append(out, v.item)
		}
	})
	return out
}

func (s *stream) each(do func(*generation)) {
	for _, list := range []*generations{&s.previous, &s.current, &s.fresh} {
		for i := range list.held {
			do(&list.held[i])
		}
	}
}

// number writes the final generation numbers, from 0 without gaps, into the states.
func (s *stream) number(result []trace.Entry) *fault.Fault {
	n, bad := uint32(0), (*fault.Fault)(nil)
	s.each(func(g *generation) {
		for _, v := range g.values {
			if !setGeneration(&result[v.pos], n) && bad == nil {
				bad = fault.Generation.New(trace.DebugState(&result[v.pos].State), v.pos)
			}
		}
		n++
	})
	return bad
}

// streams holds the streams and stream maps by slot. A name may mean several
// streams: one for the whole script and one for each new that is open.
type streams [][]*stream

func (t *streams) reset(names int) {
	if cap(*t) < names {
		*t = make(streams, names)
	}
	*t = (*t)[:names]
	for i := range *t {
		clear((*t)[i])
		(*t)[i] = (*t)[i][:0]
	}
}

// at finds the stream that a mention of the name means, or nil.
func (t streams) at(name *target) *stream {
	list := t[name.slot]
	for i := len(list) - 1; i >= 0; i = list[i].outer {
		if s := list[i]; s.span.Start < name.Pos && name.Pos < s.span.End {
			return s
		}
	}
	return nil
}

// orMake is at, making a stream for the whole script where there is none.
func (t streams) orMake(name *target) *stream {
	if s := t.at(name); s != nil {
		return s
	}
	s := &stream{span: everywhere}
	t.push(name.slot, s)
	return s
}

// push opens a stream. A mention that is not within its span is not within those that its span holds either: a fold opens one
// for each element, and looking through all for each mention would be quadratic.
func (t streams) push(slot int32, s *stream) {
	list := t[slot]
	i := len(list) - 1
	for i >= 0 && s.span.Start <= list[i].span.Start && list[i].span.End <= s.span.End {
		i = list[i].outer
	}
	s.outer = i
	t[slot] = append(list, s)
}

var everywhere = air.Span{Start: -1, End: 1<<31 - 1}

func (t streams) open(n *node) {
	t.push(n.out.slot, &stream{span: n.ins.At()})
}

func (t streams) close(n *node) *stream {
	list := t[n.out.slot]
	s := list[len(list)-1]
	t[n.out.slot] = list[:len(list)-1]
	s.closed = true
	return s
}

func setGeneration(e *trace.Entry, n uint32) bool {
	if e.Kind != data.Ap && !(e.Kind == data.CallExecuted && e.Output == data.Stream) {
		return false
	}
	e.Generation = n
	return true
}
