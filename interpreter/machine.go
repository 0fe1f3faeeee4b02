package interpreter

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
	"github.com/aquanode/aquanode/interpreter/value"
)

// machine is one run of a program: it merges the previous with one current
// trace and walks the script as far as this peer can take it.
//
// The walk is a loop over frames instead of a recursion: scripts nest as deep as they
// like (a fold nests once for every element).
type machine struct {
	particle *particle
	store    *store
	p        *program
	count    *meter.Counter

	top      *frame
	spare    *frame // frames to use again
	frames   int    // made so far
	complete bool   // whether the part of the script that just ran is complete

	scopes  scopes
	scalars table[*item]
	canons  table[*canon]
	maps    table[*canon]
	folds   []*pass // by scalar slot of the iterator: the pass of the fold that runs
	streams streams
	trace   trace.Handler

	lastError, anyError errorSlot // %last_error% and :error:

	results  map[uint32]CallResult // not used yet
	requests []CallRequest
	next     []string // peers, without duplicates
	named    map[string]bool
	again    again      // see Outcome.Again
	own      []data.CID // ids of this peer's results met in this run: what it signs
	answers  []answer   // new results without content ids yet, see file
	waits    []wait
	steps    int
	charged  struct{ states, frames, bytes int } // see grown
	start    struct{ grown, known int }          // when the run began
	made     int                                 // bytes of items and the like, see accounted
	streamed int                                 // bytes of streams
	asked    int                                 // bytes of requests
	args     []*item                             // see argSpace

	// Whether the run may stop at a local call as it stands, see suspend.go.
	arrived   bool // there is a current trace
	blocking  int  // frames on the stack that go on even if what is inside them is incomplete
	changes   int  // states written that were not in the previous trace
	unsteady  bool // running again over the result might not take the same way
	suspended *invocation
	resumed   bool            // the run goes on from where it stopped
	ended     []trace.OpenPar // that ended since, as they were
	touched   []*stream       // changed since

	// Whether something can follow, see settled.go.
	parted   bool // a par was met
	stuck    bool // something ended incomplete without a wait that says why
	handedOn bool // the first wait is for another peer, and nothing after it is for this one
}

// frame is an instruction that waits for a part of it to end.
type frame struct {
	up    *frame
	n     *node
	index int          // seq: the part that runs; par, xor, next: the phase
	par   trace.Par    // of a par
	pass  *pass        // of a fold or next
	err   *fault.Fault // par: how the left branch ended; xor: nothing
	done  bool         // par: whether the left branch was complete

	blocks bool // counted in machine.blocking

	// See again.go.
	open                          int32 // open requests when it began
	before, must, beside, learned news
}

// wait is an instruction that could not go on: for want of a value, or of what a peer has to do.
type wait struct {
	n        *node
	variable string
	peer     string
}

// stepsPerCheck is how many instructions run between two looks at the limit of steps.
const stepsPerCheck = 1024

// run executes the script. It returns the error that no xor caught, or one that ended the run; after
// the latter nothing of the run may be used.
func (m *machine) run() *fault.Fault {
	f := m.end(m.execute(m.p.root))
	if f != nil && !f.Catchable() {
		m.suspended = nil
	}
	return f
}

// end is the end of every run. f is how the script ended, the result is how the run does.
func (m *machine) end(f *fault.Fault) *fault.Fault {
	if f != nil && !f.Catchable() {
		return f
	}
	m.grown()
	m.flushAnswers()
	m.accounted()
	if m.suspended == nil {
		if bad := m.numberStreams(m.trace.Result); bad != nil {
			f = bad
		}
	}
	if most := m.particle.MaxData; m.store.encoded()+stateSize*len(m.trace.Result) > most {
		f = fault.DataSize.New(most)
	}
	if m.count.Err() != nil {
		return fault.Stop(m.count.Err())
	}
	return f
}

const stateSize = 24 // bytes in the archive

