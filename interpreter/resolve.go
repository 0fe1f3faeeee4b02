package interpreter

import (
	"math"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// resolve finds the item that an operand stands for. A variable without a
// value gives a fault that waits.
func (m *machine) resolve(o *operand) (*item, *fault.Fault) {
	switch o.src.Kind {
	case air.InitPeerID:
		return m.particle.initPeer, nil
	case air.Timestamp:
		return m.particle.timestamp, nil
	case air.TTL:
		return m.particle.ttl, nil
	case air.LastError:
		return m.ofError(m.errorItem(&m.lastError), o.lens)
	case air.Error:
		return m.ofError(m.errorItem(&m.anyError), o.lens)
	case air.Variable:
		return m.variable(o)
	}
	return m.particle.literal(o), nil
}

// ofError applies a lens to an error object; the tetraplet stays.
func (m *machine) ofError(it *item, l *lens) (*item, *fault.Fault) {
	if l == nil {
		return it, nil
	}
	v, f := m.look(it, l)
	if f != nil {
		return nil, f
	}
	return &item{val: v, tet: it.tetraplet(), prov: it.prov}, nil
}

func (m *machine) variable(o *operand) (*item, *fault.Fault) {
	switch o.src.Var.Kind {
	case air.CanonStream:
		return m.ofCanon(o)
	case air.CanonMap:
		return m.ofCanonMap(o)
	}
	it, f := m.scalar(o.slot)
	if f != nil || o.lens == nil {
		return it, f
	}
	v, f := m.look(it, o.lens)
	if f == nil {
		f = fault.Charge(m.count, len(o.lens.text)/meter.Byte, sizeOfItem+len(it.tetraplet().Lens)+len(o.lens.text))
	}
	if f != nil {
		return nil, f
	}
	if o.lens.length {
		return &item{val: v, tet: &value.Tetraplet{Lens: o.lens.text}, prov: it.prov}, nil
	}
	t := *it.tetraplet()
	t.Lens += o.lens.text
	return &item{val: v, tet: &t, prov: it.prov}, nil
}

// scalar is the value of a scalar or of an iterator.
func (m *machine) scalar(slot int32) (*item, *fault.Fault) {
	it, how := m.scalars.get(&m.scopes, slot)
	if p := m.folds[slot]; p != nil {
		if how != missing {
			return nil, fault.IteratorAndVariable.New(m.p.scalars[slot])
		}
		return p.items[p.index], nil
	}
	if how == missing {
		return nil, m.particle.undefinedScalar(m.p, slot)
	}
	return it, lookupFault(how, m.p.scalars, slot)
}

func lookupFault(how lookup, names []string, slot int32) *fault.Fault {
	switch how {
	case missing:
		return fault.NoValue(names[slot])
	case cleared:
		return fault.Cleared.New(names[slot])
	}
	return nil
}

func (m *machine) canonOf(o *operand) (*canon, *fault.Fault) {
	t, names := &m.canons, m.p.canons
	if o.src.Var.Kind == air.CanonMap {
		t, names = &m.maps, m.p.maps
	}
	c, how := t.get(&m.scopes, o.slot)
	return c, lookupFault(how, names, o.slot)
}

func (m *machine) ofCanon(o *operand) (*item, *fault.Fault) {
	c, f := m.canonOf(o)
	switch {
	case f != nil:
		return nil, f
	case o.lens == nil:
		return c.array(m.count)
	case o.lens.length:
		return &item{
			val:  value.Int(int64(len(c.items))),
			tet:  &value.Tetraplet{PeerPK: m.particle.CurrentPeerID, ServiceID: o.lens.text},
			prov: &c.prov,
		}, nil
	}
	i, f := m.canonIndex(&o.lens.path[0])
	if f != nil {
		return nil, f
	}
	if int64(i) >= int64(len(c.items)) {
		return nil, fault.FewElements.New(len(c.items), i)
	}
	it := c.items[i]
	if len(o.lens.path) == 1 {
		return it, nil
	}
	v, f := m.path(it, o.lens.path[1:])
	if f != nil {
		return nil, f
	}
	return &item{val: v, tet: it.tetraplet(), prov: it.prov}, nil
}

func (m *machine) canonIndex(a *accessor) (uint32, *fault.Fault) {
	switch a.Kind {
	case air.ByIndex:
		return a.Index, nil
	case air.ByField:
		return 0, fault.FieldOfStream.New(a.Name)
	}
	v, f := m.accessorValue(a)
	if f != nil {
		return 0, f
	}
	if i, ok := v.AsUint64(); ok && i <= math.MaxUint32 {
		return uint32(i), nil
	} else if k := v.Kind(); k == value.KindInt || k == value.KindFloat {
		return 0, fault.IndexNotU32.New(v)
	}
	return 0, fault.IndexNotNumber.New(v)
}

func (m *machine) accessorValue(a *accessor) (value.Value, *fault.Fault) {
	it, f := m.scalar(a.slot)
	if f != nil {
		return value.Value{}, f
	}
	return it.value(m.count)
}

func (m *machine) ofCanonMap(o *operand) (*item, *fault.Fault) {
	c, f := m.canonOf(o)
	switch {
	case f != nil:
		return nil, f
	case o.lens == nil:
		return c.object(m.count)
	case o.lens.length:
		return &item{
			val:  value.Int(int64(len(c.items))),
			tet:  &value.Tetraplet{PeerPK: m.particle.CurrentPeerID, Lens: "length"},
			prov: &c.prov,
		}, nil
	}
	values, f := m.valuesOfKey(c, &o.lens.path[0])
	if f != nil {
		return nil, f
	}
	if len(o.lens.path) > 1 && len(values) > 0 { // of a key that is not there, any part is []
		return m.ofKey(c, values, o.lens.path[1:])
	}
	size := sizeOfItem
	for _, it := range values {
		size += len(it.val.Text())
	}
	if f := fault.Charge(m.count, len(values)+size/meter.Byte, size); f != nil {
		return nil, f
	}
	return &item{
		val:  allOf(values),
		tet:  &value.Tetraplet{PeerPK: c.peer, Lens: o.lens.text},
		prov: &c.prov,
	}, nil
}

func (m *machine) valuesOfKey(c *canon, a *accessor) ([]*item, *fault.Fault) {
	ix, f := c.pairs(m.count)
	if f != nil {
		return nil, f
	}
	switch a.Kind {
	case air.ByIndex:
		return ix.of(value.Uint(uint64(a.Index))), nil
	case air.ByField:
		return ix.of(value.String(a.Name)), nil
	}
	if m.folds[a.slot] != nil {
		return nil, fault.KeyIsIterator.New()
	}
	v, f := m.accessorValue(a)
	if f != nil {
		return nil, f
	}
	if k := v.Kind(); k == value.KindString || k == value.KindInt {
		return ix.of(v), nil
	}
	return nil, fault.KeyType.New(v)
}

// ofKey applies the rest of a path to the values of one key.
func (m *machine) ofKey(c *canon, values []*item, path []accessor) (*item, *fault.Fault) {
	i, f := m.canonIndex(&path[0])
	if f != nil {
		return nil, f
	}
	if int64(i) >= int64(len(values)) {
		return nil, fault.FewElements.New(len(values), i)
	}
	it := values[i]
	v, f := m.path(it, path[1:])
	if f != nil {
		return nil, f
	}
	lens := []byte(it.tetraplet().Lens)
	for i := range path[1:] {
		lens = append(append(lens, '.'), path[1+i].String()...)
	}
	if f := fault.Charge(m.count, len(path)+len(lens)/meter.Byte, sizeOfItem+len(lens)); f != nil {
		return nil, f
	}
	t := *it.tetraplet()
	t.Lens = string(lens)
	return &item{val: v, tet: &t, prov: &c.prov}, nil
}

// look applies a lens to a JSON value.
func (m *machine) look(it *item, l *lens) (value.Value, *fault.Fault) {
	if !l.length {
		return m.path(it, l.path)
	}
	v, f := it.value(m.count)
	if f != nil {
		return v, f
	}
	_ = m.count.Work(len(v.Text()) / meter.JSON)
	n, ok := v.Len()
	if !ok {
		return v, fault.Length.New(v)
	}
	return value.Int(int64(n)), nil
}

func (m *machine) path(it *item, path []accessor) (value.Value, *fault.Fault) {
	v, f := it.value(m.count)
	for i := 0; i < len(path) && f == nil; i++ {
		v, f = m.stepInto(v, &path[i])
	}
	return v, f
}

func (m *machine) stepInto(v value.Value, a *accessor) (value.Value, *fault.Fault) {
	_ = m.count.Work(1 + len(v.Text())/meter.JSON)
	switch a.Kind {
	case air.ByIndex:
		return element(v, a.Index)
	case air.ByField:
		return field(v, a.Name)
	}
	by, f := m.accessorValue(a)
	if f != nil {
		return v, f
	}
	if name, ok := by.AsString(); ok {
		return field(v, name)
	}
	if k := by.Kind(); k != value.KindInt && k != value.KindFloat {
		return v, fault.AccessorType.New(by)
	}
	i, ok := by.AsUint64()
	if !ok || i > math.MaxUint32 {
		return v, fault.IndexNotU32.New(by)
	}
	return element(v, uint32(i))
}

func element(v value.Value, i uint32) (value.Value, *fault.Fault) {
	if v.Kind() != value.KindArray {
		return v, fault.NotArray.New(v, i)
	}
	e, ok := v.Index(int(i))
	if !ok {
		return v, fault.NoElement.New(v, i)
	}
	return e, nil
}

func field(v value.Value, name string) (value.Value, *fault.Fault) {
	if v.Kind() != value.KindObject {
		return v, fault.NotObject.New(v, name)
	}
	e, ok := v.Field(name)
	if !ok {
		return v, fault.NoField.New(v, name)
	}
	return e, nil
}

// operandValue is the value of an operand alone.
func (m *machine) operandValue(o *operand) (value.Value, *fault.Fault) {
	it, f := m.resolve(o)
	if f != nil {
		return value.Value{}, f
	}
	return it.value(m.count)
}

// text is an operand that has to be a string: a peer, a service or a function.
func (m *machine) text(o *operand) (string, *fault.Fault) {
	switch o.src.Kind {
	case air.String:
		return o.src.Text, nil
	case air.InitPeerID:
		return m.particle.InitPeerID, nil
	}
	v, f := m.operandValue(o)
	if f != nil {
		return "", f
	}
	s, ok := v.AsString()
	if !ok {
		return "", fault.TripletType.New(o.src.Var.Name, v)
	}
	return s, nil
}

// tetraplets are those of an operand as an argument: one, or one for each
// element of a canon.
func (m *machine) tetraplets(o *operand, it *item) []value.Tetraplet {
	if o.src.Kind == air.Variable && o.lens == nil && o.src.Var.Kind != air.Scalar {
		c, _ := m.canonOf(o)
		if fault.Charge(m.count, len(c.items), len(c.items)*int(unsafe.Sizeof(value.Tetraplet{}))) != nil {
			return nil
		}
		out := make([]value.Tetraplet, len(c.items))
		for i, e := range c.items {
			out[i] = *e.tetraplet()
		}
		return out
	}
	return []value.Tetraplet{*it.tetraplet()}
}

// iterable lists what a fold walks over.
func (m *machine) iterable(o *operand) ([]*item, *fault.Fault) {
	if o.src.Kind == air.Variable && o.src.Var.Kind != air.Scalar && o.lens == nil {
		c, f := m.canonOf(o)
		if f != nil {
			return nil, f
		}
		return c.items, nil
	}
	it, f := m.resolve(o)
	if f != nil {
		return nil, f
	}
	items, isArray, f := it.split(m.count)
	if f == nil && !isArray {
		name := o.src.Var.Name
		if o.lens != nil {
			name = o.lens.text
		}
		f = fault.NotIterable.New(name, it.val)
	}
	return items, f
}
