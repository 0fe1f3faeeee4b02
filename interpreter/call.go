package interpreter

import (
	"slices"
	"strconv"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/trace"
	"github.com/aquanode/aquanode/interpreter/value"
)

// result is an executed or failed call with its stored parts. It is made once
// and stays with the state from run to run.
type result struct {
	cid      data.CID
	item     *item
	argHash  data.CID
	verified []string // the arguments that argHash was computed from, once it was compared
}

// invocation is a call with its operands resolved.
type invocation struct {
	n       *node
	triplet value.Tetraplet
	args    []*item
	missing bool     // an argument has no value yet
	before  bool     // machine.complete when the call was met
	hash    data.CID // of the arguments, once wanted
}

func (m *machine) call(n *node) *fault {
	c := invocation{n: n, before: m.complete}
	if f := m.triplet(n, &c.triplet); f != nil {
		return m.waitFor(n, f)
	}
	if f := m.canOutput(&n.out); f != nil {
		return f
	}
	if !n.plain {
		if f := m.arguments(&c); f != nil {
			return f.at(&c.triplet)
		}
	}
	e, from, err := m.trace.MeetCall()
	if err != nil {
		return m.traceFault(n, err)
	}
	if e == nil {
		return m.request(&c, nil)
	}
	switch e.Kind {
	case data.CallFailed:
		return m.metFailure(&c, e)
	case data.CallRequestSent:
		return m.metRequest(&c, e)
	}
	return m.metResult(&c, e, from)
}

// waitFor is wait for leaves, whose caller notes errors.
func (m *machine) waitFor(n *node, f *fault) *fault {
	if !f.waits {
		return f
	}
	return m.wait(n, f)
}

// at attaches the call's triplet to an error.
func (f *fault) at(t *value.Tetraplet) *fault {
	c := *f
	copied := *t
	c.triplet = &copied
	return &c
}

func (m *machine) triplet(n *node, t *value.Tetraplet) (f *fault) {
	if t.PeerPK, f = m.text(&n.operands[callPeer]); f != nil {
		return f
	}
	if t.ServiceID, f = m.text(&n.operands[callService]); f != nil {
		return f
	}
	t.FunctionName, f = m.text(&n.operands[callFunction])
	return f
}

// canOutput refuses outputs that would shadow something.
func (m *machine) canOutput(out *target) *fault {
	if out.Var == nil || out.Kind != air.Scalar {
		return nil
	}
	if m.folds[out.slot] != nil {
		return faultf(CodeIteratorShadow, "variable with name '%s' can't be shadowed, shadowing isn't supported for iterables", out.Name)
	}
	return m.canSet(m.scalars.settable(&m.scopes, out.slot), out)
}

func (m *machine) canSet(settable bool, out *target) *fault {
	if settable {
		return nil
	}
	return faultf(CodeShadow, "trying to shadow variable '%s', but shadowing is allowed only inside fold blocks", out.Name)
}

func (m *machine) arguments(c *invocation) *fault {
	if c.n.args() == 0 {
		return nil
	}
	c.args = m.argSpace(c.n.args())
	for i := range c.args {
		it, f := m.resolve(&c.n.operands[callArgs+i])
		switch {
		case f == nil:
			if _, f = it.value(); f != nil {
				return f
			}
			c.args[i] = it
		case f.waits:
			c.missing = true // what is wrong with arguments behind it does not matter yet
			m.waits = append(m.waits, wait{n: c.n, variable: f.variable})
			return nil
		default:
			return f
		}
	}
	return nil
}

// argSpace is memory for the arguments of one call, used again for the next.
func (m *machine) argSpace(n int) []*item {
	m.args = slices.Grow(m.args[:0], n)[:n]
	clear(m.args)
	return m.args
}

// plainArguments are resolved when they are wanted, which for a call that others make is never.
func (m *machine) plainArguments(c *invocation) {
	if c.n.plain && c.args == nil {
		_ = m.arguments(c)
	}
}

func (c *invocation) argHash() data.CID {
	if c.hash == "" {
		vals := make([]value.Value, len(c.args))
		for i, it := range c.args {
			vals[i] = it.val
		}
		c.hash = data.ArgumentsCID(vals)
	}
	return c.hash
}

