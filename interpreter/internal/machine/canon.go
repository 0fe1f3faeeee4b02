package machine

import (
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

// canon freezes a stream on one peer. Its state is taken before the peer is
// resolved: what was taken is lost when the peer has no value yet, on every peer alike.
func (m *Machine) canon(n *program.Node) *fault.Fault {
	e, from, err := m.trace.MeetCanon()
	if err != nil {
		return m.traceFault(n, err)
	}
	peer, f := m.text(&n.Operands[program.CallPeer])
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
		m.checkRequest(n, peer, e, from)
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

func (m *Machine) metCanon(n *program.Node, e *trace.Entry, peer string,
	from trace.Source) *fault.Fault {
	c, f := m.canonState(e)
	if f != nil {
		return f
	}
	want := value.Tetraplet{PeerPK: peer}
	if c.Tet != want {
		return fault.OtherCanon.New(debugTetraplet(&want), debugTetraplet(&c.Tet))
	}
	if f := m.bindCanon(n, c, from); f != nil {
		return f
	}
	m.trace.Append(*e)
	if peer == m.particle.CurrentPeerID {
		m.own = append(m.own, c.Prov.CID)
	}
	return nil
}

func (m *Machine) canonState(e *trace.Entry) (*content.Canon, *fault.Fault) {
	if c, ok := e.Known.(*content.Canon); ok {
		return c, nil
	}
	c, f := m.store.Canon(e.CID)
	if f == nil {
		e.Known, e.CID = c, c.Prov.CID
	}
	return c, f
}

func (m *Machine) makeCanon(n *program.Node) *fault.Fault {
	m.changes++
	peer := m.particle.CurrentPeerID
	c := &content.Canon{Peer: peer, Tet: value.Tetraplet{PeerPK: peer}, Own: true}
	var last *content.CanonList
	if s := m.streams.At(&n.From); s != nil {
		if f := fault.Charge(m.count, s.Count, 8*s.Count+meter.SizeOf[content.Canon](1)); f != nil {
			return f
		}
		c.Items, last = s.Items(), &s.LastCanon
	}
	if n.Out.Kind == air.Scalar {
		whole := &content.Canon{Items: c.Items}
		ix, f := whole.Index(m.count)
		if f == nil {
			f = whole.ChargeObject(m.count)
		}
		if f != nil {
			return f
		}
		last = nil
		c.Items = []*content.Item{{Val: ix.Object(content.FirstOf),
			Tet: &value.Tetraplet{PeerPK: peer}}}
	}
	m.flushAnswers() // the canon names the results that its values come from
	cid, f := m.store.AddCanon(peer, c.Items, last)
	if f != nil {
		return f
	}
	c.Prov = data.Provenance{Origin: data.FromCanon, CID: cid}
	if f = m.bindCanon(n, c, trace.FromNone); f != nil {
		return f
	}
	m.trace.Append(trace.Entry{State: data.CanonDone(c.Prov.CID), Known: c})
	m.own = append(m.own, c.Prov.CID)
	return nil
}

func (m *Machine) bindCanon(n *program.Node, c *content.Canon, from trace.Source) *fault.Fault {
	m.again.addResult(from)
	out := &n.Out
	switch out.Kind {
	case air.CanonStream:
		if f := m.canSet(m.canons.CanSet(&m.scopes, out.Slot), out); f != nil {
			return f
		}
		m.canons.Set(&m.scopes, out.Slot, c, from.Set())
		return nil
	case air.CanonMap:
		if f := c.CheckPairs(m.count); f != nil {
			return f
		}
		if f := m.canSet(m.maps.CanSet(&m.scopes, out.Slot), out); f != nil {
			return f
		}
		m.maps.Set(&m.scopes, out.Slot, c, from.Set())
		return nil
	}
	if f := m.canOutput(out); f != nil {
		return f
	}
	if len(c.Items) == 0 {
		return fault.MissingScalar.New()
	}
	it := &content.Item{Val: c.Items[0].Val, Tet: &c.Tet, Prov: &c.Prov}
	m.scalars.Set(&m.scopes, out.Slot, it, from.Set())
	return nil
}

// ap copies a value.
func (m *Machine) ap(n *program.Node) *fault.Fault {
	it, f := m.resolve(&n.Operands[0])
	if f != nil {
		return m.waitFor(n, f)
	}
	size := scope.SizeOfStreamValue
	if kept := it.Stripped(); kept != it {
		it, size = kept, size+content.SizeOfItem
	}
	if n.Out.Kind == air.Scalar {
		if f := m.canSet(m.scalars.CanSet(&m.scopes, n.Out.Slot), &n.Out); f != nil {
			return f
		}
		m.scalars.Set(&m.scopes, n.Out.Slot, it, m.sourcesIn(n)|m.again.must)
		return nil
	}
	if f := fault.Charge(m.count, 0, size); f != nil {
		return f
	}
	e, from, err := m.trace.MeetAp()
	if err != nil {
		return m.traceFault(n, err)
	}
	return m.addToStream(&n.Out, it, e, from)
}

// apMap adds a pair to a stream map. The state is taken before the key is
// resolved, like that of canon.
func (m *Machine) apMap(n *program.Node) *fault.Fault {
	it, f := m.resolve(&n.Operands[1])
	if f != nil {
		return m.waitFor(n, f)
	}
	v, f := it.Value(m.count)
	if f != nil {
		return f
	}
	e, from, err := m.trace.MeetAp()
	if err != nil {
		return m.traceFault(n, err)
	}
	key, f := m.operandValue(&n.Operands[0])
	if f != nil {
		m.unsteady = true
		return m.waitFor(n, f)
	}
	if k := key.Kind(); k != value.KindString && k != value.KindInt {
		m.unsteady = true
		return fault.MapKey.New(n.Out.Name)
	}
	it = it.Stripped()
	if f := fault.Charge(m.count, len(v.Text())/meter.Byte,
		len(key.Text())+len(v.Text())+content.SizeOfItem+scope.SizeOfStreamValue); f != nil {
		return f
	}
	return m.addToStream(&n.Out, m.store.NewPair(key, v, it), e, from)
}

func (m *Machine) addToStream(out *program.Target, it *content.Item, e *trace.Entry,
	from trace.Source) *fault.Fault {
	generation := uint32(0)
	if e != nil {
		generation = e.Generation
	} else {
		m.changes++
	}
	m.again.addResult(from)
	f := m.markChanged(m.streams.AtOrNew(out)).Add(scope.StreamValue{Item: it, Pos: m.trace.Pos()},
		from, generation)
	m.trace.Append(trace.Entry{State: data.ApState(unnumbered)})
	return f
}
