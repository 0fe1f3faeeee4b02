package content

import (
	"strconv"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/slab"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Bytes of things made by runs.
const (
	SizeOfItem    = int(unsafe.Sizeof(Item{})) + int(unsafe.Sizeof(value.Tetraplet{}))
	sizeOfElement = int(unsafe.Sizeof(Item{})) + 8 // of an array
	sizeOfPair    = int(unsafe.Sizeof(Item{})) + 100
)

// Item is a value with where it came from. Items are shared between variables
// and never change, except that they remember what was once computed of them.
type Item struct {
	Val  value.Value
	Tet  *value.Tetraplet // nil: that of the array with the index appended
	Prov *data.Provenance // nil: a literal

	array *Item // the array that this is an element of
	index int32

	parts *[]*Item // the elements of an array, once a fold walked over it

	elementCID data.CID // once stored in a canon
	epoch      int32    // of the State when it was stored
}

// Value is the canonical value. The text of foreign data is read here, when
// it is used for the first time.
func (it *Item) Value(count *meter.Counter) (value.Value, *fault.Fault) {
	if it.Val.IsRaw() {
		if f := fault.Charge(count, len(it.Val.Text())/meter.JSON, len(it.Val.Text())); f != nil {
			return it.Val, f
		}
		v, err := it.Val.Canonical()
		if err != nil {
			return v, fault.NotJSON.New(err)
		}
		it.Val = v
	}
	return it.Val, nil
}

func (it *Item) Tetraplet() *value.Tetraplet {
	if it.Tet == nil {
		t := *it.array.Tetraplet()
		t.Lens = string(it.appendLens(nil))
		it.Tet = &t
	}
	return it.Tet
}

// appendLens writes the lens of an element of an array.
func (it *Item) appendLens(dst []byte) []byte {
	dst = append(append(dst, it.array.Tetraplet().Lens...), ".$.["...)
	return append(strconv.AppendInt(dst, int64(it.index), 10), ']')
}

// Provenance is the origin of the value.
func (it *Item) Provenance() data.Provenance {
	if it.Prov == nil {
		return data.Provenance{}
	}
	return *it.Prov
}

// Stripped is the item as a variable or a stream keeps it: of a literal only the
// peer of its tetraplet stays, of what came from a canon the peer and the lens.
func (it *Item) Stripped() *Item {
	if it.Provenance().Origin == data.FromService {
		return it
	}
	t := it.Tetraplet()
	k := stripTetraplet(t, it.Provenance().Origin)
	if k == t {
		return it
	}
	c := *it
	c.Tet, c.elementCID = k, ""
	return &c
}

func stripTetraplet(t *value.Tetraplet, from data.Origin) *value.Tetraplet {
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

// Elements returns the elements of an array as items.
func (it *Item) Elements(count *meter.Counter) ([]*Item, bool, *fault.Fault) {
	if it.parts != nil {
		return *it.parts, true, nil
	}
	v, f := it.Value(count)
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
	backing := make([]Item, len(vals))
	elements := make([]*Item, len(vals))
	for i, e := range vals {
		// field by field: a whole item is written through the barrier of the collector, zeros and
		// all
		el := &backing[i]
		el.Val, el.array, el.index, el.Prov = e, it, int32(i), it.Prov
		elements[i] = el
	}
	it.parts = &elements
	return elements, true, nil
}

// largestValue bounds what a script can put together. An array of the values of a stream put into a
// stream twice, and again, doubles with every turn; honest values come from services and are below
// the particle size limit of hosts, 64 MiB.
const largestValue = 256 << 20

// Canon is a stream or a stream map frozen by a peer.
type Canon struct {
	Prov  data.Provenance // of values taken from it
	Peer  string
	Tet   value.Tetraplet // {peer, "", "", ""} unless the data says otherwise
	Items []*Item         // of a map: pairs {"key", "value"}

	asValue *Item // the value as a whole, once it was asked for
	index   *KeyIndex
	Own     bool // made here, of a stream of this peer
}

// KeyIndex finds the values of a canon map by key.
type KeyIndex struct {
	values map[string][]*Item // by the JSON text of the key: a string in its quotes, or an integer
	keys   []value.Value      // in the order of their first pairs
}

// Values lists the values of a key.
func (ix *KeyIndex) Values(key value.Value) []*Item { return ix.values[key.Text()] }

// Object has a field for each key text. (The integer 42 and the string "42" are
// two keys of one text; the first one stays, where the reference takes either by chance.)
func (ix *KeyIndex) Object(of func(values []*Item) value.Value) value.Value {
	fields := make([]value.Field, 0, len(ix.keys))
	for i := len(ix.keys) - 1; i >= 0; i-- {
		fields = append(fields, value.Field{Key: keyText(ix.keys[i]),
			Value: of(ix.Values(ix.keys[i]))})
	}
	return value.Object(fields)
}

func keyText(key value.Value) string {
	if name, ok := key.AsString(); ok {
		return name
	}
	return key.Text()
}

func FirstOf(values []*Item) value.Value { return values[0].Val }

func AllOf(values []*Item) value.Value {
	list := make([]value.Value, len(values))
	for i, it := range values {
		list[i] = it.Val
	}
	return value.Array(list)
}

// Array is the canon stream as one value.
func (c *Canon) Array(count *meter.Counter) (*Item, *fault.Fault) {
	if c.asValue == nil {
		vals, size := make([]value.Value, len(c.Items)), SizeOfItem
		for i, it := range c.Items {
			v, f := it.Value(count)
			if f != nil {
				return nil, f
			}
			vals[i] = v
			if size += len(v.Text()); size > largestValue {
				return nil, fault.ValueTooLarge
			}
		}
		if f := fault.Charge(count, len(vals)+size/meter.Byte,
			size+len(vals)*int(unsafe.Sizeof(vals[0]))); f != nil {
			return nil, f
		}
		c.asValue = &Item{Val: value.Array(vals), Tet: &value.Tetraplet{PeerPK: c.Peer},
			Prov: &c.Prov}
	}
	return c.asValue, nil
}

// CheckPairs looks whether the elements are pairs that a canon map can have. Those of a stream map
// of this peer are.
func (c *Canon) CheckPairs(count *meter.Counter) *fault.Fault {
	if c.Own {
		return c.checkSize()
	}
	_, f := c.Index(count)
	return f
}

// ChargeObject counts what the canon map as one value takes.
func (c *Canon) ChargeObject(count *meter.Counter) *fault.Fault {
	size := 0
	for _, it := range c.Items {
		size += len(it.Val.Text())
	}
	return fault.Charge(count, len(c.Items)+size/meter.Byte, 2*size+SizeOfItem)
}

func (c *Canon) checkSize() *fault.Fault {
	size := 0
	for _, it := range c.Items {
		if size += len(it.Val.Text()); size > largestValue {
			return fault.ValueTooLarge
		}
	}
	return nil
}

// Index is the canon map's index, made when first wanted.
func (c *Canon) Index(count *meter.Counter) (*KeyIndex, *fault.Fault) {
	if c.index != nil {
		return c.index, nil
	}
	if f := c.checkSize(); f != nil {
		return nil, f
	}
	if f := fault.Charge(count, 4*len(c.Items), len(c.Items)*sizeOfPair); f != nil {
		return nil, f
	}
	ix := &KeyIndex{values: make(map[string][]*Item, len(c.Items))}
	var vals slab.Slab[Item]
	var lists slab.Slab[*Item]
	for _, it := range c.Items {
		key, val, f := pair(it, count)
		if f != nil {
			return nil, f
		}
		list, ok := ix.values[key.Text()]
		if !ok {
			ix.keys = append(ix.keys, key)
			list = lists.List(1)[:0]
		}
		ix.values[key.Text()] = append(list, vals.Put(val))
	}
	c.index = ix
	return ix, nil
}

// pair takes a stream map's element apart.
func pair(it *Item, count *meter.Counter) (key value.Value, val Item, f *fault.Fault) {
	v, f := it.Value(count)
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
	return key, Item{Val: inner, Tet: it.Tetraplet(), Prov: it.Prov}, nil
}

// Object is the canon map as one value.
func (c *Canon) Object(count *meter.Counter) (*Item, *fault.Fault) {
	if c.asValue == nil {
		ix, f := c.Index(count)
		if f == nil {
			f = c.ChargeObject(count)
		}
		if f != nil {
			return nil, f
		}
		c.asValue = &Item{Val: ix.Object(AllOf), Tet: &value.Tetraplet{PeerPK: c.Peer},
			Prov: &c.Prov}
	}
	return c.asValue, nil
}
