package interpreter

import (
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// particleParams are what runs know of their particle besides its data.
type particleParams struct {
	InitPeerID, CurrentPeerID string
	Timestamp                 uint64
	TTL                       uint32
	MaxSteps                  int // instructions in a run; 0 means no limit
	MaxData                   int // bytes of data
}

// particle is what all runs of one particle at one peer share besides its content: its parameters, as
// items too, and the items of literals. Its script never changes.
type particle struct {
	particleParams
	unsure bool // a result may be of a peer without a key: the data has to be checked again

	literals                 []*item        // by slot
	undefined                []*fault.Fault // by scalar slot: the fault of a scalar without a value
	bytes                    int            // of both, without the lists
	initTetraplet            *value.Tetraplet
	initPeer, timestamp, ttl *item
}

func newParticle(p particleParams) particle {
	c := particle{particleParams: p, initTetraplet: &value.Tetraplet{PeerPK: p.InitPeerID}}
	c.initPeer = c.constant(value.String(p.InitPeerID))
	c.timestamp = c.constant(value.Uint(p.Timestamp))
	c.ttl = c.constant(value.Uint(uint64(p.TTL)))
	return c
}

// constant is the item of a value that stands in the particle itself.
func (c *particle) constant(v value.Value) *item { return &item{val: v, tet: c.initTetraplet} }

// literal is the item of a literal, the same one in all runs.
func (c *particle) literal(o *operand) *item {
	if n := int(o.slot) + 1; n > len(c.literals) {
		c.literals = append(c.literals, make([]*item, n-len(c.literals))...)
	}
	if c.literals[o.slot] == nil {
		c.literals[o.slot] = c.constant(o.lit)
		c.bytes += meter.SizeOf[item](1) + len(o.lit.Text())
	}
	return c.literals[o.slot]
}

// undefinedScalar is the fault of a scalar without a value. Every missing argument of a join asks
// for one, in every run.
func (c *particle) undefinedScalar(p *program, slot int32) *fault.Fault {
	if c.undefined == nil {
		c.undefined = make([]*fault.Fault, len(p.scalars))
	}
	if c.undefined[slot] == nil {
		c.undefined[slot] = fault.NoValue(p.scalars[slot])
		c.bytes += meter.SizeOf[fault.Fault](1)
	}
	return c.undefined[slot]
}

// memSize is the memory of the items and faults.
func (c *particle) memSize() int { return 8*(cap(c.literals)+cap(c.undefined)) + c.bytes }
