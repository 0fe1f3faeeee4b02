package interpreter

import (
	"strconv"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// store is what the content ids of one particle resolve to at one peer, and where new content
// goes. Results, canons and elements that were looked up or made are shared from run to run.
type store struct {
	known      *data.Data
	count      *meter.Counter
	self       string // this peer
	lastCallID uint32
	epoch      int32                        // counts roll-backs: what items remember is void after one
	tetraplets map[value.Tetraplet]data.CID // of those stored here

	tets       slab[value.Tetraplet]
	resultSlab slab[result]
	strings    slab[string]
	texts      value.Texts
	items      slab[item]
}

// newStore is a store over the content of known.
func newStore(known *data.Data, self string, count *meter.Counter) store {
	return store{
		known: known, count: count, self: self, lastCallID: known.LastCallID,
		tetraplets: map[value.Tetraplet]data.CID{},
	}
}

// mark is how far a store was filled at some time.
type mark struct {
	content    data.Mark
	lastCallID uint32
}

func (s *store) mark() mark { return mark{s.known.Mark(), s.lastCallID} }

// rollBack drops all content added since the mark.
func (s *store) rollBack(to mark) {
	s.known.RollBack(to.content)
	s.lastCallID = to.lastCallID
	s.epoch++
	clear(s.tetraplets)
}

// encoded is about how many bytes the content takes in an archive.
func (s *store) encoded() int { return s.known.Encoded() }

// size is about how many bytes the content takes in memory.
func (s *store) size() int { return s.known.Size() }

// memSize is size with the things that were made of the content.
func (s *store) memSize() int {
	made := meter.SizeOf[result](s.resultSlab.made) + meter.SizeOf[item](s.items.made)
	made += 64*s.tets.made + meter.SizeOf[string](s.strings.made) + s.texts.Size()
	return s.size() + made + 160*len(s.tetraplets)
}

// nextCallID is the id of a new request.
func (s *store) nextCallID() uint32 {
	s.lastCallID++
	return s.lastCallID
}

// result looks a service result up.
func (s *store) result(cid data.CID) (*result, *fault.Fault) {
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

func missingCID(kind string, cid data.CID) *fault.Fault {
	return fault.MissingCID.New(kind, strconv.Quote(string(cid)))
}

// canon looks a canon result up.
func (s *store) canon(cid data.CID) (*canon, *fault.Fault) {
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

func (s *store) element(cid data.CID) (*item, *fault.Fault) {
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
func (s *store) addTetraplet(t value.Tetraplet) data.CID {
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
func (s *store) addCanon(items []*item, last *frozenList) (data.CID, *fault.Fault) {
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
		Tetraplet: s.addTetraplet(value.Tetraplet{PeerPK: s.self}),
		Elements:  list.cids[:len(list.cids):len(list.cids)],
	}
	cid := data.CanonResultCID(r, s.count)
	s.known.CanonResults.Put(cid, r)
	return cid, nil
}

// frozen is the part of last that items begin with.
func (s *store) frozen(items []*item, last *frozenList) frozenList {
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
func (s *store) addElements(items []*item) ([]data.CID, *fault.Fault) {
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
		return nil, fault.Stop(err)
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
func (s *store) addParts(elements []data.CanonElement, fresh []*item, values []value.Value) {
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
func (s *store) addValues(values []value.Value, count *meter.Counter) []data.CID {
	cids := data.ValueCIDs(len(values), func(i int) value.Value { return values[i] }, count)
	s.known.Values.Reserve(len(values))
	for i, v := range values {
		s.known.Values.Put(cids[i], v)
	}
	return cids
}

// spell makes the tetraplet of an element of an array.
func (s *store) spell(it *item) {
	if it.tet == nil {
		var lens [128]byte
		it.tet = s.tets.put(*it.array.tetraplet())
		it.tet.Lens = s.texts.Keep(it.appendLens(lens[:0]))
	}
}

// addTetraplets stores the tetraplets of items and returns their ids.
func (s *store) addTetraplets(items []*item, count *meter.Counter) []data.CID {
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

// result is an executed or failed call with its stored parts. It is made once
// and stays with the state from run to run.
type result struct {
	of       *node // a fixed call that this is known to be the result of
	own      bool  // this peer's
	compared bool  // whether args are known
	item     item
	tet      value.Tetraplet
	prov     data.Provenance // its CID is that of the result
	argHash  data.CID
	args     []string // the texts of the arguments that argHash was computed from
}

// newResult is a result with its parts tied together.
func (s *store) newResult(v value.Value, t *value.Tetraplet) *result {
	res := s.resultSlab.take()
	res.tet = *t
	res.prov.Origin = data.FromService
	res.item = item{val: v, tet: &res.tet, prov: &res.prov}
	return res
}

// answer is a new result whose state, at this place of the trace, has no content id yet. Nobody asks for ids while
// the script runs, but for a canon, and computing those of many answers at once is several times as fast.
type answer struct {
	at  int
	val value.Value
	res *result // nil for an answer that nobody uses: only its value has an id
}

// addAnswers stores the answers and calls done with the content id that the state of each one gets.
func (s *store) addAnswers(list []answer, done func(a *answer, cid data.CID)) {
	ids := data.ValueCIDs(len(list), func(i int) value.Value { return list[i].val }, s.count)
	made := 0
	for i, a := range list {
		if a.res == nil {
			done(&list[i], ids[i])
			continue
		}
		s.known.Values.Put(ids[i], a.val)
		list[made], ids[made] = a, ids[i]
		made++
	}
	list, ids = list[:made], ids[:made]
	args := data.ArgumentsCIDs(made, func(i int) []string { return list[i].res.args }, s.count)
	results := make([]data.ServiceResult, made)
	for i, a := range list {
		a.res.argHash = args[i]
		results[i] = data.ServiceResult{
			Value: ids[i], ArgumentHash: args[i], Tetraplet: s.addTetraplet(a.res.tet),
		}
	}
	s.known.ServiceResults.Reserve(made)
	for i, cid := range data.ServiceResultCIDs(results, s.count) {
		s.known.ServiceResults.Put(cid, results[i])
		list[i].res.prov.CID = cid
		done(&list[i], cid)
	}
}

func (s *store) argTexts(args []*item) []string {
	texts := s.strings.some(len(args))
	for i, it := range args {
		texts[i] = it.val.Text()
	}
	return texts
}
