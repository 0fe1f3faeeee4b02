package dispatch

import (
	"hash/maphash"
	"time"
)

// An ending is why an actor is no more, or is about to be.
type ending uint8

const (
	alive      ending = iota
	done              // nothing can follow from it here
	expired           // its time is over
	closing           // the dispatcher closes
	displaced         // others need the room
	overBudget        // it took more than it may
)

// finishedWeight is what a finished particle takes.
const finishedWeight = 160

// finished are the particles that ended here before their deadline. Of each is kept what it
// takes to know it again: without that, a duplicate that comes late would run once more, with
// all its calls. It is guarded by Dispatcher.mu.
type finished struct {
	seeds  [2]maphash.Seed
	known  map[digest]ending
	ranges map[string]*finishedRange
	limit  int // of known
	next   time.Time
}

// A digest stands for the key of an actor. Its seeds are secret, so nobody can make two alike.
type digest [2]uint64

// finishedRange holds the finished particles of one address range by the second of their deadlines.
type finishedRange struct {
	n   int
	due map[int64][]tomb
}

type tomb struct {
	of  digest
	log Log // nil unless durable
}

func newFinished(limit int) finished {
	return finished{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		known: make(map[digest]ending), ranges: make(map[string]*finishedRange), limit: limit,
	}
}

func (f *finished) digest(k key) (d digest) {
	for i, seed := range f.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		h.WriteString(k.scope)
		h.WriteByte(0)
		h.WriteString(k.signature)
		d[i] = h.Sum64()
	}
	return d
}

// add notes that an actor has finished. It returns the logs of those that had to be forgotten
// for it: of the range that has most of them, the ones that end next.
func (f *finished) add(a *actor, why ending) (forgotten []Log) {
	of := f.digest(a.key)
	if _, ok := f.known[of]; ok {
		return nil
	}
	if len(f.known) >= f.limit {
		forgotten = f.makeRoom()
	}
	f.known[of] = why
	r := f.ranges[a.owner.Range]
	if r == nil {
		r = &finishedRange{due: make(map[int64][]tomb)}
		f.ranges[a.owner.Range] = r
	}
	t := tomb{of: of}
	if a.kept != nil {
		t.log = a.kept.log
	}
	second := a.deadline.Unix() + 1
	r.n++
	r.due[second] = append(r.due[second], t)
	if at := time.Unix(second, 0); f.next.IsZero() || at.Before(f.next) {
		f.next = at
	}
	return forgotten
}

func (f *finished) makeRoom() []Log {
	var most *finishedRange
	for _, r := range f.ranges {
		if most == nil || r.n > most.n {
			most = r
		}
	}
	first := int64(-1)
	for second := range most.due {
		if first < 0 || second < first {
			first = second
		}
	}
	return f.drop(most, first)
}

// drop forgets those of a range that end in a second.
func (f *finished) drop(r *finishedRange, second int64) (logs []Log) {
	for _, t := range r.due[second] {
		delete(f.known, t.of)
		if t.log != nil {
			logs = append(logs, t.log)
		}
	}
	r.n -= len(r.due[second])
	delete(r.due, second)
	return logs
}

// due is when the next ones are to be forgotten.
func (f *finished) due() time.Time { return f.next }

// expire forgets those whose time is over. Their logs are to be removed.
func (f *finished) expire(now time.Time) (logs []Log) {
	if f.next.IsZero() || now.Before(f.next) {
		return nil
	}
	next := int64(0)
	for name, r := range f.ranges {
		for second := range r.due {
			switch {
			case second <= now.Unix():
				logs = append(logs, f.drop(r, second)...)
			case next == 0 || second < next:
				next = second
			}
		}
		if r.n == 0 {
			delete(f.ranges, name)
		}
	}
	f.next = time.Time{}
	if next > 0 {
		f.next = time.Unix(next, 0)
	}
	return logs
}

// torn are the logs that lack how their particles ended.
func (f *finished) torn() map[Log]ending {
	all := map[Log]ending{}
	for _, r := range f.ranges {
		for _, tombs := range r.due {
			for _, t := range tombs {
				if t.log != nil && t.log.Torn() {
					all[t.log] = f.known[t.of]
				}
			}
		}
	}
	return all
}

// weight is the memory that a number of finished particles take. It belongs to the peer.
func (f *finished) weight() int64 { return int64(len(f.known)) * finishedWeight }
