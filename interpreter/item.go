package interpreter

import (
	"strconv"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Bytes of things made by runs.
const (
	sizeOfItem    = int(unsafe.Sizeof(item{})) + int(unsafe.Sizeof(value.Tetraplet{}))
	sizeOfElement = int(unsafe.Sizeof(item{})) + 8 // of an array
	sizeOfPair    = int(unsafe.Sizeof(item{})) + 100
)

// item is a value with where it came from. Items are shared between variables
// and never change, except that they remember what was once computed of them.
type item struct {
	val  value.Value
	tet  *value.Tetraplet // nil: that of the array with the index appended
	prov *data.Provenance // nil: a literal

	array *item // the array that this is an element of
	index int32

	parts *[]*item // the elements of an array, once a fold walked over it

	elementCID data.CID // once stored in a canon
	epoch      int32    // of the State when it was stored
}

// value is the canonical value. The text of foreign data is read here, when
// somebody looks at it for the first time.
func (it *item) value(count *meter.Counter) (value.Value, *fault.Fault) {
	if it.val.IsRaw() {
		if f := fault.Charge(count, len(it.val.Text())/meter.JSON, len(it.val.Text())); f != nil {
			return it.val, f
		}
		v, err := it.val.Canonical()
		if err != nil {
			return v, fault.NotJSON.New(err)
		}
		it.val = v
	}
	return it.val, nil
}

func (it *item) tetraplet() *value.Tetraplet {
	if it.tet == nil {
		t := *it.array.tetraplet()
		t.Lens = string(it.appendLens(nil))
		it.tet = &t
	}
	return it.tet
}

// appendLens writes the lens of an element of an array.
func (it *item) appendLens(dst []byte) []byte {
	dst = append(append(dst, it.array.tetraplet().Lens...), ".$.["...)
	return append(strconv.AppendInt(dst, int64(it.index), 10), ']')
}

// provenance is where the value was born.
func (it *item) provenance() data.Provenance {
	if it.prov == nil {
		return data.Provenance{}
	}
	return *it.prov
}

// kept is the item as a variable or a stream keeps it: of a literal only the
// peer of its tetraplet stays, of what came from a canon the peer and the lens.
func (it *item) kept() *item {
	if it.provenance().Origin == data.FromService {
		return it
	}
	t := it.tetraplet()
	k := keptTetraplet(t, it.provenance().Origin)
	if k == t {
		return it
	}
	c := *it
	c.tet, c.elementCID = k, ""
	return &c
}

func keptTetraplet(t *value.Tetraplet, from data.Origin) *value.Tetraplet {
	switch {
	case from == data.FromService:
		return t
	case from == data.Literal && t.ServiceID == "" && t.FunctionName == "" && t.Lens == "":
		return t
	case from == data.Literal:
		return &value.Tetraplet{PeerPK: t.PeerPK}
	case t.ServiceID == "" && t.FunctionName == "":
		return t
	}
	return &value.Tetraplet{PeerPK: t.PeerPK, Lens: t.Lens}
}

// split returns the elements of an array as items.
func (it *item) split(count *meter.Counter) ([]*item, bool, *fault.Fault) {
	if it.parts != nil {
		return *it.parts, true, nil
	}
	v, f := it.value(count)
	if f != nil {
		return nil, false, f
	}
	if v.Kind() != value.KindArray {
		return nil, false, nil
	}
	if f := fault.Charge(count, len(v.Text())/meter.JSON, 0); f != nil {
		return nil, false, f
	}
	n, _ := v.Len()
	if f := fault.Charge(count, n, n*(sizeOfElement+int(unsafe.Sizeof(v)))); f != nil {
		return nil, false, f
	}
	vals := v.Elements()
	slab := make([]item, len(vals))
	elements := make([]*item, len(vals))
	for i, e := range vals {
		el := &slab[i] // field by field: a whole item is written through the barrier of the collector, zeros and all
		el.val, el.array, el.index, el.prov = e, it, int32(i), it.prov
		elements[i] = el
	}
	it.parts = &elements
	return elements, true, nil
}

// largestValue bounds what a script can put together. An array of the values of a stream put into a stream twice, and
// again, doubles with every turn; honest values come from services and are below the particle size limit of hosts, 64 MiB.
const largestValue = 256 << 20

// canon is a stream or a stream map frozen by a peer.
type canon struct {
	prov  data.Provenance // of what is made of it: the canon itself
	peer  string
	tet   value.Tetraplet // {peer, "", "", ""} unless the data says otherwise
	items []*item         // of a map: pairs {"key", "value"}

	whole *item // the value as a whole, once somebody wanted it
	index *pairIndex
	own   bool // made here, of a stream of this peer
}

// pairIndex finds the values of a canon map by key.
type pairIndex struct {
	values map[string][]*item // by the JSON text of the key: a string in its quotes, or an integer
	keys   []value.Value      // in the order of their first pairs
}

// of lists the values of a key.
func (ix *pairIndex) of(key value.Value) []*item { return ix.values[key.Text()] }

// object has a field for each key text. (The integer 42 and the string "42" are
// two keys of one text; the first one stays, where the reference takes either by chance.)
func (ix *pairIndex) object(of func(values []*item) value.Value) value.Value {
	fields := make([]value.Field, 0, len(ix.keys))
	for i := len(ix.keys) - 1; i >= 0; i-- {
		fields = append(fields, value.Field{Key: keyText(ix.keys[i]), Value: of(ix.of(ix.keys[i]))})
	}
	return value.Object(fields)
}

func keyText(key value.Value) string {
	if name, ok := key.AsString(); ok {
		return name
	}
	return key.Text()
}

func firstOf(values []*item) value.Value { return values[0].val }

func allOf(values []*item) value.Value {
	list := make([]value.Value, len(values))
	for i, it := range values {
		list[i] = it.val
	}
	return value.Array(list)
}

// array is the canon stream as one value.
func (c *canon) array(count *meter.Counter) (*item, *fault.Fault) {
	if c.whole == nil {
		vals, size := make([]value.Value, len(c.items)), sizeOfItem
		for i, it := range c.items {
			v, f := it.value(count)
			if f != nil {
				return nil, f
			}
			vals[i] = v
			if size += len(v.Text()); size > largestValue {
				return nil, fault.ValueTooLarge
			}
		}
		if f := fault.Charge(count, len(vals)+size/meter.Byte, size+len(vals)*int(unsafe.Sizeof(vals[0]))); f != nil {
			return nil, f
		}
		c.whole = &item{val: value.Array(vals), tet: &value.Tetraplet{PeerPK: c.peer}, prov: &c.prov}
	}
	return c.whole, nil
}

// checkPairs looks whether the elements are pairs that a canon map can have. Those of a stream map of this
// peer are.
func (c *canon) checkPairs(count *meter.Counter) *fault.Fault {
	if c.own {
		return c.checkSize()
	}
	_, f := c.pairs(count)
	return f
}

// chargeObject counts what the canon map as one value takes.
func (c *canon) chargeObject(count *meter.Counter) *fault.Fault {
	size := 0
	for _, it := range c.items {
		size += len(it.val.Text())
	}
	return fault.Charge(count, len(c.items)+size/meter.Byte, 2*size+sizeOfItem)
}

func (c *canon) checkSize() *fault.Fault {
	size := 0
	for _, it := range c.items {
		if size += len(it.val.Text()); size > largestValue {
			return fault.ValueTooLarge
		}
	}
	return nil
}

// pairs is the canon map's index, made when first wanted.
func (c *canon) pairs(count *meter.Counter) (*pairIndex, *fault.Fault) {
	if c.index != nil {
		return c.index, nil
	}
	if f := c.checkSize(); f != nil {
		return nil, f
	}
	if f := fault.Charge(count, 4*len(c.items), len(c.items)*sizeOfPair); f != nil {
		return nil, f
	}
	ix := &pairIndex{values: make(map[string][]*item, len(c.items))}
	var vals slab[item]
	var lists slab[*item]
	for _, it := range c.items {
		key, val, f := pair(it, count)
		if f != nil {
			return nil, f
		}
		list, ok := ix.values[key.Text()]
		if !ok {
			ix.keys = append(ix.keys, key)
			list = lists.some(1)[:0]
		}
		ix.values[key.Text()] = append(list, vals.put(val))
	}
	c.index = ix
	return ix, nil
}

// pair takes a stream map's element apart.
func pair(it *item, count *meter.Counter) (key value.Value, val item, f *fault.Fault) {
	v, f := it.value(count)
	if f != nil {
		return key, val, f
	}
	_ = count.Work(len(v.Text()) / meter.JSON)
	if v.Kind() != value.KindObject {
		return key, val, fault.PairType.New()
	}
	key, ok := v.Field("key")
	if !ok {
		return key, val, fault.PairType.New()
	}
	if k := key.Kind(); k != value.KindString && k != value.KindInt {
		return key, val, fault.PairKeyType.New()
	}
	inner, ok := v.Field("value")
	if !ok {
		return key, val, fault.PairNoValue.New()
	}
	return key, item{val: inner, tet: it.tetraplet(), prov: it.prov}, nil
}

// object is the canon map as one value.
func (c *canon) object(count *meter.Counter) (*item, *fault.Fault) {
	if c.whole == nil {
		ix, f := c.pairs(count)
		if f == nil {
			f = c.chargeObject(count)
		}
		if f != nil {
			return nil, f
		}
		c.whole = &item{val: ix.object(allOf), tet: &value.Tetraplet{PeerPK: c.peer}, prov: &c.prov}
	}
	return c.whole, nil
}
