// Package journal remembers what happened to particles.
//
// Every peer keeps one journal: rings of the latest entries in memory and a count per
// kind and reason since the start. Whatever becomes of a particle leaves an entry: it
// arrived or was refused, was stepped, made calls, was sent on or could not be, expired.
// "Where is my particle" is answered by [Journal.Particle], "how much is lost, and why"
// by [Journal.Counts].
//
// # Bounds
//
// Strangers make many of the entries and of the texts in them. Every text is cut to a length
// and copied. Refusals, losses and ends of particles have a ring each, besides the one of all
// other entries, so that a flood of one of these displaces only its own kind. A ring is bounded
// in entries and in bytes. Within a ring a flood displaces the entries of others; the counts
// stay exact.
package journal

import (
	"encoding/json"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/aquanode/aquanode/internal/text"
)

// Kind is what an entry tells.
type Kind uint8

// The kinds of entries. Refused, Failed, Held, Lost and Ended carry a reason, Called and Expired may.
const (
	Arrived Kind = iota // a particle or more data for it was admitted; Peer is the sender
	Refused             // a frame or a particle was not admitted; Peer is the sender
	Stepped             // the interpreter ran; Code is its return code
	Failed              // the interpreter reported an error; Code is its return code
	Called              // a service call ended; Code is its return code
	Sent                // data left for Peer
	Held                // data for Peer waits, since the peer cannot be reached
	Lost                // data for Peer did not leave
	Expired             // the particle's time ran out
	Kept                // the peer stops, the particle waits on disk
	Resumed             // the particle goes on after a restart
	Done                // nothing can follow from the particle here
	Ended               // the particle was ended before its time
	kinds
)

var kindNames = [kinds]string{"arrived", "refused", "stepped", "failed", "called", "sent", "held", "lost", "expired", "kept", "resumed", "done", "ended"}

func (k Kind) String() string { return kindNames[k] }

// MarshalText makes kinds readable in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Entry is one thing that happened. At is when it began, Took how long it lasted.
type Entry struct {
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"-"`
	Kind     Kind          `json:"kind"`
	Particle string        `json:"particle,omitempty"`
	Init     string        `json:"init,omitempty"` // the init peer of the particle, as far as is known
	Host     string        `json:"host"`           // the peer whose journal this is
	Peer     string        `json:"peer,omitempty"` // the other peer
	Service  string        `json:"service,omitempty"`
	Function string        `json:"function,omitempty"`
	Code     int64         `json:"code,omitempty"`
	Reason   Reason        `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	// Joins are the calls on whose results a call depended, when there were several.
	Joins []Origin `json:"joins,omitempty"`
	// Waits are what an expired or kept particle could not go on with.
	Waits []Wait `json:"waits,omitempty"`
}

// Wait is an instruction that waited for a value (Variable), or for another peer, or for
// a service of this one (Peer).
type Wait struct {
	Instruction string `json:"instruction"`
	Variable    string `json:"variable,omitempty"`
	Peer        string `json:"peer,omitempty"`
}

func (w Wait) String() string {
	if w.Variable != "" {
		return w.Instruction + ": " + w.Variable + " has no value"
	}
	return w.Instruction + ": peer " + w.Peer + " has not done its part"
}

// Origin is a service call that a value came from.
type Origin struct {
	Peer     string `json:"peer"`
	Service  string `json:"service"`
	Function string `json:"function"`
}

// Count is how often something happened for some reason.
type Count struct {
	Kind   Kind   `json:"kind"`
	Reason Reason `json:"reason,omitempty"`
	N      uint64 `json:"n"`
}

// DefaultSize is how many entries the largest ring of a journal keeps unless configured: with
// the others some 5 MB in normal operation, 14 MB of texts at most.
const DefaultSize = 8192

// ringShare is which part of the size the rings of refusals, losses and ends have each.
const ringShare = 4

// Bounds of what an entry keeps. Names are particle ids (at most 256 bytes, see
// particle/wire), peer ids, services and functions.
const (
	maxName   = 256
	maxText   = 500 // details and instructions
	MaxJoins  = 16
	maxWaits  = 16
	entryText = 1 << 10 // bytes of text of an entry on average, to bound a ring
)

// The rings of a journal.
const (
	refusals = iota
	losses
	ends
	others
	rings
)

func ringOf(k Kind) int {
	switch k {
	case Refused:
		return refusals
	case Held, Lost:
		return losses
	case Expired, Kept:
		return ends
	}
	return others
}

// Journal is one peer's memory. It may be used from many goroutines.
type Journal struct {
	host string

	mu     sync.Mutex
	rings  [rings]ring
	added  uint64
	counts map[countKey]uint64
}

// A ring keeps the latest entries, with their numbers in the order of adding.
type ring struct {
	entries  []numbered // the place of an entry is its number in the ring modulo the length
	begin    uint64     // of the oldest entry
	end      uint64     // after the latest entry
	bytes    int        // of the texts
	maxBytes int
}

type numbered struct {
	Entry
	n uint64
}

func newRing(size int) ring {
	return ring{entries: make([]numbered, size), maxBytes: size * entryText}
}

func (r *ring) at(i uint64) *numbered { return &r.entries[i%uint64(len(r.entries))] }

func (r *ring) add(e numbered) {
	n := e.textSize()
	for r.end > r.begin && (r.end-r.begin == uint64(len(r.entries)) || r.bytes+n > r.maxBytes) {
		oldest := r.at(r.begin)
		r.bytes -= oldest.textSize()
		*oldest = numbered{}
		r.begin++
	}
	*r.at(r.end) = e
	r.end++
	r.bytes += n
}

