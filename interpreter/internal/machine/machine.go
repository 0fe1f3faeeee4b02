// Package machine executes scripts: it merges what a peer knows with what arrived, instruction by
// instruction, and says what the script asks for.
//
// A [Machine] makes the runs of one particle at one peer, one after the other, over a [Particle]
// and the content in a store. Machine.Run makes a run that Commit makes known. A run that comes to
// a call of this peer with nothing else to do is suspended there, and Resume continues it
// (suspend.go).
package machine

import (
	"errors"
	"slices"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/internal/scope"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Machine makes the runs of one particle at one peer. A run merges the known trace with one that
// arrived, and executes the script as far as this peer can.
//
// It is a loop over frames instead of a recursion, because scripts nest deep: a fold nests once for
// every element.
type Machine struct {
	particle *Particle
	store    *content.Store
	p        *program.Program
	count    *meter.Counter

	top      *frame
	spare    *frame // frames to use again
	frames   int    // made so far
	complete bool   // whether the part of the script that just ran is complete

	scopes  scope.Scopes
	scalars scope.Table[*content.Item]
	canons  scope.Table[*content.Canon]
	maps    scope.Table[*content.Canon]
	folds   []*pass // by scalar slot of the iterator: the pass of the fold that runs
	streams scope.Streams
	trace   trace.Handler

	// The trace after the runs so far, with what is remembered about each state, and the content
	// ids of this peer's results in it, which it signs. The next run writes over the spare ones.
	Known, spareKnown  []trace.Entry
	KnownOwn, spareOwn []data.CID
	bare               []data.State // see States

	lastError, anyError errorSlot // %last_error% and :error:

	Results   map[uint32]data.CallResult // not used yet
	Requests  []data.CallRequest
	NextPeers []string // peers, without duplicates
	named     map[string]bool
	again     again            // see Outcome.Again
	own       []data.CID       // those of this peer's results met in this run
	answers   []content.Answer // new results without content ids yet, see flushAnswers
	waits     []wait
	steps     int
	charged   struct{ states, frames, bytes int } // see countGrowth
	start     struct{ grown, known int }          // when the run began
	made      int                                 // bytes of items and the like, see countMade
	streamed  int                                 // bytes of streams
	requested int                                 // bytes of requests
	args      []*content.Item                     // see argsBuffer

	// Whether the run may stop at a local call as it stands, see suspend.go.
	arrived        bool // there is a current trace
	blocking       int  // frames that continue after an incomplete part
	changes        int  // states written that were not in the previous trace
	unsteady       bool // running again over the result might not take the same way
	suspended      *invocation
	resumed        bool            // the run continues a suspended one
	endedPars      []trace.OpenPar // that ended since, as they were
	changedStreams []*scope.Stream // changed since

	// Whether something can follow, see settled.go.
	sawPar   bool      // a par was met
	stuck    bool      // something ended incomplete without a wait that says why
	varSlots []varSlot // memory of onlyOthersFollow
	handedOn bool      // the first wait is for another peer, and nothing after it is for this one
}

// frame is an instruction that waits for a part of it to end.
type frame struct {
	up    *frame
	n     *program.Node
	index int          // seq: the part that runs; par, xor, next: the phase
	par   trace.Par    // of a par
	pass  *pass        // of a fold or next
	err   *fault.Fault // par: how the left branch ended; xor: nothing
	done  bool         // par: whether the left branch was complete

	blocks bool // counted in machine.blocking

	// See again.go.
	open                          int32 // open requests when it began
	before, must, beside, learned trace.Sources
}

// wait is an instruction that could not go on: for want of a value, or of what a peer has to do.
type wait struct {
	n        *program.Node
	variable string
	peer     string
}

// stepsPerCheck is how many instructions run between two looks at the limit of steps.
const stepsPerCheck = 1024

// Run executes a script over the known trace and one that arrived. It takes ownership of results.
// It returns the error that no xor caught, or one that ended the run. Without the latter the run
// has to be committed.
func (m *Machine) Run(p *program.Program, arrived data.States,
	results map[uint32]data.CallResult) *fault.Fault {
	m.begin(p, arrived, results)
	f := m.end(m.execute(p.Root))
	if f != nil && !f.Catchable() {
		m.suspended, m.spareOwn = nil, m.own
	}
	return f
}

// Commit makes the outcome of a run known.
func (m *Machine) Commit() {
	m.Known, m.spareKnown = m.trace.Result, m.Known
	m.KnownOwn, m.spareOwn = m.own, m.KnownOwn
	for _, i := range m.trace.Foreign {
		if int(i) == len(m.Known) { // it was not written, nor anything else since
			continue
		}
		if _, foreign := m.Known[i].Known.(trace.Foreign); foreign {
			m.Known[i] = trace.Entry{State: m.Known[i].State.Clone()}
		}
	}
}

// end is the end of every run. f is how the script ended, the result is how the run does.
func (m *Machine) end(f *fault.Fault) *fault.Fault {
	if f != nil && !f.Catchable() {
		return f
	}
	m.countGrowth()
	m.flushAnswers()
	m.countMade()
	if m.suspended == nil {
		if bad := m.numberStreams(m.trace.Result); bad != nil {
			f = bad
		}
	}
	if most := m.particle.MaxData; m.store.Encoded()+stateSize*len(m.trace.Result) > most {
		f = fault.DataSize.New(most)
	}
	if m.count.Err() != nil {
		return fault.Stop(m.count.Err())
	}
	return f
}

const stateSize = 24 // bytes in the archive

// execute runs the script from n on.
func (m *Machine) execute(n *program.Node) *fault.Fault {
	for {
		if m.count.Work(1) != nil {
			return fault.Stop(m.count.Err())
		}
		if m.steps++; m.steps%stepsPerCheck == 0 {
			if f := m.checkLimits(); f != nil {
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

// countGrowth counts the states and frames that were made since it was called last.
func (m *Machine) countGrowth() {
	states := max(0, len(m.trace.Result)-m.charged.states)
	frames := max(0, m.frames-m.charged.frames)
	m.charged.states, m.charged.frames = len(m.trace.Result), m.frames
	size := states*sizeOfState + frames*int(unsafe.Sizeof(frame{}))
	m.charged.bytes += size
	_ = m.count.Grow(size)
}

// countMade adds to made what the run took besides states, frames, and what is in stores.
func (m *Machine) countMade() {
	grown, known := int(m.count.Grown()), m.store.Size()
	m.made += max(0, grown-m.start.grown-m.charged.bytes-max(0, known-m.start.known))
	m.start.grown, m.start.known, m.charged.bytes = grown, known, 0
}

// checkLimits looks whether the run may go on.
func (m *Machine) checkLimits() *fault.Fault {
	if m.countGrowth(); m.count.Err() != nil {
		return fault.Stop(m.count.Err())
	}
	if most := m.particle.MaxSteps; most > 0 && m.steps >= most {
		return fault.TooManySteps(m.steps, most, ErrSteps)
	}
	return nil
}

// enter begins an instruction. It returns the part to run first, or nil when the
// instruction has ended.
func (m *Machine) enter(n *program.Node) (*program.Node, *fault.Fault) {
	if !n.IsReady() {
		m.p.Resolve(n)
	}
	switch n.Op {
	case program.OpNull:
		return nil, nil
	case program.OpNever:
		m.never(n)
		return nil, nil
	case program.OpSeq:
		m.complete = true
		m.push(n)
		return n.Kids[0], nil
	case program.OpPar:
		return m.enterPar(n)
	case program.OpXor:
		m.complete = true
		m.push(n)
		return n.Kids[0], nil
	case program.OpMatch, program.OpMismatch:
		return m.enterMatch(n)
	case program.OpNew:
		m.openNew(n)
		m.push(n)
		return n.Kids[0], nil
	case program.OpFold:
		return m.enterFold(n)
	case program.OpFoldStream:
		return m.enterFoldStream(n)
	case program.OpNext:
		return m.enterNext(n)
	}
	return nil, m.leaf(n)
}

func (m *Machine) leaf(n *program.Node) *fault.Fault {
	var f *fault.Fault
	switch n.Op {
	case program.OpCall:
		f = m.call(n)
	case program.OpCanon:
		f = m.canon(n)
	case program.OpAp:
		f = m.ap(n)
	case program.OpApMap:
		f = m.apMap(n)
	case program.OpFail:
		f = m.fail(n)
	}
	return m.recordError(n, f)
}

// leave ends instructions from the inside out until one has a further part to
// run. It returns nil when the script has ended.
func (m *Machine) leave(f *fault.Fault) (*program.Node, *fault.Fault) {
	for m.top != nil {
		if f != nil && !f.Catchable() {
			return nil, f
		}
		fr := m.top
		var sub *program.Node
		switch fr.n.Op {
		case program.OpSeq:
			sub = m.leaveSeq(fr, f)
		case program.OpPar:
			sub, f = m.leavePar(fr, f)
		case program.OpXor:
			sub, f = m.leaveXor(fr, f)
		case program.OpNew:
			f = m.leaveNew(fr, f)
		case program.OpFold:
			m.endPass(fr.pass)
			m.pop()
		case program.OpFoldStream:
			sub, f = m.leaveFoldStream(fr, f)
		case program.OpNext:
			f = m.leaveNext(fr, f)
		}
		if sub != nil {
			return sub, nil
		}
	}
	return nil, f
}

func (m *Machine) push(n *program.Node) *frame {
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

func (m *Machine) pop() {
	fr := m.top
	m.block(fr, false)
	m.top = fr.up
	fr.up, fr.pass, fr.err = m.spare, nil, nil
	m.spare = fr
}

// block notes whether a frame continues after an incomplete part.
func (m *Machine) block(fr *frame, blocks bool) {
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

func (m *Machine) leaveSeq(fr *frame, f *fault.Fault) *program.Node {
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
	sub := fr.n.Kids[fr.index]
	if fr.index == len(fr.n.Kids)-1 {
		m.pop() // nothing is left to do after the last part
	}
	return sub
}

func (m *Machine) enterPar(n *program.Node) (*program.Node, *fault.Fault) {
	fr := m.push(n)
	m.sawPar = true
	if err := m.trace.ParStart(&fr.par); err != nil {
		return nil, m.traceFault(n, err)
	}
	m.block(fr, true)
	m.again.enterBeside(fr)
	return m.branch(n, 0), nil
}

// branch begins a branch of a par. A next alone is not progress: the par of
// the last element of a fold is judged by its other branch.
func (m *Machine) branch(n *program.Node, i int) *program.Node {
	m.complete = n.Kids[i].Op != program.OpNext
	return n.Kids[i]
}

func (m *Machine) leavePar(fr *frame, f *fault.Fault) (*program.Node, *fault.Fault) {
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
		m.endedPars = append(m.endedPars, fr.par.Open())
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

func (m *Machine) leaveXor(fr *frame, f *fault.Fault) (*program.Node, *fault.Fault) {
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
		return fr.n.Kids[1], nil
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

func (m *Machine) enterMatch(n *program.Node) (*program.Node, *fault.Fault) {
	a, f := m.operandValue(&n.Operands[0])
	var b value.Value
	if f == nil {
		b, f = m.operandValue(&n.Operands[1])
	}
	if f != nil {
		return nil, m.wait(n, f)
	}
	if len(a.Text()) == len(b.Text()) { // others differ at once
		_ = m.count.Work(len(a.Text()) / meter.Byte)
	}
	equal := value.Equal(a, b)
	switch {
	case n.Op == program.OpMatch && !equal:
		return nil, m.recordError(n, fault.NoMatch)
	case n.Op == program.OpMismatch && equal:
		return nil, m.recordError(n, fault.NoMismatch)
	}
	return n.Kids[0], nil
}

// wait ends an instruction that misses a value; other errors it passes on.
func (m *Machine) wait(n *program.Node, f *fault.Fault) *fault.Fault {
	if !f.Waits {
		return m.recordError(n, f)
	}
	m.complete = false
	m.waits = append(m.waits, wait{n: n, variable: f.Variable})
	m.stuckAt(n)
	return nil
}

// mostUp bounds how far a never looks for the fold whose values it waits for.
const mostUp = 16

// never waits for what nobody brings; as the last instruction of a fold over a stream, for more
// values.
func (m *Machine) never(n *program.Node) {
	m.complete, m.stuck = false, true
	w := wait{n: n}
	fr := m.top
	for up := 0; fr != nil && fr.pass == nil && up < mostUp; up++ { // every never looks
		fr = fr.up
	}
	if fr != nil && fr.pass != nil && fr.pass.stream != nil {
		w.variable = fr.pass.n.From.Name
	}
	m.waits = append(m.waits, w)
}

func (m *Machine) openNew(n *program.Node) {
	switch n.Out.Kind {
	case air.Scalar:
		m.scalars.Open(&m.scopes, n.Out.Slot)
	case air.CanonStream:
		m.canons.Open(&m.scopes, n.Out.Slot)
	case air.CanonMap:
		m.maps.Open(&m.scopes, n.Out.Slot)
	default:
		m.streams.Open(n)
	}
}

// leaveNew closes the scope, also after an error, which wins over one of closing.
func (m *Machine) leaveNew(fr *frame, f *fault.Fault) *fault.Fault {
	n := fr.n
	ok, bad := true, (*fault.Fault)(nil)
	switch n.Out.Kind {
	case air.Scalar:
		ok = m.scalars.Close(&m.scopes, n.Out.Slot)
	case air.CanonStream:
		ok = m.canons.Close(&m.scopes, n.Out.Slot)
	case air.CanonMap:
		ok = m.maps.Close(&m.scopes, n.Out.Slot)
	default:
		bad = m.streams.Close(n).Number(m.trace.Result)
	}
	if !ok {
		bad = fault.NewScope.New(n.Out.Name, m.scopes.Depth)
	}
	m.pop()
	if f == nil {
		f = bad
	}
	return f
}

// traceFault is an error of merging at an instruction.
func (m *Machine) traceFault(n *program.Node, err error) *fault.Fault {
	return fault.Trace.New(air.Text(n.Instr), err)
}

// begin prepares a run.
func (m *Machine) begin(p *program.Program, arrived data.States,
	results map[uint32]data.CallResult) {
	m.CloseOpen()
	m.p = p
	m.top, m.complete, m.steps = nil, true, 0
	m.charged.states, m.charged.frames, m.charged.bytes = 0, m.frames, 0
	m.start.grown, m.start.known, m.made, m.streamed = int(m.count.Grown()), m.store.Size(), 0, 0
	m.blocking, m.changes, m.unsteady, m.suspended = 0, 0, false, nil
	m.sawPar, m.stuck, m.handedOn = false, false, false
	m.resumed, m.endedPars = false, m.endedPars[:0]
	clear(m.changedStreams)
	m.changedStreams = m.changedStreams[:0]
	m.scopes.Reset()
	m.scalars.Reset(len(m.p.Scalars))
	m.canons.Reset(len(m.p.Canons))
	m.maps.Reset(len(m.p.Maps))
	m.streams.Reset(len(m.p.Streams))
	m.folds = slices.Grow(m.folds[:0], len(m.p.Scalars))[:len(m.p.Scalars)]
	clear(m.folds)
	m.lastError, m.anyError = errorSlot{}, errorSlot{}
	m.Results = results
	m.resetRequests()
	m.clearAnswers()
	m.own, m.waits = m.spareOwn[:0], m.waits[:0]

	m.arrived = arrived.Len() > 0
	m.trace.Reset(m.Known, arrived, m.spareKnown)
}

// numberStreams sets the final generations of the values of all streams.
func (m *Machine) numberStreams(result []trace.Entry) (bad *fault.Fault) {
	for _, list := range m.streams {
		for _, s := range list {
			if f := s.Number(result); f != nil {
				bad = f
			}
		}
	}
	return bad
}
