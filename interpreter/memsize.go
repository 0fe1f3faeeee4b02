package interpreter

import (
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// MemSize is about how many bytes the state holds, the script not counted, which is shared. It takes the same time for all
// states, since hosts ask after each step.
func (s *State) MemSize() int {
	size := len(s.bytes) + s.known.Size() + sizeOf[State](1) + sizeOf[workspace](1)
	size += sizeOf[trace.Entry](cap(s.trace)+cap(s.spare)) + sizeOf[data.State](cap(s.states)) + sizeOf[data.CID](cap(s.own)+cap(s.spareOwn))
	size += sizeOf[result](s.resultSlab.made) + sizeOf[item](s.items.made) + 64*s.tets.made + sizeOf[string](s.strings.made) + s.texts.Size()
	size += 8*(cap(s.literals)+cap(s.missing)) + s.lone + 160*len(s.tetraplets) + 100*len(s.signed) + 120*s.verified.Len()
	return size + s.m.size()
}

func sizeOf[T any](n int) int { return n * int(unsafe.Sizeof(*new(T))) }

// size is the memory of a run, which stays until the next one.
func (m *machine) size() int {
	size := sizeOf[frame](m.frames) + m.trace.Size() + m.made
	size += m.scalars.size() + m.canons.size() + m.maps.size() + cap(m.scopes.allowed) + 8*cap(m.folds)
	size += sizeOf[[]*stream](cap(m.streams)) + m.streamed + 8*cap(m.touched)
	return size + sizeOf[wait](cap(m.waits)) + sizeOf[answer](cap(m.answers)) + 8*cap(m.args) + 16*cap(m.next) + 40*len(m.named)
}
