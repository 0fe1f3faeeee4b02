package interpreter

import (
	"slices"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// pass is one walk over a list of elements: a scalar fold, or one generation
// of a stream fold. next moves it on and back.
type pass struct {
	n         *node
	items     []*item
	positions []streamValue // of a stream fold: the same elements with their positions
	index     int
	stream    *streamPass // nil for a scalar fold
	ended     bool        // a next without further element and last instruction was met
}

const sizeOfPass = int(unsafe.Sizeof(pass{}))

// streamPass is what the passes over the generations of one stream share.
type streamPass struct {
	fold   *trace.Fold
	stream *stream
	cursor cursor
	batch  []generation
	at     int // generation of the batch that runs
	any    bool

	steady  bool // all values were previous ones when it started
	changes int  // machine.changes then
	waits   int  // length of machine.waits then
}

func (m *machine) enterFold(n *node) (*node, *fault.Fault) {
	items, f := m.iterable(&n.operands[0])
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
		return nil, m.failed(n, f)
	}
	m.push(n).pass = p
	return n.kids[0], nil
}

func (m *machine) beginPass(p *pass) *fault.Fault {
	if m.folds[p.n.iter] != nil {
		return fault.IteratorTwice.New(m.p.scalars[p.n.iter])
	}
	m.folds[p.n.iter] = p
	m.scopes.deeper()
	return nil
}

func (m *machine) endPass(p *pass) {
	m.folds[p.n.iter] = nil
	m.shallower()
}

// shallower leaves a depth and forgets what was set there.
func (m *machine) shallower() {
	m.scopes.disallow()
	m.scopes.depth--
	m.dropDeeper()
}

func (m *machine) dropDeeper() {
	m.scalars.drop(&m.scopes)
	m.canons.drop(&m.scopes)
	m.maps.drop(&m.scopes)
}

func (m *machine) enterNext(n *node) (*node, *fault.Fault) {
	p := m.folds[n.iter]
	if p == nil {
		return nil, m.failed(n, fault.NoFold.New(m.p.scalars[n.iter]))
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
func (m *machine) further(n *node, p *pass) (*node, *fault.Fault) {
	p.index++
	if p.stream != nil {
		if err := m.trace.IterationStart(p.stream.fold, p.positions[p.index].pos); err != nil {
			return nil, m.traceFault(n, err)
		}
	}
	m.scopes.disallow()
	m.scopes.deeper()
	m.push(n).pass = p
	return p.n.kids[0], nil
}

func (m *machine) lastElement(n *node, p *pass) (*node, *fault.Fault) {
	if p.stream != nil {
		if err := m.trace.BackIterator(p.stream.fold); err != nil {
			return nil, m.traceFault(n, err)
		}
	}
	switch {
	case p.n.last != nil:
		m.complete = true
		return p.n.last, nil
	case p.stream != nil && !p.ended:
		p.ended = true
		m.complete = false
	}
	return nil, nil
}

// leaveNext comes back from a further element to the one before.
func (m *machine) leaveNext(fr *frame, f *fault.Fault) *fault.Fault {
	p := fr.pass
	m.pop()
	m.scopes.disallow()
	m.scopes.depth--
	m.scopes.allowed[m.scopes.depth] = true
	m.dropDeeper()
	p.index--
	if f == nil && p.stream != nil {
		if err := m.trace.BackIterator(p.stream.fold); err != nil {
			return m.traceFault(fr.n, err)
		}
	}
	return f
}

func (m *machine) enterFoldStream(n *node) (*node, *fault.Fault) {
	s := m.streams.at(&n.from)
	if s == nil {
		m.complete, m.stuck = false, true
		m.stuckAt(n)
		return nil, nil
	}
	fold, err := m.trace.FoldStart()
	if err != nil {
		return nil, m.traceFault(n, err)
	}
	sp := &streamPass{fold: fold, stream: s, batch: s.batch(cursor{}), steady: !m.arrived && s.allPrevious(), changes: m.changes, waits: len(m.waits)}
	if len(sp.batch) == 0 {
		return m.endFoldStream(n, sp)
	}
	sp.cursor = s.openGeneration()
	s.folds++
	m.touch(s)
	fr := m.push(n)
	m.block(fr, true)
	m.again.enterBeside(fr)
	return m.generation(fr, sp)
}

func (m *machine) endFoldStream(n *node, sp *streamPass) (*node, *fault.Fault) {
	if m.complete = sp.any; !sp.any && !slices.ContainsFunc(m.waits[min(sp.waits, len(m.waits)):], func(w wait) bool { return w.peer != "" }) {
		m.stuckAt(n) // nobody was asked for anything in it
	}
	m.trace.FoldEnd(sp.fold)
	if !sp.steady || sp.changes != m.changes || !sp.fold.Same() {
		m.unsteady = true
	}
	return nil, nil
}

// generation starts the pass over the next generation, or ends the fold.
func (m *machine) generation(fr *frame, sp *streamPass) (*node, *fault.Fault) {
	if sp.at == len(sp.batch) {
		sp.batch, sp.at = sp.stream.batch(sp.cursor), 0
		sp.stream.closeEmptyGeneration()
		sp.cursor = sp.stream.openGeneration()
		if len(sp.batch) == 0 {
			m.again.leaveBeside(fr)
			n := fr.n
			m.pop()
			return m.endFoldStream(n, sp)
		}
	}
	m.again.nextBeside(fr)
	p := &pass{n: fr.n, stream: sp, positions: sp.batch[sp.at].values}
	sp.at++
	if f := fault.Charge(m.count, len(p.positions), 8*len(p.positions)+sizeOfPass); f != nil {
		return nil, f
	}
	p.items = make([]*item, len(p.positions))
	for i, v := range p.positions {
		p.items[i] = v.item
	}
	fr.pass = p
	if err := m.trace.IterationStart(sp.fold, p.positions[0].pos); err != nil {
		return nil, m.traceFault(p.n, err)
	}
	if f := m.beginPass(p); f != nil {
		return nil, f
	}
	return p.n.kids[0], nil
}

// leaveFoldStream ends a generation; a catchable error in it is swallowed.
func (m *machine) leaveFoldStream(fr *frame, f *fault.Fault) (*node, *fault.Fault) {
	p := fr.pass
	m.endPass(p)
	m.trace.GenerationEnd(p.stream.fold)
	p.stream.any = p.stream.any || m.complete
	m.stuck = m.stuck || f != nil || !m.complete
	return m.generation(fr, p.stream)
}
