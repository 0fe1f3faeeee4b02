package interpreter

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
	"github.com/aquanode/aquanode/interpreter/value"
)

// State is the retained form of one particle at one peer: the script resolved, the
// trace and the stores decoded, results looked up and signatures verified once. A step costs what is
// new. A State belongs to one goroutine at a time.
type State struct {
	params Params
	p      *program

	// What this peer knows: the trace, which is in the workspace, and everything else.
	known *data.Data
	bytes []byte // all of it encoded
	stale bool   // something changed since

	unsure     bool           // a result may be of a peer without a key: known has to be checked again
	retained   bool           // opened to stay: what is known need not be verified again
	verified   data.Verified  // signatures that were good
	signed     map[string]int // places in known.Signatures by public key; nil until the first run
	lastCallID uint32
	count      *meter.Counter
	settled    bool                         // see Settled
	looked     bool                         // whether a run has found out
	lone       int                          // bytes of literals, and of the faults of scalars without a value
	tetraplets map[value.Tetraplet]data.CID // of those stored here
	epoch      int32                        // counts roll-backs: what items remember is void after one

	literals                 []*item  // by slot
	missing                  []*fault // by scalar slot: what a scalar without a value answers
	initTetraplet            *value.Tetraplet
	initPeer, timestamp, ttl *item

	tets       slab[value.Tetraplet]
	resultSlab slab[result]
	strings    slab[string]
	texts      value.Texts
	items      slab[item]

	*workspace
}

// Open makes the retained form of a particle at a peer that kept prev of it (no bytes if nothing).
// It fails with an *Error, or with that of the meter.
func Open(script string, prev []byte, params Params) (*State, error) {
	count := newCounter(&params, nil)
	defer count.End()
	e, err := data.Open(prev)
	if err != nil {
		return nil, err
	}
	known, trace, err := e.DecodeStates(count)
	if err != nil {
		return nil, err
	}
	p, err := params.program(script, count)
	if err != nil {
		return nil, err
	}
	s := newState(known, trace, prev, params, count, new(workspace))
	if count.Err() != nil {
		return nil, count.Err()
	}
	s.p, s.retained = p, true
	return s, nil
}

func newCounter(p *Params, ctx context.Context) *meter.Counter {
	count := meter.NewCounter(p.Meter)
	count.Begin(ctx)
	return &count
}

// program finds or makes the resolved form of a script.
func (p *Params) program(script string, count *meter.Counter) (*program, error) {
	if err := count.Bytes(len(script)); err != nil {
		return nil, err
	}
	program, err := p.Scripts.program(script, count)
	switch {
	case count.Err() != nil:
		return nil, count.Err()
	case err != nil:
		return nil, &data.Error{Code: CodeParse, Message: err.Error()}
	}
	return program, nil
}

func newState(known *data.Data, trace data.States, bytes []byte, params Params, count *meter.Counter, w *workspace) *State {
	s := &State{
		workspace:     w,
		params:        params,
		known:         known,
		bytes:         bytes,
		count:         count,
		lastCallID:    known.LastCallID,
		tetraplets:    map[value.Tetraplet]data.CID{},
		initTetraplet: &value.Tetraplet{PeerPK: params.InitPeerID},
	}
	s.initPeer = s.born(value.String(params.InitPeerID))
	s.timestamp = s.born(value.Uint(params.Timestamp))
	s.ttl = s.born(value.Uint(uint64(params.TTL)))
	s.m.st, s.m.count = s, count
	s.load(trace, count)
	return s
}

// born is a value that comes from the particle itself.
func (s *State) born(v value.Value) *item { return &item{val: v, tet: s.initTetraplet} }

// literal is the item of a literal, which is the same in all runs.
func (s *State) literal(o *operand) *item {
	if n := int(o.slot) + 1; n > len(s.literals) {
		s.literals = append(s.literals, make([]*item, n-len(s.literals))...)
	}
	if s.literals[o.slot] == nil {
		s.literals[o.slot] = s.born(o.lit)
		s.lone += sizeOf[item](1) + len(o.lit.Text())
	}
	return s.literals[o.slot]
}

// unset is the fault of a scalar without a value. Every missing argument of a join asks for one, in every run.
func (s *State) unset(p *program, slot int32) *fault {
	if s.missing == nil {
		s.missing = make([]*fault, len(p.scalars))
	}
	if s.missing[slot] == nil {
		s.missing[slot] = notFound(p.scalars[slot])
		s.lone += sizeOf[fault](1)
	}
	return s.missing[slot]
}

