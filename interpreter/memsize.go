package interpreter

import (
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// MemSize is about how many bytes the state holds, the script not counted, which is shared. It takes the same time for all
// states, since hosts ask after each step.
func (s *State) MemSize() int {
	size := len(s.bytes) + meter.SizeOf[State](1) + meter.SizeOf[workspace](1)
	size += meter.SizeOf[trace.Entry](cap(s.trace)+cap(s.spare)) + meter.SizeOf[data.State](cap(s.states))
	size += meter.SizeOf[data.CID](cap(s.own)+cap(s.spareOwn)) + 100*len(s.signed) + 120*s.verified.Len()
	return size + s.store.memSize() + s.particle.memSize() + s.m.size()
}

// size is the memory of a run, which stays until the next one.
func (m *machine) size() int {
	size := meter.SizeOf[frame](m.frames) + m.trace.Size() + m.made
	size += m.scalars.size() + m.canons.size() + m.maps.size() + cap(m.scopes.allowed) + 8*cap(m.folds)
	size += meter.SizeOf[[]*stream](cap(m.streams)) + m.streamed + 8*cap(m.touched)
	return size + meter.SizeOf[wait](cap(m.waits)) + meter.SizeOf[answer](cap(m.answers)) + 8*cap(m.args) + 16*cap(m.next) + 40*len(m.named)
}