// request is a call that nobody executed yet. old is the state that stood for it.
func (m *machine) request(c *invocation, old *trace.Entry) *fault {
	m.complete = false
	m.changes++
	self := m.st.params.CurrentPeerID
	if c.triplet.PeerPK != self {
		m.send(c.triplet.PeerPK)
		m.waits = append(m.waits, wait{n: c.n, peer: c.triplet.PeerPK})
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
	m.st.lastCallID++
	id := m.st.lastCallID
	r := CallRequest{ID: id, ServiceID: c.triplet.ServiceID, FunctionName: c.triplet.FunctionName}
	r.Arguments = make([]value.Value, len(c.args))
	r.Tetraplets = make([][]value.Tetraplet, len(c.args))
	for i, it := range c.args {
		r.Arguments[i] = it.val
		r.Tetraplets[i] = m.tetraplets(&c.n.operands[callArgs+i], it)
	}
	m.requests = append(m.requests, r)
	m.pending(c, trace.Entry{State: data.CallPending(self, id)})
	return nil
}

// send names a peer that must go on.
func (m *machine) send(peer string) {
	if !m.named[peer] {
		if m.named == nil {
			m.named = map[string]bool{}
		}
		m.named[peer] = true
		m.next = append(m.next, peer)
	}
}

// metRequest is a call that somebody asked for.
func (m *machine) metRequest(c *invocation, e *trace.Entry) *fault {
	self := m.st.params.CurrentPeerID
	if e.HasCallID && e.Peer == self {
		if r, ok := m.results[e.CallID]; ok {
			delete(m.results, e.CallID)
			return m.answered(c, r)
		}
		m.complete = false
		m.pending(c, *e)
		return nil
	} else if c.triplet.PeerPK == self {
		return m.request(c, e)
	}
	if e.Peer == self && !c.missing && slices.ContainsFunc(c.args, m.fresh.made) {
		m.again = append(m.again, c.triplet.PeerPK)
	}
	m.complete = false
	m.waits = append(m.waits, wait{n: c.n, peer: c.triplet.PeerPK})
	m.trace.Append(*e)
	return nil
}

// fresh are the results that this peer learned of in the run. They are noted one by one and looked up rarely.
type fresh struct {
	list   []data.CID
	set    map[data.CID]bool
	sorted int // how many of the list are in the set
}

func (f *fresh) clear() { *f = fresh{list: f.list[:0]} }

func (f *fresh) add(cid data.CID) { f.list = append(f.list, cid) }

// made reports whether an item comes from one of the results.
func (f *fresh) made(it *item) bool {
	if len(f.list) == 0 {
		return false
	}
	if f.set == nil {
		f.set = make(map[data.CID]bool, len(f.list))
	}
	for ; f.sorted < len(f.list); f.sorted++ {
		f.set[f.list[f.sorted]] = true
	}
	return f.set[it.prov.CID]
}

// answered takes the answer of a local service.
func (m *machine) answered(c *invocation, r CallResult) *fault {
	if c.missing { // the state was another call's; the reference crashes
		return faultf(CodeParameters, "a result came for a call whose arguments have no values")
	}
	if c.triplet.PeerPK != m.st.params.CurrentPeerID {
		m.st.unsure = true // likewise; that peer may have no key here
	}
	m.plainArguments(c)
	m.changes++
	if r.RetCode != 0 {
		return m.answeredError(c, r.RetCode, r.Result)
	}
	v, err := value.Parse(r.Result)
	if err != nil {
		text := "call_service result 'ret_code: 0, result: '" + r.Result + "'' can't be serialized or deserialized with an error: " + err.Error()
		return m.answeredError(c, 1<<31-1, text)
	}
	if c.n.out.Var == nil {
		m.trace.Append(trace.Entry{State: data.CallDone(data.Unused, data.ValueCID(v), 0)})
		return nil
	}
	res := m.store(c, v)
	m.fresh.add(res.cid)
	if c.n.out.Kind == air.Scalar {
		m.scalars.put(&m.scopes, c.n.out.slot, res.item)
		m.trace.Append(trace.Entry{State: data.CallDone(data.Scalar, res.cid, 0), Known: res})
		return nil
	}
	f := m.streams.orMake(&c.n.out).add(streamValue{res.item, m.trace.Pos()}, trace.FromNone, 0)
	m.trace.Append(trace.Entry{State: data.CallDone(data.Stream, res.cid, unnumbered), Known: res})
	return f
}

// unnumbered stands for a generation until the end of the run.
const unnumbered = 0xCAFEBABE

func (m *machine) answeredError(c *invocation, code int32, text string) *fault {
	v := value.Object([]value.Field{{Key: "message", Value: value.String(text)}, {Key: "ret_code", Value: value.Int(int64(code))}})
	res := m.store(c, v)
	m.trace.Append(trace.Entry{State: data.CallFailure(res.cid), Known: res})
	return callFailed(code, text, res.item.tet)
}

// store puts a new result of this peer into the stores.
func (m *machine) store(c *invocation, v value.Value) *result {
	tet := c.triplet
	res := &result{argHash: c.argHash(), verified: argTexts(c.args)}
	res.cid = m.st.addResult(v, tet, res.argHash)
	res.item = &item{val: v, tet: &tet, prov: data.Provenance{Origin: data.FromService, CID: res.cid}}
	if tet.PeerPK == m.st.params.CurrentPeerID {
		m.own = append(m.own, res.cid)
	}
	return res
}

func argTexts(args []*item) []string {
	texts := make([]string, len(args))
	for i, it := range args {
		texts[i] = it.val.Text()
	}
	return texts
}

// check compares an executed or failed state with what this peer resolves
// itself. Comparing the argument texts with those seen before is cheaper than hashing them: mostly
// they are the same memory.
func (m *machine) check(c *invocation, e *trace.Entry) (*result, *fault) {
	m.plainArguments(c)
	res, f := m.resultOf(e)
	if f != nil {
		return nil, f
	}
	if c.missing {
		return nil, faultf(CodeParameters, "call argument_hash doesn't match expected parameters: expected %s, got none: an argument has no value ", res.argHash)
	}
	if !sameArgs(res.verified, c.args) || res.verified == nil {
		if got := c.argHash(); got != res.argHash {
			return nil, faultf(CodeParameters, "call argument_hash doesn't match expected parameters: expected %s, got %s ", got, res.argHash)
		}
		res.verified = argTexts(c.args)
	}
	if *res.item.tet != c.triplet {
		return nil, faultf(CodeParameters, "call tetraplet doesn't match expected parameters: expected %s, got %s ", debugTetraplet(&c.triplet), debugTetraplet(res.item.tet))
	}
	if c.triplet.PeerPK == m.st.params.CurrentPeerID {
		m.own = append(m.own, res.cid)
	}
	return res, nil
}

func sameArgs(texts []string, args []*item) bool {
	if len(texts) != len(args) {
		return false
	}
	for i, it := range args {
		if texts[i] != it.val.Text() {
			return false
		}
	}
	return true
}

func debugTetraplet(t *value.Tetraplet) string {
	return "SecurityTetraplet { peer_pk: " + strconv.Quote(t.PeerPK) + ", service_id: " + strconv.Quote(t.ServiceID) +
		", function_name: " + strconv.Quote(t.FunctionName) + ", lens: " + strconv.Quote(t.Lens) + " }"
}

// resultOf is the stored result behind a state.
func (m *machine) resultOf(e *trace.Entry) (*result, *fault) {
	if res, ok := e.Known.(*result); ok {
		return res, nil
	}
	res, f := m.st.result(e.CID)
	if f == nil {
		e.Known, e.CID = res, res.cid
	}
	return res, f
}

func (m *machine) metFailure(c *invocation, e *trace.Entry) *fault {
	res, f := m.check(c, e)
	if f != nil {
		return f
	}
	code, text, f := failedValue(res.item)
	if f != nil {
		return f
	}
	m.complete = false
	m.trace.Append(*e)
	return callFailed(code, text, res.item.tet)
}

// failedValue reads {"message", "ret_code"}, or [ret_code, message].
func failedValue(it *item) (int32, string, *fault) {
	v, f := it.value()
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
		return 0, "", faultf(CodeFailedValue, "failed to deserialize to CallServiceFailed: invalid type: %s %s, expected struct CallServiceFailed", v.Kind(), v)
	}
	return int32(n), s, nil
}

func (m *machine) metResult(c *invocation, e *trace.Entry, from trace.Source) *fault {
	if c.n.out.Var == nil && e.Output == data.Unused {
		m.trace.Append(*e)
		return nil
	}
	scalar := c.n.out.is(air.Scalar) && e.Output == data.Scalar
	if !scalar && !(c.n.out.is(air.Stream) && e.Output == data.Stream) {
		return resultKindFault(e)
	}
	res, f := m.check(c, e)
	if f != nil {
		return f
	}
	if from == trace.FromCurrent {
		m.fresh.add(res.cid)
	}
	if scalar {
		m.scalars.put(&m.scopes, c.n.out.slot, res.item)
	} else {
		f = m.streams.orMake(&c.n.out).add(streamValue{res.item, m.trace.Pos()}, from, e.Generation)
	}
	m.trace.Append(*e)
	return f
}

func resultKindFault(e *trace.Entry) *fault {
	return faultf(CodeResultKind, "call result value %s doesn't match with corresponding instruction", trace.DebugValueRef(&e.State))
}