// Step merges all that arrived and takes the results of service calls, and goes on with the
// script as far as it can. An arrival that cannot be used is refused and changes nothing.
func (s *State) Step(ctx context.Context, arrivals [][]byte, results map[uint32]CallResult) Outcome {
	var out Outcome
	if err := s.params.Limits.checkResults(&out, results); err != nil {
		out.fail(err)
		return out
	}
	s.count.Begin(ctx)
	defer s.count.End()
	ran := false
	for i, b := range arrivals {
		err := s.merge(b, results, &out)
		if out.Stopped != nil {
			return out
		}
		if err != nil {
			out.refuse(i, err)
			continue
		}
		ran, results = true, nil
	}
	if !ran && (len(results) > 0 || len(arrivals) == 0) {
		s.goOn(results, &out)
	}
	return out
}

// merge runs the script over one arrival.
func (s *State) merge(b []byte, results map[uint32]CallResult, out *Outcome) error {
	if len(b) == 0 && s.resumable(results) {
		if f := s.resume(results, out); f != nil {
			out.fail(f)
		}
		return nil
	}
	if err := s.params.Limits.check(out, s.p.source, b); err != nil {
		return err
	}
	a, err := s.decode(b)
	if err != nil {
		out.stopped(err)
		return err
	}
	if f := s.run(a, maps.Clone(results), out); f != nil {
		out.stopped(f)
		return f
	}
	return nil
}

// goOn runs the script with results alone.
func (s *State) goOn(results map[uint32]CallResult, out *Outcome) {
	var f *fault
	if s.resumable(results) {
		f = s.resume(results, out)
	} else {
		f = s.run(nothing, maps.Clone(results), out)
	}
	if f != nil {
		out.fail(f)
	}
}

// stopped notes the error of a run that was stopped.
func (o *Outcome) stopped(err error) {
	if code, _ := codeOf(err); code == CodeStopped {
		o.fail(err)
	}
}

func (o *Outcome) refuse(arrival int, err error) {
	code, text := codeOf(err)
	o.Refused = append(o.Refused, Refusal{Arrival: arrival, Code: code, Message: text})
	o.RetCode, o.ErrorMessage = code, text
}

func (o *Outcome) fail(err error) {
	o.RetCode, o.ErrorMessage = codeOf(err)
	if o.RetCode == CodeStopped {
		o.Stopped = err
		if cause := errors.Unwrap(err); cause != nil {
			o.Stopped = cause
		}
	}
}

// run merges one arrival. A fault means that nothing changed; other errors are in the outcome.
func (s *State) run(a *arrival, results map[uint32]CallResult, out *Outcome) *fault {
	before := s.mark()
	signers, err := s.mergeSigners(a)
	if err == nil {
		err = s.known.Merge(a.data, s.count)
	}
	if err != nil {
		s.rollBack(before)
		return asFault(err)
	}
	m := &s.m
	m.begin(a, results)
	f := m.end(m.run(m.p.root))
	if f != nil && !f.catchable() {
		m.suspended, s.spareOwn = nil, m.own
		s.rollBack(before)
		return f
	}
	m.settle(f)
	s.commit(signers)
	out.take(m, f)
	return nil
}

// end is the end of every run. f is how the script ended; what it returns is how the run does.
func (m *machine) end(f *fault) *fault {
	if f != nil && !f.catchable() {
		return f
	}
	m.grown()
	m.file()
	m.accounted()
	if m.suspended == nil {
		if bad := m.numberStreams(m.trace.Result); bad != nil {
			f = bad
		}
	}
	limits := &m.st.params.Limits
	if m.st.known.Encoded()+stateSize*len(m.trace.Result) > limits.data() {
		f = faultf(CodeValueSize, "the data of the particle goes over the limit of %d bytes", limits.data())
	}
	if m.count.Err() != nil {
		return stopFault(m.count.Err())
	}
	return f
}

// commit makes the result of a run what this peer knows.
func (s *State) commit(signers *data.Signers) {
	m := &s.m
	s.trace, s.spare = m.trace.Result, s.trace
	s.own, s.spareOwn = m.own, s.own
	for _, i := range m.trace.Foreign {
		if int(i) == len(s.trace) { // it was not written, nor anything else since
			continue
		}
		if _, foreign := s.trace[i].Known.(trace.Foreign); foreign {
			s.trace[i] = trace.Entry{State: s.trace[i].State.Clone()}
		}
	}
	for _, signer := range signers.All() {
		s.putSignature(signer.Signature)
	}
	if s.retained { // what is made of it comes when data is asked for
		s.putSignature(data.Signature{PublicKey: data.PublicKeyOf(s.params.Key)})
	}
	s.bytes, s.stale = nil, true
}

