package scope

import (
	"sort"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// streamLimit is the number of values at which a stream is too large.
const streamLimit = 1024

// StreamValue is a value in a stream and the position of its state in the
// result trace.
type StreamValue struct {
	Item *content.Item
	Pos  int
}

const SizeOfStreamValue = int(unsafe.Sizeof(StreamValue{}))

// Stream is an append-only list of values in generations, in three lists by
// origin. A pass of a fold takes whole generations; see After.
type Stream struct {
	span     air.Span // where the name means this stream
	previous generations
	current  generations
	added    generations // made in this run; indexes are dense
	Count    int
	Sources  trace.Sources // of its values
	Folds    int           // that ran over values of it
	numbered bool          // previous is numbered without gaps, see Renumber
	Changed  bool          // in the running run
	Closed   bool          // its new has ended
	// in the list of open streams of the name, the nearest one before that may be meant where this
	// is not
	outer     int
	LastCanon content.CanonList // of the latest canon
}

// generations maps an index to values. Only non-empty ones are held, since an
// index may be anything up to 2^32-1; length counts the empty ones too.
type generations struct {
	list   []Generation // by index
	length int
}

type Generation struct {
	index  uint32
	Values []StreamValue
}

func (g *generations) add(index uint32, v StreamValue) {
	n := len(g.list)
	at := n
	if n > 0 && g.list[n-1].index >= index {
		at = sort.Search(n, func(i int) bool { return g.list[i].index >= index })
	}
	if at == n || g.list[at].index != index {
		g.list = append(g.list, Generation{})
		copy(g.list[at+1:], g.list[at:])
		g.list[at] = Generation{index: index}
	}
	g.list[at].Values = append(g.list[at].Values, v)
	g.length = max(g.length, int(index)+1)
}

// last reports whether the last generation is empty.
func (g *generations) lastEmpty() bool {
	return g.length > 0 && (len(g.list) == 0 || int(g.list[len(g.list)-1].index) != g.length-1)
}

// after returns the non-empty generations but the first n. (Counting skips
// non-empty ones, while n counts empty ones too: what lands in an earlier, formerly
// empty generation can be missed. Peers agree on that.)
func (g *generations) after(n int) []Generation { return g.list[min(n, len(g.list)):] }

// Cursor says how far the passes of a fold got: a count for each list.
type Cursor struct{ previous, current, added int }

// After returns the generations from the cursor on.
func (s *Stream) After(c Cursor) []Generation {
	p, cu, f := s.previous.after(c.previous), s.current.after(c.current), s.added.after(c.added)
	out := make([]Generation, 0, len(p)+len(cu)+len(f))
	return append(append(append(out, p...), cu...), f...)
}

// OpenGeneration moves the cursor behind everything and lets values that are added from now
// on start a generation.
func (s *Stream) OpenGeneration() Cursor {
	c := Cursor{s.previous.length, s.current.length, s.added.length}
	s.added.length++
	return c
}

func (s *Stream) CloseEmptyGeneration() {
	if s.added.lastEmpty() {
		s.added.length--
	}
}

func (s *Stream) Add(v StreamValue, from trace.Source, index uint32) *fault.Fault {
	s.Sources |= from.Set()
	switch from {
	case trace.FromPrevious, trace.FromBoth:
		s.previous.add(index, v)
	case trace.FromCurrent:
		s.current.add(index, v)
	default:
		s.added.length = max(s.added.length, 1)
		s.added.add(uint32(s.added.length-1), v)
	}
	if s.Count++; s.Count >= streamLimit {
		return fault.StreamSize.New(streamLimit)
	}
	return nil
}

// AllPrevious reports whether all values came from previous data.
func (s *Stream) AllPrevious() bool { return len(s.current.list)+len(s.added.list) == 0 }

// Items returns all values in order.
func (s *Stream) Items() []*content.Item {
	out := make([]*content.Item, 0, s.Count)
	s.each(func(g *Generation) {
		for _, v := range g.Values {
			out = append(out, v.Item)
		}
	})
	return out
}

func (s *Stream) each(do func(*Generation)) {
	for _, list := range []*generations{&s.previous, &s.current, &s.added} {
		for i := range list.list {
			do(&list.list[i])
		}
	}
}

// Number writes the final generation numbers, from 0 without gaps, into the states.
func (s *Stream) Number(result []trace.Entry) *fault.Fault {
	n, bad := uint32(0), (*fault.Fault)(nil)
	s.each(func(g *Generation) {
		for _, v := range g.Values {
			if !setGeneration(&result[v.Pos], n) && bad == nil {
				bad = fault.Generation.New(trace.DebugState(&result[v.Pos].State), v.Pos)
			}
		}
		n++
	})
	return bad
}

// Streams holds the streams and stream maps by slot. A name may mean several
// streams: one for the whole script and one for each new that is open.
type Streams [][]*Stream

func (t *Streams) Reset(names int) {
	if cap(*t) < names {
		*t = make(Streams, names)
	}
	*t = (*t)[:names]
	for i := range *t {
		clear((*t)[i])
		(*t)[i] = (*t)[i][:0]
	}
}

// Release drops all streams and keeps the memory of the lists, unless it is for more than most names.
func (t *Streams) Release(most int) {
	if cap(*t) > most {
		*t = nil
		return
	}
	t.Reset(len(*t))
	for i, list := range *t {
		if cap(list) > mostOpen {
			(*t)[i] = nil
		}
	}
}

// mostOpen is how many streams of one name a list may have had to be kept.
const mostOpen = 16

// At finds the stream that a mention of the name means, or nil.
func (t Streams) At(name *program.Target) *Stream {
	list := t[name.Slot]
	for i := len(list) - 1; i >= 0; i = list[i].outer {
		if s := list[i]; s.span.Start < name.Pos && name.Pos < s.span.End {
			return s
		}
	}
	return nil
}

// AtOrNew is at, making a stream for the whole script where there is none.
func (t Streams) AtOrNew(name *program.Target) *Stream {
	if s := t.At(name); s != nil {
		return s
	}
	s := &Stream{span: everywhere}
	t.push(name.Slot, s)
	return s
}

// push opens a stream. A mention that is not within its span is not within those that its span
// holds either: a fold opens one for each element, and looking through all for each mention would
// be quadratic.
func (t Streams) push(slot int32, s *Stream) {
	list := t[slot]
	i := len(list) - 1
	for i >= 0 && s.span.Start <= list[i].span.Start && list[i].span.End <= s.span.End {
		i = list[i].outer
	}
	s.outer = i
	t[slot] = append(list, s)
}

var everywhere = air.Span{Start: -1, End: 1<<31 - 1}

func (t Streams) Open(n *program.Node) {
	t.push(n.Out.Slot, &Stream{span: n.Instr.At()})
}

func (t Streams) Close(n *program.Node) *Stream {
	list := t[n.Out.Slot]
	s := list[len(list)-1]
	list[len(list)-1] = nil
	t[n.Out.Slot] = list[:len(list)-1]
	s.Closed = true
	return s
}

func setGeneration(e *trace.Entry, n uint32) bool {
	if e.Kind != data.Ap && !(e.Kind == data.CallExecuted && e.Output == data.Stream) {
		return false
	}
	e.Generation = n
	return true
}

// Renumber makes all values previous ones, numbered as they are in the data: so a new
// run would find them.
func (s *Stream) Renumber(result []trace.Entry) {
	if len(s.current.list) > 0 || !s.numbered {
		s.renumberAll(result)
	} else {
		s.appendNumbered(s.added.list, result)
	}
	s.numbered = true
	s.current, s.added = generations{}, generations{length: s.Folds}
}

func (s *Stream) renumberAll(result []trace.Entry) {
	all := s.After(Cursor{})
	s.previous = generations{}
	s.appendNumbered(all, result)
}

func (s *Stream) appendNumbered(list []Generation, result []trace.Entry) {
	for _, g := range list {
		n := uint32(len(s.previous.list))
		for _, v := range g.Values {
			setGeneration(&result[v.Pos], n)
		}
		s.previous.list = append(s.previous.list, Generation{index: n, Values: g.Values})
	}
	s.previous.length = len(s.previous.list)
}
