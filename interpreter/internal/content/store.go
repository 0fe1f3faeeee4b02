// Package content is what a script computes with: values with where they came from ([Item]),
// results of calls, canons, and the [Store] in which the content ids of one particle resolve to
// them.
package content

import (
	"strconv"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/internal/slab"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Store is what the content ids of one particle resolve to at one peer, and where new content
// goes. Results, canons and elements that were looked up or made are shared from run to run.
type Store struct {
	known      *data.Data
	count      *meter.Counter
	LastCallID uint32
	// counts roll-backs: what items remember is void after one
	epoch      int32
	tetraplets map[value.Tetraplet]data.CID // of those stored here

	tets       slab.Slab[value.Tetraplet]
	resultSlab slab.Slab[Result]
	strings    slab.Slab[string]
	texts      value.Texts
	items      slab.Slab[Item]
}

// NewStore is a store over the content of known.
func NewStore(known *data.Data, count *meter.Counter) Store {
	return Store{
		known: known, count: count, LastCallID: known.LastCallID,
		tetraplets: map[value.Tetraplet]data.CID{},
	}
}

// Mark is how far a store was filled at some time.
type Mark struct {
	content    data.Mark
	lastCallID uint32
}

func (s *Store) Mark() Mark { return Mark{s.known.Mark(), s.LastCallID} }

// RollBack drops all content added since the mark.
func (s *Store) RollBack(to Mark) {
	s.known.RollBack(to.content)
	s.LastCallID = to.lastCallID
	s.epoch++
	clear(s.tetraplets)
}

// Encoded is about how many bytes the content takes in an archive.
func (s *Store) Encoded() int { return s.known.Encoded() }

// Size is about how many bytes the content takes in memory.
func (s *Store) Size() int { return s.known.Size() }

// MemSize is size with the things that were made of the content.
func (s *Store) MemSize() int {
	made := meter.SizeOf[Result](s.resultSlab.Made()) + meter.SizeOf[Item](s.items.Made())
	made += 64*s.tets.Made() + meter.SizeOf[string](s.strings.Made()) + s.texts.Size()
	return s.Size() + made + 160*len(s.tetraplets)
}

// NextCallID is the id of a new request.
func (s *Store) NextCallID() uint32 {
	s.LastCallID++
	return s.LastCallID
}

// Result looks a service result up.
func (s *Store) Result(cid data.CID) (*Result, *fault.Fault) {
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
	res := s.NewResult(v, t)
	res.Prov.CID, res.ArgHash = held, r.ArgumentHash
	return res, nil
}

func missingCID(kind string, cid data.CID) *fault.Fault {
	return fault.MissingCID.New(kind, strconv.Quote(string(cid)))
}

// Canon looks a canon result up.
func (s *Store) Canon(cid data.CID) (*Canon, *fault.Fault) {
	r, ok := s.known.CanonResults.Get(cid)
	if !ok {
		return nil, missingCID("canon result aggregate", cid)
	}
	t, ok := s.known.Tetraplets.Get(r.Tetraplet)
	if !ok {
		return nil, missingCID("tetraplet", r.Tetraplet)
	}
	c := &Canon{Peer: t.PeerPK, Tet: t, Items: make([]*Item, len(r.Elements))}
	c.Prov = data.Provenance{Origin: data.FromCanon, CID: s.known.CanonResults.Held(cid)}
	for i, e := range r.Elements {
		it, f := s.element(e)
		if f != nil {
			return nil, f
		}
		c.Items[i] = it
	}
	return c, nil
}

func (s *Store) element(cid data.CID) (*Item, *fault.Fault) {
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
	return &Item{
		Val: v, Tet: stripTetraplet(&t, e.Provenance.Origin), Prov: &e.Provenance,
		elementCID: cid, epoch: s.epoch,
	}, nil
}

// addTetraplet stores a tetraplet that many things may have.
func (s *Store) addTetraplet(t value.Tetraplet) data.CID {
	cid, ok := s.tetraplets[t]
	if !ok {
		cid = data.TetrapletCID(t)
		s.tetraplets[t] = cid
		s.known.Tetraplets.Put(cid, t)
	}
	return cid
}

// CanonList is a list of items with the ids of their canon elements. A canon of a stream mostly
// begins with the canon before; then both share the memory of their lists.
type CanonList struct {
	items []*Item
	cids  []data.CID
}

// AddCanon stores a canon of this peer. last is the list of the stream's latest canon, if any.
func (s *Store) AddCanon(peer string, items []*Item, last *CanonList) (data.CID, *fault.Fault) {
	list := s.prefix(items, last)
	cids, f := s.addElements(items[len(list.cids):])
	if f != nil {
		return "", f
	}
	list.cids = append(list.cids, cids...)
	if last != nil {
		last.items, last.cids = items, list.cids
	}
	r := data.CanonResult{
		Tetraplet: s.addTetraplet(value.Tetraplet{PeerPK: peer}),
		Elements:  list.cids[:len(list.cids):len(list.cids)],
	}
	cid := data.CanonResultCID(r, s.count)
	s.known.CanonResults.Put(cid, r)
	return cid, nil
}

// prefix is the part of last that items begin with.
func (s *Store) prefix(items []*Item, last *CanonList) CanonList {
	if last == nil || len(last.items) > len(items) {
		return CanonList{}
	}
	for i, it := range last.items {
		if items[i] != it || it.epoch != s.epoch {
			return CanonList{}
		}
	}
	return *last
}

// addElements stores the elements of a canon and returns their ids.
func (s *Store) addElements(items []*Item) ([]data.CID, *fault.Fault) {
	fresh := make([]*Item, 0, len(items))
	values := make([]value.Value, 0, len(items))
	for _, it := range items {
		if it.elementCID != "" && it.epoch == s.epoch {
			continue
		}
		v, f := it.Value(s.count)
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

// addParts stores tetraplets and values of elements, if they are not too many at the same time: the
// two have nothing in common.
func (s *Store) addParts(elements []data.CanonElement, fresh []*Item, values []value.Value) {
	// bytes of values hashed without asking the meter, 0.3 ms; a stream has 1023 elements at most
	const most = 1 << 20
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
			elements[i].Value, elements[i].Provenance = cid, fresh[i].Provenance()
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
func (s *Store) addValues(values []value.Value, count *meter.Counter) []data.CID {
	cids := data.ValueCIDs(len(values), func(i int) value.Value { return values[i] }, count)
	s.known.Values.Reserve(len(values))
	for i, v := range values {
		s.known.Values.Put(cids[i], v)
	}
	return cids
}

// SetTetraplet makes the tetraplet of an element of an array.
func (s *Store) SetTetraplet(it *Item) {
	if it.Tet == nil {
		var lens [128]byte
		it.Tet = s.tets.Put(*it.array.Tetraplet())
		it.Tet.Lens = s.texts.Keep(it.appendLens(lens[:0]))
	}
}

// NewPair is an element of a stream map: a key with the value of an item.
func (s *Store) NewPair(key, v value.Value, it *Item) *Item {
	pair := s.texts.Object([]value.Field{{Key: "key", Value: key}, {Key: "value", Value: v}})
	s.SetTetraplet(it)
	return s.items.Put(Item{Val: pair, Tet: it.Tet, Prov: it.Prov})
}

// addTetraplets stores the tetraplets of items and returns their ids.
func (s *Store) addTetraplets(items []*Item, count *meter.Counter) []data.CID {
	cids := make([]data.CID, len(items))
	// elements of arrays; there is hardly another with the same
	alone := make([]value.Tetraplet, 0, len(items))
	for i, it := range items {
		s.SetTetraplet(it)
		if it.Tet.Lens == "" {
			cids[i] = s.addTetraplet(*it.Tet)
		} else {
			alone = append(alone, *it.Tet)
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

// Result is an executed or failed call with its stored parts. It is made once
// and stays with the state from run to run.
type Result struct {
	Of       *program.Node // a fixed call that this is known to be the result of
	Own      bool          // this peer's
	Compared bool          // whether args are known
	Item     Item
	Tet      value.Tetraplet
	Prov     data.Provenance // its CID is that of the result
	ArgHash  data.CID
	Args     []string // the texts of the arguments that argHash was computed from
}

// NewResult is a result with its parts tied together.
func (s *Store) NewResult(v value.Value, t *value.Tetraplet) *Result {
	res := s.resultSlab.New()
	res.Tet = *t
	res.Prov.Origin = data.FromService
	res.Item = Item{Val: v, Tet: &res.Tet, Prov: &res.Prov}
	return res
}

// Answer is a new result whose state, at this place of the trace, has no content id yet. Nobody
// asks for ids while the script runs, but for a canon, and computing those of many answers at once
// is several times as fast.
type Answer struct {
	At     int
	Val    value.Value
	Result *Result // nil if the script does not use the answer: only its value has an id
}

// AddAnswers stores the answers and calls done with the content id that the state of each one gets.
func (s *Store) AddAnswers(list []Answer, done func(a *Answer, cid data.CID)) {
	ids := data.ValueCIDs(len(list), func(i int) value.Value { return list[i].Val }, s.count)
	made := 0
	for i, a := range list {
		if a.Result == nil {
			done(&list[i], ids[i])
			continue
		}
		s.known.Values.Put(ids[i], a.Val)
		list[made], ids[made] = a, ids[i]
		made++
	}
	list, ids = list[:made], ids[:made]
	args := data.ArgumentsCIDs(made, func(i int) []string { return list[i].Result.Args }, s.count)
	results := make([]data.ServiceResult, made)
	for i, a := range list {
		a.Result.ArgHash = args[i]
		results[i] = data.ServiceResult{
			Value: ids[i], ArgumentHash: args[i], Tetraplet: s.addTetraplet(a.Result.Tet),
		}
	}
	s.known.ServiceResults.Reserve(made)
	for i, cid := range data.ServiceResultCIDs(results, s.count) {
		s.known.ServiceResults.Put(cid, results[i])
		list[i].Result.Prov.CID = cid
		done(&list[i], cid)
	}
}

func (s *Store) ArgTexts(args []*Item) []string {
	texts := s.strings.List(len(args))
	for i, it := range args {
		texts[i] = it.Val.Text()
	}
	return texts
}
