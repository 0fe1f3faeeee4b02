package machine

import (
	"slices"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/internal/scope"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// pass is one walk over a list of elements: a scalar fold, or one generation
// of a stream fold. next moves it on and back.
type pass struct {
	n         *program.Node
	items     []*content.Item
	positions []scope.StreamValue // of a stream fold: the same elements with their positions
	index     int
	stream    *streamPass // nil for a scalar fold
	ended     bool        // a next without further element and last instruction was met
}

const sizeOfPass = int(unsafe.Sizeof(pass{}))

// streamPass is what the passes over the generations of one stream share.
type streamPass struct {
	fold   *trace.Fold
	stream *scope.Stream
	cursor scope.Cursor
	batch  []scope.Generation
	at     int // generation of the batch that runs
	any    bool

	steady  bool // all values were previous ones when it started
	changes int  // machine.changes then
	waits   int  // length of machine.waits then
}

func (m *Machine) enterFold(n *program.Node) (*program.Node, *fault.Fault) {
	items, f := m.iterable(&n.Operands[0])
	if f != nil {
		return nil, m.wait(n, f)
	}
	if len(items) == 0 {
		return nil, nil
	}
	if f := fault.Charge(m.count, 0, sizeOfPass); f != nil {
		return nil, f
	}
	p := &pass{n: n, items: items}
	if f := m.beginPass(p); f != nil {
		return nil, m.recordError(n, f)
	}
	m.push(n).pass = p
	return n.Kids[0], nil
}

func (m *Machine) beginPass(p *pass) *fault.Fault {
	if m.folds[p.n.Iter] != nil {
		return fault.IteratorTwice.New(m.p.Scalars[p.n.Iter])
	}
	m.folds[p.n.Iter] = p
	m.scopes.Enter()
	return nil
}

func (m *Machine) endPass(p *pass) {
	m.folds[p.n.Iter] = nil
	m.shallower()
}

// shallower leaves a depth and forgets what was set there.
func (m *Machine) shallower() {
	m.scopes.Leave()
	m.dropDeeper()
}

func (m *Machine) dropDeeper() {
	m.scalars.DropDeeper(&m.scopes)
	m.canons.DropDeeper(&m.scopes)
	m.maps.DropDeeper(&m.scopes)
}

func (m *Machine) enterNext(n *program.Node) (*program.Node, *fault.Fault) {
	p := m.folds[n.Iter]
	if p == nil {
		return nil, m.recordError(n, fault.NoFold.New(m.p.Scalars[n.Iter]))
	}
	if p.stream != nil {
		m.trace.IterationEnd(p.stream.fold)
	}
	if p.index+1 < len(p.items) {
		return m.further(n, p)
	}
	return m.lastElement(n, p)
}

// further runs the body for the next element.
func (m *Machine) further(n *program.Node, p *pass) (*program.Node, *fault.Fault) {
	p.index++
	if p.stream != nil {
		if err := m.trace.IterationStart(p.stream.fold, p.positions[p.index].Pos); err != nil {
			return nil, m.traceFault(n, err)
		}
	}
	m.scopes.Hide()
	m.scopes.Enter()
	m.push(n).pass = p
	return p.n.Kids[0], nil
}

func (m *Machine) lastElement(n *program.Node, p *pass) (*program.Node, *fault.Fault) {
	if p.stream != nil {
		if err := m.trace.BackIterator(p.stream.fold); err != nil {
			return nil, m.traceFault(n, err)
		}
	}
	switch {
	case p.n.Last != nil:
		m.complete = true
		return p.n.Last, nil
	case p.stream != nil && !p.ended:
		p.ended = true
		m.complete = false
	}
	return nil, nil
}

// leaveNext comes back from a further element to the one before. After an error the scope is that
// of the one before, but the iterator stays where it is, on every peer alike: what handles the
// error sees the element that failed.
func (m *Machine) leaveNext(fr *frame, f *fault.Fault) *fault.Fault {
	p := fr.pass
	m.pop()
	m.scopes.Leave()
	m.scopes.Show()
	m.dropDeeper()
	if f != nil {
		return f
	}
	p.index--
	if p.stream != nil {
		if err := m.trace.BackIterator(p.stream.fold); err != nil {
			return m.traceFault(fr.n, err)
		}
	}
	return nil
}

func (m *Machine) enterFoldStream(n *program.Node) (*program.Node, *fault.Fault) {
	s := m.streams.At(&n.From)
	if s == nil {
		m.complete, m.stuck = false, true
		m.stuckAt(n)
		return nil, nil
	}
	fold, err := m.trace.FoldStart()
	if err != nil {
		return nil, m.traceFault(n, err)
	}
	sp := &streamPass{
		fold: fold, stream: s, batch: s.After(scope.Cursor{}),
		steady: !m.arrived && s.AllPrevious(), changes: m.changes, waits: len(m.waits),
	}
	if len(sp.batch) == 0 {
		return m.endFoldStream(n, sp)
	}
	sp.cursor = s.OpenGeneration()
	s.Folds++
	m.markChanged(s)
	fr := m.push(n)
	m.block(fr, true)
	m.again.enterBeside(fr)
	return m.generation(fr, sp)
}

func (m *Machine) endFoldStream(n *program.Node, sp *streamPass) (*program.Node, *fault.Fault) {
	asked := func(w wait) bool { return w.peer != "" }
	if m.complete = sp.any; !sp.any && !slices.ContainsFunc(m.waits[min(sp.waits, len(m.waits)):], asked) {
		m.stuckAt(n)
	}
	m.trace.FoldEnd(sp.fold)
	if !sp.steady || sp.changes != m.changes || !sp.fold.Same() {
		m.unsteady = true
	}
	return nil, nil
}

// generation starts the pass over the next generation, or ends the fold.
func (m *Machine) generation(fr *frame, sp *streamPass) (*program.Node, *fault.Fault) {
	if sp.at == len(sp.batch) {
		sp.batch, sp.at = sp.stream.After(sp.cursor), 0
		sp.stream.CloseEmptyGeneration()
		sp.cursor = sp.stream.OpenGeneration()
		if len(sp.batch) == 0 {
			m.again.leaveBeside(fr)
			n := fr.n
			m.pop()
			return m.endFoldStream(n, sp)
		}
	}
	m.again.nextBeside(fr)
	p := &pass{n: fr.n, stream: sp, positions: sp.batch[sp.at].Values}
	sp.at++
	if f := fault.Charge(m.count, len(p.positions), 8*len(p.positions)+sizeOfPass); f != nil {
		return nil, f
	}
	p.items = make([]*content.Item, len(p.positions))
	for i, v := range p.positions {
		p.items[i] = v.Item
	}
	fr.pass = p
	if err := m.trace.IterationStart(sp.fold, p.positions[0].Pos); err != nil {
		return nil, m.traceFault(p.n, err)
	}
	if f := m.beginPass(p); f != nil {
		return nil, f
	}
	return p.n.Kids[0], nil
}

// leaveFoldStream ends a generation; a catchable error in it is swallowed.
func (m *Machine) leaveFoldStream(fr *frame, f *fault.Fault) (*program.Node, *fault.Fault) {
	p := fr.pass
	m.endPass(p)
	m.trace.GenerationEnd(p.stream.fold)
	p.stream.any = p.stream.any || m.complete
	m.stuck = m.stuck || f != nil || !m.complete
	return m.generation(fr, p.stream)
}