// take adds what a run asks for to the outcome.
func (o *Outcome) take(m *machine, f *fault) {
	o.RetCode, o.ErrorMessage = 0, ""
	if f == nil && len(m.results) > 0 {
		f = unusedResults(m.results, nil)
	}
	if f != nil {
		o.fail(f)
	}
	o.CallRequests = append(o.CallRequests, m.requests...)
	o.NextPeers = union(o.NextPeers, m.next)
	o.Again = union(o.Again, m.toName())
}

// union adds to a list what it does not have. It owns the list, but not more, which has nothing twice.
func union(list, more []string) []string {
	if len(list) == 0 {
		return more[:len(more):len(more)]
	}
	has := make(map[string]bool, len(list))
	for _, s := range list {
		has[s] = true
	}
	for _, s := range more {
		if !has[s] {
			has[s] = true
			list = append(list, s)
		}
	}
	return list
}

const stateSize = 24 // bytes in the archive

type mark struct {
	stores     data.Mark
	lastCallID uint32
}

func (s *State) mark() mark { return mark{s.known.Mark(), s.lastCallID} }

func (s *State) rollBack(to mark) {
	s.known.RollBack(to.stores)
	s.lastCallID = to.lastCallID
	s.epoch++
	clear(s.tetraplets)
}

// result looks a service result up.
func (s *State) result(cid data.CID) (*result, *fault) {
	held, r := s.known.ServiceResults.Find(cid)
	if r == nil {
		return nil, missingCID("service result aggregate", cid)
	}
	v, ok := s.known.Values.Get(r.Value)
	if !ok {
		return nil, missingCID("value", r.Value)
	}
	_, t := s.known.Tetraplets.Find(r.Tetraplet)
	if t == nil {
		return nil, missingCID("tetraplet", r.Tetraplet)
	}
	res := s.newResult(v, t)
	res.prov.CID, res.argHash = held, r.ArgumentHash
	return res, nil
}

func missingCID(kind string, cid data.CID) *fault {
	return faultf(CodeMissingCID, "%s for CID %s not found", kind, strconv.Quote(string(cid)))
}

// canon looks a canon result up.
func (s *State) canon(cid data.CID) (*canon, *fault) {
	r, ok := s.known.CanonResults.Get(cid)
	if !ok {
		return nil, missingCID("canon result aggregate", cid)
	}
	t, ok := s.known.Tetraplets.Get(r.Tetraplet)
	if !ok {
		return nil, missingCID("tetraplet", r.Tetraplet)
	}
	c := &canon{peer: t.PeerPK, tet: t, items: make([]*item, len(r.Elements))}
	c.prov = data.Provenance{Origin: data.FromCanon, CID: s.known.CanonResults.Held(cid)}
	for i, e := range r.Elements {
		it, f := s.element(e)
		if f != nil {
			return nil, f
		}
		c.items[i] = it
	}
	return c, nil
}

func (s *State) element(cid data.CID) (*item, *fault) {
	e, ok := s.known.CanonElements.Get(cid)
	if !ok {
		return nil, missingCID("canon aggregate", cid)
	}
	v, ok := s.known.Values.Get(e.Value)
	if !ok {
		return nil, missingCID("value", e.Value)
	}
	t, ok := s.known.Tetraplets.Get(e.Tetraplet)
	if !ok {
		return nil, missingCID("tetraplet", e.Tetraplet)
	}
	return &item{
		val: v, tet: keptTetraplet(&t, e.Provenance.Origin), prov: &e.Provenance,
		elementCID: cid, epoch: s.epoch,
	}, nil
}

// addTetraplet stores a tetraplet that many things may have.
func (s *State) addTetraplet(t value.Tetraplet) data.CID {
	cid, ok := s.tetraplets[t]
	if !ok {
		cid = data.TetrapletCID(t)
		s.tetraplets[t] = cid
		s.known.Tetraplets.Put(cid, t)
	}
	return cid
}

// frozenList is a list of items with the ids of their canon elements. A canon of a stream mostly
// begins with the canon before; then both share the memory of their lists.
type frozenList struct {
	items []*item
	cids  []data.CID
}

