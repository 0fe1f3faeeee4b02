package interpreter

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// workspace is the memory that runs use again and again. A retained state has its own; cold runs
// borrow one, or half of their time would go into making it and cleaning up behind them.
type workspace struct {
	m        machine
	trace    []trace.Entry // what is known, with what is remembered about each state
	spare    []trace.Entry // an older trace, to be written over
	states   []data.State  // see bare
	own      []data.CID    // this peer's results in the trace: what it signs
	spareOwn []data.CID
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// load takes the trace of decoded data.
func (w *workspace) load(states data.States, count *meter.Counter) {
	if count.Grow(states.Len()*sizeOfState) != nil || count.Work(states.Len()) != nil {
		return
	}
	w.trace = slices.Grow(w.trace[:0], states.Len())[:states.Len()] // zero: emptied has cleared it
	for i := range w.trace {
		states.Read(i, &w.trace[i].State)
	}
}

// release gives the workspace of a cold run back. Nothing of the run stays in it.
func (s *State) release() {
	w := s.workspace
	s.workspace = nil
	w.trace, w.spare, w.states = emptied(w.trace), emptied(w.spare), emptied(w.states)
	w.own, w.spareOwn = emptied(w.own), emptied(w.spareOwn)
	w.m.release()
	workspaces.Put(w)
}

// mostKept is how many elements a list may have to be kept for the next run.
const mostKept = 1 << 13

func emptied[T any](list []T) []T {
	if cap(list) > mostKept {
		return nil
	}
	list = list[:cap(list)]
	clear(list)
	return list[:0]
}

// release leaves frames, which hold nothing once they have ended.
func (m *machine) release() {
	*m = machine{spare: m.spare, frames: m.frames, args: emptied(m.args), waits: emptied(m.waits), answers: emptied(m.answers), again: again{open: emptied(m.again.open), behind: emptied(m.again.behind)}}
	if m.frames > mostKept {
		m.spare, m.frames = nil, 0
	}
}

// sizeOfState is the bytes of a state in a trace with what is remembered about it: an entry, and that of the trace to be written over.
const sizeOfState = 2 * int(unsafe.Sizeof(trace.Entry{}))
