package machine

import (
	"math"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/internal/scope"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// resolve finds the item that an operand stands for. A variable without a
// value is a fault that waits.
func (m *Machine) resolve(o *program.Operand) (*content.Item, *fault.Fault) {
	switch o.Source.Kind {
	case air.InitPeerID:
		return m.particle.initPeer, nil
	case air.Timestamp:
		return m.particle.timestamp, nil
	case air.TTL:
		return m.particle.ttl, nil
	case air.LastError:
		return m.ofError(m.errorItem(&m.lastError), o.Lens)
	case air.Error:
		return m.ofError(m.errorItem(&m.anyError), o.Lens)
	case air.Variable:
		return m.variable(o)
	}
	return m.particle.literal(o), nil
}

// ofError applies a lens to an error object; the tetraplet stays.
func (m *Machine) ofError(it *content.Item, l *program.Lens) (*content.Item, *fault.Fault) {
	if l == nil {
		return it, nil
	}
	v, f := m.look(it, l)
	if f != nil {
		return nil, f
	}
	return &content.Item{Val: v, Tet: it.Tetraplet(), Prov: it.Prov}, nil
}

func (m *Machine) variable(o *program.Operand) (*content.Item, *fault.Fault) {
	switch o.Source.Var.Kind {
	case air.CanonStream:
		return m.ofCanon(o)
	case air.CanonMap:
		return m.ofCanonMap(o)
	}
	it, f := m.scalar(o.Slot)
	if f != nil || o.Lens == nil {
		return it, f
	}
	v, f := m.look(it, o.Lens)
	if f == nil {
		f = fault.Charge(m.count, len(o.Lens.Text)/meter.Byte,
			content.SizeOfItem+len(it.Tetraplet().Lens)+len(o.Lens.Text))
	}
	if f != nil {
		return nil, f
	}
	if o.Lens.Length {
		return &content.Item{Val: v, Tet: &value.Tetraplet{Lens: o.Lens.Text}, Prov: it.Prov}, nil
	}
	t := *it.Tetraplet()
	t.Lens += o.Lens.Text
	return &content.Item{Val: v, Tet: &t, Prov: it.Prov}, nil
}

// scalar is the value of a scalar or of an iterator.
func (m *Machine) scalar(slot int32) (*content.Item, *fault.Fault) {
	it, how := m.scalars.Get(&m.scopes, slot)
	if p := m.folds[slot]; p != nil {
		if how != scope.Missing {
			return nil, fault.IteratorAndVariable.New(m.p.Scalars[slot])
		}
		return p.items[p.index], nil
	}
	if how == scope.Missing {
		return nil, m.particle.undefinedScalar(m.p, slot)
	}
	return it, lookupFault(how, m.p.Scalars, slot)
}

func lookupFault(how scope.Lookup, names []string, slot int32) *fault.Fault {
	switch how {
	case scope.Missing:
		return fault.NoValue(names[slot])
	case scope.Cleared:
		return fault.Cleared.New(names[slot])
	}
	return nil
}

func (m *Machine) canonOf(o *program.Operand) (*content.Canon, *fault.Fault) {
	t, names := &m.canons, m.p.Canons
	if o.Source.Var.Kind == air.CanonMap {
		t, names = &m.maps, m.p.Maps
	}
	c, how := t.Get(&m.scopes, o.Slot)
	return c, lookupFault(how, names, o.Slot)
}

func (m *Machine) ofCanon(o *program.Operand) (*content.Item, *fault.Fault) {
	c, f := m.canonOf(o)
	switch {
	case f != nil:
		return nil, f
	case o.Lens == nil:
		return c.Array(m.count)
	case o.Lens.Length:
		return &content.Item{
			Val:  value.Int(int64(len(c.Items))),
			Tet:  &value.Tetraplet{PeerPK: m.particle.CurrentPeerID, ServiceID: o.Lens.Text},
			Prov: &c.Prov,
		}, nil
	}
	i, f := m.canonIndex(&o.Lens.Path[0])
	if f != nil {
		return nil, f
	}
	if int64(i) >= int64(len(c.Items)) {
		return nil, fault.FewElements.New(len(c.Items), i)
	}
	it := c.Items[i]
	if len(o.Lens.Path) == 1 {
		return it, nil
	}
	v, f := m.path(it, o.Lens.Path[1:])
	if f != nil {
		return nil, f
	}
	return &content.Item{Val: v, Tet: it.Tetraplet(), Prov: it.Prov}, nil
}

func (m *Machine) canonIndex(a *program.Accessor) (uint32, *fault.Fault) {
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

func (m *Machine) accessorValue(a *program.Accessor) (value.Value, *fault.Fault) {
	it, f := m.scalar(a.Slot)
	if f != nil {
		return value.Value{}, f
	}
	return it.Value(m.count)
}

func (m *Machine) ofCanonMap(o *program.Operand) (*content.Item, *fault.Fault) {
	c, f := m.canonOf(o)
	switch {
	case f != nil:
		return nil, f
	case o.Lens == nil:
		return c.Object(m.count)
	case o.Lens.Length:
		return &content.Item{
			Val:  value.Int(int64(len(c.Items))),
			Tet:  &value.Tetraplet{PeerPK: m.particle.CurrentPeerID, Lens: "length"},
			Prov: &c.Prov,
		}, nil
	}
	values, f := m.valuesOfKey(c, &o.Lens.Path[0])
	if f != nil {
		return nil, f
	}
	if len(o.Lens.Path) > 1 && len(values) > 0 { // of a key that is not there, any part is []
		return m.ofKey(c, values, o.Lens.Path[1:])
	}
	size := content.SizeOfItem
	for _, it := range values {
		size += len(it.Val.Text())
	}
	if f := fault.Charge(m.count, len(values)+size/meter.Byte, size); f != nil {
		return nil, f
	}
	return &content.Item{
		Val:  content.AllOf(values),
		Tet:  &value.Tetraplet{PeerPK: c.Peer, Lens: o.Lens.Text},
		Prov: &c.Prov,
	}, nil
}

func (m *Machine) valuesOfKey(
	c *content.Canon, a *program.Accessor,
) ([]*content.Item, *fault.Fault) {
	ix, f := c.Index(m.count)
	if f != nil {
		return nil, f
	}
	switch a.Kind {
	case air.ByIndex:
		return ix.Values(value.Uint(uint64(a.Index))), nil
	case air.ByField:
		return ix.Values(value.String(a.Name)), nil
	}
	if m.folds[a.Slot] != nil {
		return nil, fault.KeyIsIterator.New()
	}
	v, f := m.accessorValue(a)
	if f != nil {
		return nil, f
	}
	if k := v.Kind(); k == value.KindString || k == value.KindInt {
		return ix.Values(v), nil
	}
	return nil, fault.KeyType.New(v)
}

// ofKey applies the rest of a path to the values of one key.
func (m *Machine) ofKey(c *content.Canon, values []*content.Item,
	path []program.Accessor) (*content.Item, *fault.Fault) {
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
	lens := []byte(it.Tetraplet().Lens)
	for i := range path[1:] {
		lens = append(append(lens, '.'), path[1+i].String()...)
	}
	if f := fault.Charge(m.count, len(path)+len(lens)/meter.Byte,
		content.SizeOfItem+len(lens)); f != nil {
		return nil, f
	}
	t := *it.Tetraplet()
	t.Lens = string(lens)
	return &content.Item{Val: v, Tet: &t, Prov: &c.Prov}, nil
}

// look applies a lens to a JSON value.
func (m *Machine) look(it *content.Item, l *program.Lens) (value.Value, *fault.Fault) {
	if !l.Length {
		return m.path(it, l.Path)
	}
	v, f := it.Value(m.count)
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

func (m *Machine) path(it *content.Item, path []program.Accessor) (value.Value, *fault.Fault) {
	v, f := it.Value(m.count)
	for i := 0; i < len(path) && f == nil; i++ {
		v, f = m.stepInto(v, &path[i])
	}
	return v, f
}

func (m *Machine) stepInto(v value.Value, a *program.Accessor) (value.Value, *fault.Fault) {
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
func (m *Machine) operandValue(o *program.Operand) (value.Value, *fault.Fault) {
	it, f := m.resolve(o)
	if f != nil {
		return value.Value{}, f
	}
	return it.Value(m.count)
}

// text is an operand that has to be a string: a peer, a service or a function.
func (m *Machine) text(o *program.Operand) (string, *fault.Fault) {
	switch o.Source.Kind {
	case air.String:
		return o.Source.Text, nil
	case air.InitPeerID:
		return m.particle.InitPeerID, nil
	}
	v, f := m.operandValue(o)
	if f != nil {
		return "", f
	}
	s, ok := v.AsString()
	if !ok {
		return "", fault.TripletType.New(o.Source.Var.Name, v)
	}
	return s, nil
}

// tetraplets are those of an operand as an argument: one, or one for each
// element of a canon.
func (m *Machine) tetraplets(o *program.Operand, it *content.Item) []value.Tetraplet {
	if o.Source.Kind == air.Variable && o.Lens == nil && o.Source.Var.Kind != air.Scalar {
		c, _ := m.canonOf(o)
		if fault.Charge(m.count, len(c.Items),
			len(c.Items)*int(unsafe.Sizeof(value.Tetraplet{}))) != nil {
			return nil
		}
		out := make([]value.Tetraplet, len(c.Items))
		for i, e := range c.Items {
			out[i] = *e.Tetraplet()
		}
		return out
	}
	return []value.Tetraplet{*it.Tetraplet()}
}

// iterable lists what a fold walks over.
func (m *Machine) iterable(o *program.Operand) ([]*content.Item, *fault.Fault) {
	if o.Source.Kind == air.Variable && o.Source.Var.Kind != air.Scalar && o.Lens == nil {
		c, f := m.canonOf(o)
		if f != nil {
			return nil, f
		}
		return c.Items, nil
	}
	it, f := m.resolve(o)
	if f != nil {
		return nil, f
	}
	items, isArray, f := it.Elements(m.count)
	if f == nil && !isArray {
		name := o.Source.Var.Name
		if o.Lens != nil {
			name = o.Lens.Text
		}
		f = fault.NotIterable.New(name, it.Val)
	}
	return items, f
}