// execute runs the script from n on.
func (m *machine) execute(n *node) *fault.Fault {
	for {
		if m.count.Work(1) != nil {
			return fault.Stop(m.count.Err())
		}
		if m.steps++; m.steps%stepsPerCheck == 0 {
			if f := m.stopped(); f != nil {
				return f
			}
		}
		sub, f := m.enter(n)
		if sub != nil {
			n = sub
			continue
		}
		if m.suspended != nil {
			m.lookAheadFromHere()
			return nil
		}
		if n, f = m.leave(f); n == nil {
			return f
		}
	}
}

// ErrSteps is why a run stopped that executed more instructions than it may.
var ErrSteps = errors.New("the run executed more instructions than the limit allows")

// grown counts the states and frames that were made since it was called last.
func (m *machine) grown() {
	states := max(0, len(m.trace.Result)-m.charged.states)
	frames := max(0, m.frames-m.charged.frames)
	m.charged.states, m.charged.frames = len(m.trace.Result), m.frames
	size := states*sizeOfState + frames*int(unsafe.Sizeof(frame{}))
	m.charged.bytes += size
	_ = m.count.Grow(size)
}

// accounted adds to made what the run took besides states, frames, and what is in stores.
func (m *machine) accounted() {
	grown, known := int(m.count.Grown()), m.store.size()
	m.made += max(0, grown-m.start.grown-m.charged.bytes-max(0, known-m.start.known))
	m.start.grown, m.start.known, m.charged.bytes = grown, known, 0
}

// stopped looks whether the run may go on.
func (m *machine) stopped() *fault.Fault {
	if m.grown(); m.count.Err() != nil {
		return fault.Stop(m.count.Err())
	}
	if most := m.particle.MaxSteps; most > 0 && m.steps >= most {
		return fault.TooManySteps(m.steps, most, ErrSteps)
	}
	return nil
}

// enter begins an instruction. It returns the part to run first, or nil when the
// instruction has ended.
func (m *machine) enter(n *node) (*node, *fault.Fault) {
	if !n.ready.Load() {
		m.p.resolve(n)
	}
	switch n.op {
	case opNull:
		return nil, nil
	case opNever:
		m.never(n)
		return nil, nil
	case opSeq:
		m.complete = true
		m.push(n)
		return n.kids[0], nil
	case opPar:
		return m.enterPar(n)
	case opXor:
		m.complete = true
		m.push(n)
		return n.kids[0], nil
	case opMatch, opMismatch:
		return m.enterMatch(n)
	case opNew:
		m.openNew(n)
		m.push(n)
		return n.kids[0], nil
	case opFold:
		return m.enterFold(n)
	case opFoldStream:
		return m.enterFoldStream(n)
	case opNext:
		return m.enterNext(n)
	}
	return nil, m.leaf(n)
}

func (m *machine) leaf(n *node) *fault.Fault {
	var f *fault.Fault
	switch n.op {
	case opCall:
		f = m.call(n)
	case opCanon:
		f = m.canon(n)
	case opAp:
		f = m.ap(n)
	case opApMap:
		f = m.apMap(n)
	case opFail:
		f = m.fail(n)
	}
	return m.failed(n, f)
}

// leave ends instructions from the inside out until one has a further part to
// run. It returns nil when the script has ended.
func (m *machine) leave(f *fault.Fault) (*node, *fault.Fault) {
	for m.top != nil {
		if f != nil && !f.Catchable() {
			return nil, f
		}
		fr := m.top
		var sub *node
		switch fr.n.op {
		case opSeq:
			sub = m.leaveSeq(fr, f)
		case opPar:
			sub, f = m.leavePar(fr, f)
		case opXor:
			sub, f = m.leaveXor(fr, f)
		case opNew:
			f = m.leaveNew(fr, f)
		case opFold:
			m.endPass(fr.pass)
			m.pop()
		case opFoldStream:
			sub, f = m.leaveFoldStream(fr, f)
		case opNext:
			f = m.leaveNext(fr, f)
		}
		if sub != nil {
			return sub, nil
		}
	}
	return nil, f
}

