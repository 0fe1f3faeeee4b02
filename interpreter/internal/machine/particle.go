package machine

import (
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Params are what runs know of their particle besides its data.
type Params struct {
	InitPeerID, CurrentPeerID string
	Timestamp                 uint64
	TTL                       uint32
	MaxSteps                  int // instructions in a run; 0 means no limit
	MaxData                   int // bytes of data
}

// Particle is what all runs of one particle at one peer share besides its content: its parameters,
// as items too, and the items of literals. Its script never changes.
type Particle struct {
	Params
	Unsure bool // a result may be of a peer without a key: the data has to be checked again

	literals []*content.Item // by slot
	// by scalar slot: the fault of a scalar without a value
	undefined                []*fault.Fault
	bytes                    int // of both, without the lists
	initTetraplet            *value.Tetraplet
	initPeer, timestamp, ttl *content.Item
}

func NewParticle(p Params) Particle {
	c := Particle{Params: p, initTetraplet: &value.Tetraplet{PeerPK: p.InitPeerID}}
	c.initPeer = c.constant(value.String(p.InitPeerID))
	c.timestamp = c.constant(value.Uint(p.Timestamp))
	c.ttl = c.constant(value.Uint(uint64(p.TTL)))
	return c
}

// constant is the item of a value that stands in the particle itself.
func (c *Particle) constant(v value.Value) *content.Item {
	return &content.Item{Val: v, Tet: c.initTetraplet}
}

// literal is the item of a literal, the same one in all runs.
func (c *Particle) literal(o *program.Operand) *content.Item {
	if n := int(o.Slot) + 1; n > len(c.literals) {
		c.literals = append(c.literals, make([]*content.Item, n-len(c.literals))...)
	}
	if c.literals[o.Slot] == nil {
		c.literals[o.Slot] = c.constant(o.Literal)
		c.bytes += meter.SizeOf[content.Item](1) + len(o.Literal.Text())
	}
	return c.literals[o.Slot]
}

// undefinedScalar is the fault of a scalar without a value. Every missing argument of a join asks
// for one, in every run.
func (c *Particle) undefinedScalar(p *program.Program, slot int32) *fault.Fault {
	if c.undefined == nil {
		c.undefined = make([]*fault.Fault, len(p.Scalars))
	}
	if c.undefined[slot] == nil {
		c.undefined[slot] = fault.NoValue(p.Scalars[slot])
		c.bytes += meter.SizeOf[fault.Fault](1)
	}
	return c.undefined[slot]
}

// MemSize is the memory of the items and faults.
func (c *Particle) MemSize() int { return 8*(cap(c.literals)+cap(c.undefined)) + c.bytes }
