package machine

import (
	"fmt"
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

// invocation is a call with its operands resolved.
type invocation struct {
	n       *program.Node
	triplet value.Tetraplet
	args    []*content.Item
	missing bool // an argument has no value yet
	before  bool // machine.complete when the call was met
}

func (m *Machine) call(n *program.Node) *fault.Fault {
	c := invocation{n: n, before: m.complete}
	if n.Fixed == nil {
		if f := m.triplet(n, &c.triplet); f != nil {
			return m.waitFor(n, f)
		}
	}
	if f := m.canOutput(&n.Out); f != nil {
		return f
	}
	if !n.Plain {
		if f := m.arguments(&c); f != nil {
			return f.At(&c.triplet)
		}
	}
	e, from, err := m.trace.MeetCall()
	if err != nil {
		return m.traceFault(n, err)
	}
	if n.Fixed != nil && !isResultOf(e, n) {
		if c.triplet = *n.Fixed; n.AtInit {
			c.triplet.PeerPK = m.particle.InitPeerID
		}
	}
	if e == nil {
		return m.request(&c, nil)
	}
	switch e.Kind {
	case data.CallFailed:
		return m.metFailure(&c, e)
	case data.CallRequestSent:
		return m.metRequest(&c, e, from)
	}
	return m.metResult(&c, e, from)
}

// isResultOf reports whether a state was found to be the result of a fixed call before. It needs no
// further check then.
func isResultOf(e *trace.Entry, n *program.Node) bool {
	if e == nil {
		return false
	}
	res, ok := e.Known.(*content.Result)
	return ok && res.Of == n
}

// waitFor is wait for leaves, whose caller notes errors.
func (m *Machine) waitFor(n *program.Node, f *fault.Fault) *fault.Fault {
	if !f.Waits {
		return f
	}
	return m.wait(n, f)
}

func (m *Machine) triplet(n *program.Node, t *value.Tetraplet) (f *fault.Fault) {
	if t.PeerPK, f = m.text(&n.Operands[program.CallPeer]); f != nil {
		return f
	}
	if t.ServiceID, f = m.text(&n.Operands[program.CallService]); f != nil {
		return f
	}
	t.FunctionName, f = m.text(&n.Operands[program.CallFunction])
	return f
}

// canOutput refuses outputs that would shadow something.
func (m *Machine) canOutput(out *program.Target) *fault.Fault {
	if out.Var == nil || out.Kind != air.Scalar {
		return nil
	}
	if m.folds[out.Slot] != nil {
		return fault.IteratorShadow.New(out.Name)
	}
	return m.canSet(m.scalars.CanSet(&m.scopes, out.Slot), out)
}

func (m *Machine) canSet(settable bool, out *program.Target) *fault.Fault {
	if settable {
		return nil
	}
	return fault.Shadow.New(out.Name)
}

func (m *Machine) arguments(c *invocation) *fault.Fault {
	if c.n.Args() == 0 {
		return nil
	}
	_ = m.count.Work(c.n.Args())
	c.args = m.argsBuffer(c.n.Args())
	for i := range c.args {
		it, f := m.resolve(&c.n.Operands[program.FirstArg+i])
		switch {
		case f == nil:
			if _, f = it.Value(m.count); f != nil {
				return f
			}
			c.args[i] = it
		case f.Waits:
			c.missing = true // errors of the arguments after it do not matter yet
			m.waits = append(m.waits, wait{n: c.n, variable: f.Variable})
			return nil
		default:
			return f
		}
	}
	return nil
}

// argsBuffer is memory for the arguments of one call, used again for the next.
func (m *Machine) argsBuffer(n int) []*content.Item {
	m.args = slices.Grow(m.args[:0], n)[:n]
	clear(m.args)
	return m.args
}

// plainArguments are resolved when they are wanted, which for a call that others make is never.
func (m *Machine) plainArguments(c *invocation) {
	if c.n.Plain && c.args == nil {
		_ = m.arguments(c)
	}
}

// Bytes of what a run asks for.
const (
	sizeOfRequest  = int(unsafe.Sizeof(data.CallRequest{})) + 100
	sizeOfArgument = int(unsafe.Sizeof(value.Value{})) + int(unsafe.Sizeof([]value.Tetraplet{})) +
		int(unsafe.Sizeof(value.Tetraplet{}))
	// in a list and a map
	sizeOfNext = 80
	// with its entries in stores
	sizeOfResult = int(unsafe.Sizeof(content.Result{})) + int(unsafe.Sizeof(content.Answer{})) + 600
)

// request handles a call that was not executed yet. old is its state so far, if it has one.
func (m *Machine) request(c *invocation, old *trace.Entry) *fault.Fault {
	m.complete = false
	m.changes++
	self := m.particle.CurrentPeerID
	if c.triplet.PeerPK != self {
		m.send(c.triplet.PeerPK)
		m.waitForPeer(c.n, c.triplet.PeerPK)
		m.trace.Append(trace.Entry{State: data.CallSent(self)})
		return nil
	}
	if c.missing {
		if old != nil {
			m.trace.Append(*old)
		}
		return nil
	}
	m.plainArguments(c)
	size := sizeOfRequest + len(c.args)*sizeOfArgument
	if f := fault.Charge(m.count, len(c.args), size); f != nil {
		return f
	}
	m.requested += size
	id := m.store.NextCallID()
	r := data.CallRequest{ID: id, ServiceID: c.triplet.ServiceID,
		FunctionName: c.triplet.FunctionName}
	r.Arguments = make([]value.Value, len(c.args))
	r.Tetraplets = make([][]value.Tetraplet, len(c.args))
	for i, it := range c.args {
		r.Arguments[i] = it.Val
		r.Tetraplets[i] = m.tetraplets(&c.n.Operands[program.FirstArg+i], it)
	}
	m.Requests = append(m.Requests, r)
	m.addPending(c, trace.Entry{State: data.CallPending(self, id)})
	return nil
}

// send names a peer that must go on.
func (m *Machine) send(peer string) {
	if !m.named[peer] {
		if m.named == nil {
			m.named = map[string]bool{}
		}
		_ = m.count.Grow(sizeOfNext)
		m.named[peer] = true
		m.NextPeers = append(m.NextPeers, peer)
	}
}

// metRequest handles a call that was requested before.
func (m *Machine) metRequest(c *invocation, e *trace.Entry, from trace.Source) *fault.Fault {
	self := m.particle.CurrentPeerID
	if e.HasCallID && e.Peer == self {
		if r, ok := m.Results[e.CallID]; ok {
			delete(m.Results, e.CallID)
			return m.answered(c, r)
		}
		m.complete = false
		m.addPending(c, *e)
		return nil
	} else if c.triplet.PeerPK == self {
		return m.request(c, e)
	}
	m.checkRequest(c.n, c.triplet.PeerPK, e, from)
	m.complete = false
	m.waitForPeer(c.n, c.triplet.PeerPK)
	m.trace.Append(*e)
	return nil
}

// answered takes the answer of a local service.
func (m *Machine) answered(c *invocation, r data.CallResult) *fault.Fault {
	if c.missing { // the state was another call's; the reference crashes
		return fault.StrayResult.New()
	}
	if c.triplet.PeerPK != m.particle.CurrentPeerID {
		m.particle.Unsure = true // likewise; that peer may have no key here
	}
	m.plainArguments(c)
	m.changes++
	if r.RetCode != 0 {
		return m.answeredError(c, r.RetCode, r.Result)
	}
	if f := fault.Charge(m.count, len(r.Result)/meter.JSON,
		len(r.Result)+sizeOfResult+len(c.args)*int(unsafe.Sizeof(""))); f != nil {
		return f
	}
	m.charged.bytes += sizeOfResult // it is in a slab, and in stores
	v, err := value.Parse(r.Result)
	if err != nil {
		text := "call_service result 'ret_code: 0, result: '" + r.Result +
			"'' can't be serialized or deserialized with an error: " + err.Error()
		return m.answeredError(c, 1<<31-1, text)
	}
	m.again.addResult(trace.FromNone)
	if c.n.Out.Var == nil {
		m.answers = append(m.answers, content.Answer{At: m.trace.Pos(), Val: v})
		m.trace.Append(trace.Entry{State: data.CallDone(data.Unused, "", 0)})
		return nil
	}
	res := m.addAnswer(c, v)
	if c.n.Out.Kind == air.Scalar {
		m.scalars.Set(&m.scopes, c.n.Out.Slot, &res.Item, trace.FromNone.Set())
		m.trace.Append(trace.Entry{State: data.CallDone(data.Scalar, "", 0), Known: res})
		return nil
	}
	f := m.addResult(c, res, trace.FromNone, 0)
	m.trace.Append(trace.Entry{State: data.CallDone(data.Stream, "", unnumbered), Known: res})
	return f
}

// addResult adds the result of a call to its output stream.
func (m *Machine) addResult(c *invocation, res *content.Result, from trace.Source, generation uint32) *fault.Fault {
	v := scope.StreamValue{Item: &res.Item, Pos: m.trace.Pos()}
	return m.markChanged(m.streams.AtOrNew(&c.n.Out)).Add(v, from, generation)
}

// unnumbered stands for a generation until the end of the run.
const unnumbered = 0xCAFEBABE

func (m *Machine) answeredError(c *invocation, code int32, text string) *fault.Fault {
	v := value.Object([]value.Field{{Key: "message", Value: value.String(text)},
		{Key: "ret_code", Value: value.Int(int64(code))}})
	res := m.addAnswer(c, v)
	m.trace.Append(trace.Entry{State: data.CallFailure(""), Known: res})
	return callFailed(code, text, &res.Tet)
}

// addAnswer makes the result of an answer. Its state has to follow.
func (m *Machine) addAnswer(c *invocation, v value.Value) *content.Result {
	res := m.store.NewResult(v, &c.triplet)
	res.Args, res.Compared = m.store.ArgTexts(c.args), true
	m.answers = append(m.answers, content.Answer{At: m.trace.Pos(), Val: v, Result: res})
	return res
}

// flushAnswers puts the answers so far into the store, and their content ids into the trace.
func (m *Machine) flushAnswers() {
	if len(m.answers) == 0 {
		return
	}
	m.store.AddAnswers(m.answers, func(a *content.Answer, cid data.CID) {
		m.trace.Result[a.At].CID = cid
		if a.Result != nil && a.Result.Tet.PeerPK == m.particle.CurrentPeerID {
			m.own = append(m.own, cid)
		}
	})
	m.clearAnswers()
}

func (m *Machine) clearAnswers() {
	clear(m.answers)
	m.answers = m.answers[:0]
}

// check compares an executed or failed state with what this peer resolves
// itself. Comparing the argument texts with those seen before is cheaper than hashing them: mostly
// they are the same memory.
func (m *Machine) check(c *invocation, e *trace.Entry) (*content.Result, *fault.Fault) {
	res, f := m.resultOf(e)
	if f != nil {
		return nil, f
	}
	if res.Of == c.n {
		m.addOwn(res)
		return res, nil
	}
	m.plainArguments(c)
	if c.missing {
		return nil, fault.NoArguments.New(res.ArgHash)
	}
	if !res.Compared || !sameArgs(res.Args, c.args) {
		args := m.store.ArgTexts(c.args)
		for _, a := range args {
			_ = m.count.Work(len(a) / meter.Byte)
		}
		if !data.IsArgumentsCID(args, res.ArgHash) {
			got := data.ArgumentsCID(args)
			return nil, fault.OtherArguments.New(got, res.ArgHash)
		}
		res.Args, res.Compared = args, true
	}
	if res.Tet != c.triplet {
		return nil, fault.OtherCall.New(debugTetraplet(&c.triplet), debugTetraplet(&res.Tet))
	}
	res.Own = c.triplet.PeerPK == m.particle.CurrentPeerID
	if c.n.Fixed != nil {
		res.Of = c.n
	}
	m.addOwn(res)
	return res, nil
}

// addOwn counts a result that was met among those that this peer signs, if it is its own.
func (m *Machine) addOwn(res *content.Result) {
	if res.Own {
		m.own = append(m.own, res.Prov.CID)
	}
}

func sameArgs(texts []string, args []*content.Item) bool {
	if len(texts) != len(args) {
		return false
	}
	for i, it := range args {
		if texts[i] != it.Val.Text() {
			return false
		}
	}
	return true
}

func debugTetraplet(t *value.Tetraplet) string {
	return fmt.Sprintf("SecurityTetraplet { peer_pk: %q, service_id: %q, function_name: %q, lens: %q }",
		t.PeerPK, t.ServiceID, t.FunctionName, t.Lens)
}

// resultOf is the stored result behind a state.
func (m *Machine) resultOf(e *trace.Entry) (*content.Result, *fault.Fault) {
	if res, ok := e.Known.(*content.Result); ok {
		return res, nil
	}
	res, f := m.store.Result(e.CID)
	if f == nil {
		e.Known, e.CID = res, res.Prov.CID
	}
	return res, f
}

func (m *Machine) metFailure(c *invocation, e *trace.Entry) *fault.Fault {
	res, f := m.check(c, e)
	if f != nil {
		return f
	}
	code, text, f := m.failedValue(&res.Item)
	if f != nil {
		return f
	}
	m.complete = false
	m.trace.Append(*e)
	return callFailed(code, text, &res.Tet)
}

// failedValue reads {"message", "ret_code"}, or [ret_code, message].
func (m *Machine) failedValue(it *content.Item) (int32, string, *fault.Fault) {
	v, f := it.Value(m.count)
	if f != nil {
		return 0, "", f
	}
	var code, text value.Value
	switch v.Kind() {
	case value.KindObject:
		code, _ = v.Field("ret_code")
		text, _ = v.Field("message")
	case value.KindArray:
		code, _ = v.Index(0)
		text, _ = v.Index(1)
	}
	n, isInt := code.AsInt64()
	s, isText := text.AsString()
	if !isInt || !isText || n != int64(int32(n)) {
		return 0, "", fault.FailedValue.New(v.Kind(), v)
	}
	return int32(n), s, nil
}

func (m *Machine) metResult(c *invocation, e *trace.Entry, from trace.Source) *fault.Fault {
	m.again.addResult(from)
	if c.n.Out.Var == nil && e.Output == data.Unused {
		if c.missing { // the reference crashes here, too
			return fault.ExecutedTooEarly.New()
		}
		m.trace.Append(*e)
		return nil
	}
	scalar := c.n.Out.Is(air.Scalar) && e.Output == data.Scalar
	if !scalar && !(c.n.Out.Is(air.Stream) && e.Output == data.Stream) {
		return resultKindFault(e)
	}
	res, f := m.check(c, e)
	if f != nil {
		return f
	}
	if scalar {
		m.scalars.Set(&m.scopes, c.n.Out.Slot, &res.Item, from.Set())
	} else {
		f = m.addResult(c, res, from, e.Generation)
	}
	m.trace.Append(*e)
	return f
}

func resultKindFault(e *trace.Entry) *fault.Fault {
	return fault.ResultKind.New(trace.DebugValueRef(&e.State))
}