func (m *machine) push(n *node) *frame {
	fr := m.spare
	if fr == nil {
		fr = &frame{}
		m.frames++
	} else {
		m.spare = fr.up
	}
	// What is not set here is set by those who use it, or cleared by pop.
	fr.up, fr.n, fr.index, fr.done, fr.open = m.top, n, 0, false, int32(len(m.again.open))
	m.top = fr
	return fr
}

func (m *machine) pop() {
	fr := m.top
	m.block(fr, false)
	m.top = fr.up
	fr.up, fr.pass, fr.err = m.spare, nil, nil
	m.spare = fr
}

// block says whether a frame has more to run even if what is inside it ends incomplete.
func (m *machine) block(fr *frame, blocks bool) {
	if fr.blocks == blocks {
		return
	}
	fr.blocks = blocks
	if blocks {
		m.blocking++
	} else {
		m.blocking--
	}
}

func (m *machine) leaveSeq(fr *frame, f *fault.Fault) *node {
	if f != nil || !m.complete {
		if len(m.again.open) > 0 {
			m.lookAhead(fr)
		}
		m.pop()
		return nil
	}
	if len(m.again.open) > 0 {
		m.again.passed(fr)
	}
	fr.index++
	sub := fr.n.kids[fr.index]
	if fr.index == len(fr.n.kids)-1 {
		m.pop() // nothing is left to do after the last part
	}
	return sub
}

func (m *machine) enterPar(n *node) (*node, *fault.Fault) {
	fr := m.push(n)
	m.parted = true
	if err := m.trace.ParStart(&fr.par); err != nil {
		return nil, m.traceFault(n, err)
	}
	m.block(fr, true)
	m.again.enterBeside(fr)
	return m.branch(n, 0), nil
}

// branch begins a branch of a par. A next alone is not progress: the par of
// the last element of a fold is judged by its other branch.
func (m *machine) branch(n *node, i int) *node {
	m.complete = n.kids[i].op != opNext
	return n.kids[i]
}

func (m *machine) leavePar(fr *frame, f *fault.Fault) (*node, *fault.Fault) {
	if f != nil {
		m.complete, m.stuck = false, true
	}
	if fr.index == 0 {
		m.trace.ParLeftEnd(&fr.par)
		fr.index, fr.err, fr.done = 1, f, m.complete
		m.block(fr, fr.done)
		m.again.nextBeside(fr)
		return m.branch(fr.n, 1), nil
	}
	m.again.leaveBeside(fr)
	if m.resumed {
		m.ended = append(m.ended, fr.par.Open())
	}
	m.trace.ParRightEnd(&fr.par)
	m.complete = m.complete || fr.done
	if f != nil && fr.err == nil || f == nil {
		f = nil
		m.lastError.locked = false
	}
	m.pop()
	return nil, f
}

func (m *machine) leaveXor(fr *frame, f *fault.Fault) (*node, *fault.Fault) {
	if fr.index == 0 {
		if f == nil {
			if !m.complete && len(m.again.open) > 0 {
				m.lookAhead(fr)
			}
			m.pop()
			return nil, nil
		}
		m.complete = true
		m.lastError.locked = false
		m.anyError.cause, m.anyError.locked = f, false
		fr.index = 1
		return fr.n.kids[1], nil
	}
	if !m.anyError.locked {
		m.anyError = errorSlot{}
	}
	if f == nil {
		m.anyError.locked = false
	}
	m.pop()
	return nil, f
}

func (m *machine) enterMatch(n *node) (*node, *fault.Fault) {
	a, f := m.operandValue(&n.operands[0])
	var b value.Value
	if f == nil {
		b, f = m.operandValue(&n.operands[1])
	}
	if f != nil {
		return nil, m.wait(n, f)
	}
	if len(a.Text()) == len(b.Text()) { // others differ at once
		_ = m.count.Work(len(a.Text()) / meter.Byte)
	}
	equal := value.Equal(a, b)
	switch {
	case n.op == opMatch && !equal:
		return nil, m.failed(n, fault.NoMatch)
	case n.op == opMismatch && equal:
		return nil, m.failed(n, fault.NoMismatch)
	}
	return n.kids[0], nil
}