// before returns the entry before the one with number i in the ring, nil when it is gone.
func (r *ring) before(i uint64) *numbered {
	if i <= r.begin {
		return nil
	}
	return r.at(i - 1)
}

type countKey struct {
	kind   Kind
	reason Reason
}

// New makes a journal of the given peer whose largest ring has room for size entries.
func New(host string, size int) *Journal {
	if size <= 0 {
		size = DefaultSize
	}
	j := &Journal{host: host, counts: make(map[countKey]uint64)}
	for i := range j.rings {
		n := size
		if i != others {
			n = max(size/ringShare, 1)
		}
		j.rings[i] = newRing(n)
	}
	return j
}

// Add appends an entry. When there is no more room in its ring, it replaces the oldest ones.
func (j *Journal) Add(e Entry) {
	e.cut()
	e.Host = j.host
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[countKey{e.Kind, e.Reason}]++
	j.rings[ringOf(e.Kind)].add(numbered{e, j.added})
	j.added++
}

// cut bounds the texts of an entry. Init is no longer than a peer id. It copies the others, since they are often pieces of a script, of
// data or of a frame: 37 frames with an id of 60 MB kept 3.8 GB.
func (e *Entry) cut() {
	for _, s := range []*string{&e.Particle, &e.Peer, &e.Service, &e.Function} {
		*s = text.Cut(*s, maxName)
	}
	e.Detail = text.Cut(strings.ToValidUTF8(e.Detail[:min(len(e.Detail), maxText+utf8.UTFMax)], ""), maxText)
	e.Joins = slices.Clone(e.Joins[:min(len(e.Joins), MaxJoins)])
	for i, o := range e.Joins {
		e.Joins[i] = Origin{text.Cut(o.Peer, maxName), text.Cut(o.Service, maxName), text.Cut(o.Function, maxName)}
	}
	e.Waits = slices.Clone(e.Waits[:min(len(e.Waits), maxWaits)])
	for i, w := range e.Waits {
		e.Waits[i] = Wait{text.Cut(w.Instruction, maxText), text.Cut(w.Variable, maxName), text.Cut(w.Peer, maxName)}
	}
}

// textSize is how many bytes the texts of an entry take, with their headers in lists.
func (e *Entry) textSize() int {
	n := len(e.Particle) + len(e.Init) + len(e.Peer) + len(e.Service) + len(e.Function) + len(e.Detail)
	for _, o := range e.Joins {
		n += int(unsafe.Sizeof(o)) + len(o.Peer) + len(o.Service) + len(o.Function)
	}
	for _, w := range e.Waits {
		n += int(unsafe.Sizeof(w)) + len(w.Instruction) + len(w.Variable) + len(w.Peer)
	}
	return n
}

// AddError appends an entry whose reason and detail are those of err.
func (j *Journal) AddError(e Entry, err error) {
	e.Reason, e.Detail = ReasonOf(err), err.Error()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	j.Add(e)
}

// lookAtOnce is how many entries Recent looks at before it lets others add some. A full journal
// takes 0.15 ms, and any stranger can ask for it (debug.journal).
const lookAtOnce = 256

// Recent returns the latest entries that pass the filter, oldest first, at most n.
func (j *Journal) Recent(n int, pass func(*Entry) bool) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Entry
	var next [rings]uint64 // the entry after the one to look at, counted as ring.end is
	for i := range j.rings {
		next[i] = j.rings[i].end
	}
	for looked := 1; len(out) < n; looked++ {
		var latest *numbered
		from := 0
		for i := range j.rings {
			if e := j.rings[i].before(next[i]); e != nil && (latest == nil || e.n > latest.n) {
				latest, from = e, i
			}
		}
		if latest == nil {
			break
		}
		next[from]--
		if pass == nil || pass(&latest.Entry) {
			out = append(out, latest.Entry)
		}
		if looked%lookAtOnce == 0 {
			j.mu.Unlock()
			runtime.Gosched()
			j.mu.Lock()
		}
	}
	slices.Reverse(out)
	return out
}

// Particle returns what is remembered of one particle, oldest first.
func (j *Journal) Particle(id string) []Entry {
	id = text.Cut(id, maxName)
	return j.Recent(math.MaxInt, func(e *Entry) bool { return e.Particle == id })
}

// Of returns the latest n entries about a particle of an init peer, oldest first. Ids are chosen by
// those who make particles, so two of them may have the same.
func (j *Journal) Of(init, id string, n int) []Entry {
	id = text.Cut(id, maxName)
	return j.Recent(n, func(e *Entry) bool { return e.Particle == id && e.Init == init })
}

// Counts gives all counts since the start.
func (j *Journal) Counts() []Count {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Count, 0, len(j.counts))
	for k, n := range j.counts {
		out = append(out, Count{k.kind, k.reason, n})
	}
	return out
}

// Count gives one count; an empty reason sums over all reasons.
func (j *Journal) Count(kind Kind, reason Reason) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if reason != "" {
		return j.counts[countKey{kind, reason}]
	}
	sum := uint64(0)
	for k, n := range j.counts {
		if k.kind == kind {
			sum += n
		}
	}
	return sum
}

// MarshalJSON writes Took in milliseconds, the unit of all times in the network.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	return json.Marshal(struct {
		plain
		Took float64 `json:"tookMs,omitempty"`
	}{plain(e), float64(e.Took) / float64(time.Millisecond)})
}

// Merge gives what several journals remember of one particle, in the order of time.
func Merge(particleID string, journals ...*Journal) (all []Entry) {
	for _, j := range journals {
		all = append(all, j.Particle(particleID)...)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all
}
