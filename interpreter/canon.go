package interpreter

import (
	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
	"github.com/aquanode/aquanode/interpreter/value"
)

// canon freezes a stream on one peer. Its state is taken before the peer is
// resolved: what was taken is lost when the peer has no value yet, on every peer alike.
func (m *machine) canon(n *node) *fault.Fault {
	e, from, err := m.trace.MeetCanon()
	if err != nil {
		return m.traceFault(n, err)
	}
	peer, f := m.text(&n.operands[callPeer])
	if f != nil {
		m.unsteady = true
		return m.waitFor(n, f)
	}
	self := m.particle.CurrentPeerID
	switch {
	case e != nil && e.Kind == data.CanonExecuted:
		return m.metCanon(n, e, peer, from)
	case peer == self:
		return m.makeCanon(n)
	case e != nil:
		m.remind(n, peer, e, from)
		m.complete = false
		m.waitForPeer(n, peer)
		m.trace.Append(*e)
		return nil
	}
	m.changes++
	m.send(peer)
	m.waitForPeer(n, peer)
	m.complete = false
	m.trace.Append(trace.Entry{State: data.CanonSent(self)})
	return nil
}

func (m *machine) metCanon(n *node, e *trace.Entry, peer string, from trace.Source) *fault.Fault {
	c, f := m.canonState(e)
	if f != nil {
		return f
	}
	want := value.Tetraplet{PeerPK: peer}
	if c.tet != want {
		return fault.OtherCanon.New(debugTetraplet(&want), debugTetraplet(&c.tet))
	}
	if f := m.bindCanon(n, c, from); f != nil {
		return f
	}
	m.trace.Append(*e)
	if peer == m.particle.CurrentPeerID {
		m.own = append(m.own, c.prov.CID)
	}
	return nil
}

func (m *machine) canonState(e *trace.Entry) (*canon, *fault.Fault) {
	if c, ok := e.Known.(*canon); ok {
		return c, nil
	}
	c, f := m.store.canon(e.CID)
	if f == nil {
		e.Known, e.CID = c, c.prov.CID
	}
	return c, f
}

func (m *machine) makeCanon(n *node) *fault.Fault {
	m.changes++
	peer := m.particle.CurrentPeerID
	c := &canon{peer: peer, tet: value.Tetraplet{PeerPK: peer}, own: true}
	var last *frozenList
	if s := m.streams.at(&n.from); s != nil {
		if f := fault.Charge(m.count, s.count, 8*s.count+meter.SizeOf[canon](1)); f != nil {
			return f
		}
		c.items, last = s.items(), &s.frozen
	}
	if n.out.Kind == air.Scalar {
		whole := &canon{items: c.items}
		ix, f := whole.pairs(m.count)
		if f == nil {
			f = whole.chargeObject(m.count)
		}
		if f != nil {
			return f
		}
		last = nil
		c.items = []*item{{val: ix.object(firstOf), tet: &value.Tetraplet{PeerPK: peer}}}
	}
	m.flushAnswers() // the canon names the results that its values come from
	cid, f := m.store.addCanon(c.items, last)
	if f != nil {
		return f
	}
	c.prov = data.Provenance{Origin: data.FromCanon, CID: cid}
	if f = m.bindCanon(n, c, trace.FromNone); f != nil {
		return f
	}
	m.trace.Append(trace.Entry{State: data.CanonDone(c.prov.CID), Known: c})
	m.own = append(m.own, c.prov.CID)
	return nil
}

func (m *machine) bindCanon(n *node, c *canon, from trace.Source) *fault.Fault {
	m.again.learn(from)
	out := &n.out
	switch out.Kind {
	case air.CanonStream:
		if f := m.canSet(m.canons.settable(&m.scopes, out.slot), out); f != nil {
			return f
		}
		m.canons.put(&m.scopes, out.slot, c, newsFrom(from))
		return nil
	case air.CanonMap:
		if f := c.checkPairs(m.count); f != nil {
			return f
		}
		if f := m.canSet(m.maps.settable(&m.scopes, out.slot), out); f != nil {
			return f
		}
		m.maps.put(&m.scopes, out.slot, c, newsFrom(from))
		return nil
	}
	if f := m.canOutput(out); f != nil {
		return f
	}
	if len(c.items) == 0 {
		return fault.MissingScalar.New()
	}
	it := &item{val: c.items[0].val, tet: &c.tet, prov: &c.prov}
	m.scalars.put(&m.scopes, out.slot, it, newsFrom(from))
	return nil
}

// ap copies a value.
func (m *machine) ap(n *node) *fault.Fault {
	it, f := m.resolve(&n.operands[0])
	if f != nil {
		return m.waitFor(n, f)
	}
	size := sizeOfStreamValue
	if kept := it.kept(); kept != it {
		it, size = kept, size+sizeOfItem
	}
	if n.out.Kind == air.Scalar {
		if f := m.canSet(m.scalars.settable(&m.scopes, n.out.slot), &n.out); f != nil {
			return f
		}
		m.scalars.put(&m.scopes, n.out.slot, it, m.newsIn(n)|m.again.must)
		return nil
	}
	if f := fault.Charge(m.count, 0, size); f != nil {
		return f
	}
	e, from, err := m.trace.MeetAp()
	if err != nil {
		return m.traceFault(n, err)
	}
	return m.addToStream(&n.out, it, e, from)
}

// apMap adds a pair to a stream map. The state is taken before the key is
// resolved, like that of canon.
func (m *machine) apMap(n *node) *fault.Fault {
	it, f := m.resolve(&n.operands[1])
	if f != nil {
		return m.waitFor(n, f)
	}
	v, f := it.value(m.count)
	if f != nil {
		return f
	}
	e, from, err := m.trace.MeetAp()
	if err != nil {
		return m.traceFault(n, err)
	}
	key, f := m.operandValue(&n.operands[0])
	if f != nil {
		m.unsteady = true
		return m.waitFor(n, f)
	}
	if k := key.Kind(); k != value.KindString && k != value.KindInt {
		m.unsteady = true
		return fault.MapKey.New(n.out.Name)
	}
	it = it.kept()
	if f := fault.Charge(m.count, len(v.Text())/meter.Byte, len(key.Text())+len(v.Text())+sizeOfItem+sizeOfStreamValue); f != nil {
		return f
	}
	pair := m.store.texts.Object([]value.Field{{Key: "key", Value: key}, {Key: "value", Value: v}})
	m.store.spell(it)
	return m.addToStream(&n.out, m.store.items.put(item{val: pair, tet: it.tet, prov: it.prov}), e, from)
}

func (m *machine) addToStream(out *target, it *item, e *trace.Entry, from trace.Source) *fault.Fault {
	generation := uint32(0)
	if e != nil {
		generation = e.Generation
	} else {
		m.changes++
	}
	m.again.learn(from)
	f := m.touch(m.streams.orMake(out)).add(streamValue{it, m.trace.Pos()}, from, generation)
	m.trace.Append(trace.Entry{State: data.ApState(unnumbered)})
	return f
}