// addCanon stores a canon of this peer. last is the list of the stream's latest canon, if any.
func (s *State) addCanon(items []*item, last *frozenList) (data.CID, *fault) {
	list := s.frozen(items, last)
	cids, f := s.addElements(items[len(list.cids):])
	if f != nil {
		return "", f
	}
	list.cids = append(list.cids, cids...)
	if last != nil {
		last.items, last.cids = items, list.cids
	}
	r := data.CanonResult{
		Tetraplet: s.addTetraplet(value.Tetraplet{PeerPK: s.params.CurrentPeerID}),
		Elements:  list.cids[:len(list.cids):len(list.cids)],
	}
	cid := data.CanonResultCID(r, s.count)
	s.known.CanonResults.Put(cid, r)
	return cid, nil
}

// frozen is the part of last that items begin with.
func (s *State) frozen(items []*item, last *frozenList) frozenList {
	if last == nil || len(last.items) > len(items) {
		return frozenList{}
	}
	for i, it := range last.items {
		if items[i] != it || it.epoch != s.epoch {
			return frozenList{}
		}
	}
	return *last
}

// addElements stores the elements of a canon and returns their ids.
func (s *State) addElements(items []*item) ([]data.CID, *fault) {
	fresh := make([]*item, 0, len(items))
	values := make([]value.Value, 0, len(items))
	for _, it := range items {
		if it.elementCID != "" && it.epoch == s.epoch {
			continue
		}
		v, f := it.value(s.count)
		if f != nil {
			return nil, f
		}
		fresh, values = append(fresh, it), append(values, v)
	}
	if err := s.count.Grow(len(items)*wordsOfElement + len(fresh)*sizeOfCanonElement); err != nil {
		return nil, stopFault(err)
	}
	elements := make([]data.CanonElement, len(fresh))
	s.addParts(elements, fresh, values)
	s.known.CanonElements.Reserve(len(fresh))
	for i, cid := range data.CanonElementCIDs(elements, s.count) {
		s.known.CanonElements.Put(cid, elements[i])
		fresh[i].elementCID, fresh[i].epoch = cid, s.epoch
	}
	cids := make([]data.CID, len(items))
	for i, it := range items {
		cids[i] = it.elementCID
	}
	return cids, nil
}

// Bytes of a canon element: in lists, and when it is new.
const (
	wordsOfElement     = 40
	sizeOfCanonElement = 400
)

// addParts stores tetraplets and values of elements, if they are not too many at the same time: the two have nothing in common.
func (s *State) addParts(elements []data.CanonElement, fresh []*item, values []value.Value) {
	const most = 1 << 20 // bytes of values hashed without asking the meter, 0.3 ms; a stream has 1023 elements at most
	size, count := 0, s.count
	for _, v := range values {
		size += len(v.Text())
	}
	beside := size <= most
	if beside {
		_ = count.Work(6*len(fresh) + size/meter.Byte)
		count = nil
	}
	tetraplets := func() {
		for i, cid := range s.addTetraplets(fresh, count) {
			elements[i].Tetraplet = cid
		}
	}
	rest := func() {
		for i, cid := range s.addValues(values, count) {
			elements[i].Value, elements[i].Provenance = cid, fresh[i].provenance()
		}
	}
	if beside {
		data.Beside(len(fresh), tetraplets, rest)
	} else {
		tetraplets()
		rest()
	}
}

// addValues stores values and returns their ids.
func (s *State) addValues(values []value.Value, count *meter.Counter) []data.CID {
	cids := data.ValueCIDs(len(values), func(i int) value.Value { return values[i] }, count)
	s.known.Values.Reserve(len(values))
	for i, v := range values {
		s.known.Values.Put(cids[i], v)
	}
	return cids
}

// spell makes the tetraplet of an element of an array.
func (s *State) spell(it *item) {
	if it.tet == nil {
		var lens [128]byte
		it.tet = s.tets.put(*it.array.tetraplet())
		it.tet.Lens = s.texts.Keep(it.appendLens(lens[:0]))
	}
}

// addTetraplets stores the tetraplets of items and returns their ids.
func (s *State) addTetraplets(items []*item, count *meter.Counter) []data.CID {
	cids := make([]data.CID, len(items))
	alone := make([]value.Tetraplet, 0, len(items)) // elements of arrays; there is hardly another with the same
	for i, it := range items {
		s.spell(it)
		if it.tet.Lens == "" {
			cids[i] = s.addTetraplet(*it.tet)
		} else {
			alone = append(alone, *it.tet)
		}
	}
	s.known.Tetraplets.Reserve(len(alone))
	made := data.TetrapletCIDs(alone, count)
	for i, t := range alone {
		s.known.Tetraplets.Put(made[i], t)
	}
	for i := range cids {
		if cids[i] == "" {
			cids[i], made = made[0], made[1:]
		}
	}
	return cids
}