// wait ends an instruction that misses a value; other errors it passes on.
func (m *machine) wait(n *node, f *fault.Fault) *fault.Fault {
	if !f.Waits {
		return m.failed(n, f)
	}
	m.complete = false
	m.waits = append(m.waits, wait{n: n, variable: f.Variable})
	m.stuckAt(n)
	return nil
}

// mostUp bounds how far a never looks for the fold whose values it waits for.
const mostUp = 16

// never waits for what nobody brings; as the last instruction of a fold over a stream, for more values.
func (m *machine) never(n *node) {
	m.complete, m.stuck = false, true
	w := wait{n: n}
	fr := m.top
	for up := 0; fr != nil && fr.pass == nil && up < mostUp; up++ { // every never looks
		fr = fr.up
	}
	if fr != nil && fr.pass != nil && fr.pass.stream != nil {
		w.variable = fr.pass.n.from.Name
	}
	m.waits = append(m.waits, w)
}

func (m *machine) openNew(n *node) {
	switch n.out.Kind {
	case air.Scalar:
		m.scalars.open(&m.scopes, n.out.slot)
	case air.CanonStream:
		m.canons.open(&m.scopes, n.out.slot)
	case air.CanonMap:
		m.maps.open(&m.scopes, n.out.slot)
	default:
		m.streams.open(n)
	}
}

// leaveNew closes the scope, also after an error, which wins over one of closing.
func (m *machine) leaveNew(fr *frame, f *fault.Fault) *fault.Fault {
	n := fr.n
	ok, bad := true, (*fault.Fault)(nil)
	switch n.out.Kind {
	case air.Scalar:
		ok = m.scalars.close(&m.scopes, n.out.slot)
	case air.CanonStream:
		ok = m.canons.close(&m.scopes, n.out.slot)
	case air.CanonMap:
		ok = m.maps.close(&m.scopes, n.out.slot)
	default:
		bad = m.streams.close(n).number(m.trace.Result)
	}
	if !ok {
		bad = fault.NewScope.New(n.out.Name, m.scopes.depth)
	}
	m.pop()
	if f == nil {
		f = bad
	}
	return f
}

// traceFault is an error of merging at an instruction.
func (m *machine) traceFault(n *node, err error) *fault.Fault {
	return fault.Trace.New(air.Text(n.ins), err)
}

// begin prepares a run of a script over the known trace and one that arrived. It takes results over,
// and the memory of spare and own.
func (m *machine) begin(p *program, known []trace.Entry, arrived data.States,
	results map[uint32]CallResult, spare []trace.Entry, own []data.CID) {
	m.close(known)
	m.p = p
	m.top, m.complete, m.steps = nil, true, 0
	m.charged.states, m.charged.frames, m.charged.bytes = 0, m.frames, 0
	m.start.grown, m.start.known, m.made, m.streamed = int(m.count.Grown()), m.store.size(), 0, 0
	m.blocking, m.changes, m.unsteady, m.suspended = 0, 0, false, nil
	m.parted, m.stuck, m.handedOn = false, false, false
	m.resumed, m.ended = false, m.ended[:0]
	clear(m.touched)
	m.touched = m.touched[:0]
	m.scopes.reset()
	m.scalars.reset(len(m.p.scalars))
	m.canons.reset(len(m.p.canons))
	m.maps.reset(len(m.p.maps))
	m.streams.reset(len(m.p.streams))
	m.folds = slices.Grow(m.folds[:0], len(m.p.scalars))[:len(m.p.scalars)]
	clear(m.folds)
	m.lastError, m.anyError = errorSlot{}, errorSlot{}
	m.results = results
	m.resetRequests()
	m.clearAnswers()
	m.own, m.waits = own[:0], m.waits[:0]

	m.arrived = arrived.Len() > 0
	m.trace.Reset(known, arrived, spare)
}

// numberStreams gives the values of all streams their final generations.
func (m *machine) numberStreams(result []trace.Entry) (bad *fault.Fault) {
	for _, list := range m.streams {
		for _, s := range list {
			if f := s.number(result); f != nil {
				bad = f
			}
		}
	}
	return bad
}
