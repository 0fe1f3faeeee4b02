package machine

import (
	"slices"
	"sync"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/scope"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/trace"
)

// pool has the memory of machines that cold runs borrow: half of their time would go into making it
// and cleaning up behind them.
var pool = sync.Pool{New: func() any { return new(Machine) }}

// Borrow takes a machine from the pool.
func Borrow() *Machine { return pool.Get().(*Machine) }

// Attach makes a machine ready for the runs of a particle.
func (m *Machine) Attach(p *Particle, s *content.Store, count *meter.Counter) {
	m.particle, m.store, m.count = p, s, count
}

// Load takes the trace of decoded data.
func (m *Machine) Load(states data.States) {
	n := states.Len()
	if m.count.Grow(n*sizeOfState) != nil || m.count.Work(n) != nil {
		return
	}
	m.Known = slices.Grow(m.Known[:0], n)[:n] // zero: emptied has cleared it
	for i := range m.Known {
		states.Read(i, &m.Known[i].State)
	}
}

// States is the known trace without what is remembered, in memory that is used again.
func (m *Machine) States() []data.State {
	m.bare = slices.Grow(m.bare[:0], len(m.Known))[:len(m.Known)]
	for i := range m.Known {
		m.bare[i] = m.Known[i].State
	}
	return m.bare
}

// Release gives a borrowed machine back. Nothing of its runs stays in it; frames hold nothing once
// they have ended.
func (m *Machine) Release() {
	m.scalars.Release(mostReused)
	m.canons.Release(mostReused)
	m.maps.Release(mostReused)
	m.streams.Release(mostReused)
	*m = Machine{
		scalars: m.scalars, canons: m.canons, maps: m.maps, streams: m.streams,
		folds: emptied(m.folds),
		spare: m.spare, frames: m.frames, args: emptied(m.args), waits: emptied(m.waits),
		answers: emptied(m.answers), varSlots: emptied(m.varSlots),
		again: again{open: emptied(m.again.open), behind: emptied(m.again.behind)},
		Known: emptied(m.Known), spareKnown: emptied(m.spareKnown), bare: emptied(m.bare),
		KnownOwn: emptied(m.KnownOwn), spareOwn: emptied(m.spareOwn),
	}
	if m.frames > mostReused {
		m.spare, m.frames = nil, 0
	}
	pool.Put(m)
}

// mostReused is how many elements a list may have to be used again.
const mostReused = 1 << 13

func emptied[T any](list []T) []T {
	if cap(list) > mostReused {
		return nil
	}
	list = list[:cap(list)]
	clear(list)
	return list[:0]
}

// sizeOfState is the bytes of a state in a trace with what is remembered about it: an entry, and
// that of the trace to be written over.
var sizeOfState = 2 * meter.SizeOf[trace.Entry](1)

// Size is the memory of the machine, which stays until the next run.
func (m *Machine) Size() int {
	size := meter.SizeOf[Machine](1) + meter.SizeOf[frame](m.frames) + m.trace.Size() + m.made
	size += meter.SizeOf[trace.Entry](cap(m.Known)+cap(m.spareKnown)) +
		meter.SizeOf[data.State](cap(m.bare))
	size += meter.SizeOf[data.CID](cap(m.KnownOwn) + cap(m.spareOwn))
	size += m.scalars.Size() + m.canons.Size() + m.maps.Size() + m.scopes.Size() + 8*cap(m.folds)
	size += meter.SizeOf[[]*scope.Stream](cap(m.streams)) + m.streamed + 8*cap(m.changedStreams)
	size += meter.SizeOf[wait](cap(m.waits)) + meter.SizeOf[content.Answer](cap(m.answers))
	return size + 8*cap(m.args) + 16*cap(m.NextPeers) + 40*len(m.named)
}
