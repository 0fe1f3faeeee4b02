// Package journal remembers what happened to particles.
//
// Every peer keeps one journal: a ring of the latest entries in memory and a count per
// kind and reason since the start. Whatever becomes of a particle leaves an entry: it
// arrived or was refused, was stepped, made calls, was sent on or could not be, expired.
// "Where is my particle" is answered by [Journal.Particle], "how much is lost, and why"
// by [Journal.Counts].
package journal

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

// Kind is what an entry tells.
type Kind uint8

// The kinds of entries. Refused, Failed, Held and Lost carry a reason, Called and Expired may.
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
	kinds
)

var kindNames = [kinds]string{"arrived", "refused", "stepped", "failed", "called", "sent", "held", "lost", "expired", "kept", "resumed"}

func (k Kind) String() string { return kindNames[k] }

// MarshalText makes kinds readable in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Entry is one thing that happened. At is when it began, Took how long it lasted.
type Entry struct {
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"-"`
	Kind     Kind          `json:"kind"`
	Particle string        `json:"particle,omitempty"`
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

// DefaultSize is how many entries a journal keeps when nothing else is said: some 2 MB.
const DefaultSize = 8192

// refusalShare is which part of the size there is for refusals, besides it. They have room of
// their own, so that a flood does not wash away what became of other particles.
const refusalShare = 4

// maxJoins bounds the origins an entry keeps.
const maxJoins = 16

// maxDetail bounds the text an entry keeps, since parts of it are made by strangers.
const maxDetail = 500

// Journal is one peer's memory. It may be used from many goroutines.
type Journal struct {
	host string
	size int // of the ring

	mu       sync.Mutex
	ring     ring
	refusals ring // which strangers can make as many of as they like
	added    uint64
	counts   map[countKey]uint64
}

// A ring keeps the latest entries, with their numbers in the order of adding.
type ring struct {
	entries []numbered
	added   uint64
}

type numbered struct {
	Entry
	n uint64
}

func (r *ring) add(e numbered) {
	if len(r.entries) < cap(r.entries) {
		r.entries = append(r.entries, e)
	} else {
		r.entries[r.added%uint64(cap(r.entries))] = e
	}
	r.added++
}

// back gives the entry that was added before the latest i, nil when it is gone.
func (r *ring) back(i uint64) *numbered {
	if i >= uint64(len(r.entries)) {
		return nil
	}
	return &r.entries[(r.added-1-i)%uint64(cap(r.entries))]
}

type countKey struct {
	kind   Kind
	reason Reason
}

// New makes a journal of the given peer with room for size entries.
func New(host string, size int) *Journal {
	if size <= 0 {
		size = DefaultSize
	}
	j := &Journal{host: host, size: size, counts: make(map[countKey]uint64)}
	j.ring.entries = make([]numbered, 0, size)
	j.refusals.entries = make([]numbered, 0, max(size/refusalShare, 1))
	return j
}

// Add appends an entry, which replaces the oldest one, or the oldest refusal, when there is no
// more room.
func (j *Journal) Add(e Entry) {
	e.Host = j.host
	if len(e.Detail) > maxDetail {
		e.Detail = strings.ToValidUTF8(e.Detail[:maxDetail], "") + "..."
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[countKey{e.Kind, e.Reason}]++
	r := &j.ring
	if e.Kind == Refused {
		r = &j.refusals
	}
	r.add(numbered{e, j.added})
	j.added++
}

// AddError appends an entry whose reason and detail are those of err.
func (j *Journal) AddError(e Entry, err error) {
	e.Reason, e.Detail = ReasonOf(err), err.Error()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	j.Add(e)
}

// Recent gives the latest entries that pass the filter, oldest first, at most n.
func (j *Journal) Recent(n int, pass func(*Entry) bool) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Entry
	for a, b := uint64(0), uint64(0); len(out) < n; {
		e, refusal := j.ring.back(a), j.refusals.back(b)
		switch {
		case e == nil && refusal == nil:
			n = len(out)
			continue
		case e == nil || refusal != nil && refusal.n > e.n:
			e = refusal
			b++
		default:
			a++
		}
		if pass == nil || pass(&e.Entry) {
			out = append(out, e.Entry)
		}
	}
	for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	return out
}

// Particle gives what is remembered of one particle, oldest first.
func (j *Journal) Particle(id string) []Entry {
	return j.Recent(j.size+j.size/refusalShare+1, func(e *Entry) bool { return e.Particle == id })
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

// CalledEntry is the entry of a finished service call.
func CalledEntry(o services.Observation) Entry {
	e := Entry{
		At: time.Now().Add(-o.Time), Took: o.Time, Kind: Called,
		Particle: o.Call.ParticleID, Service: o.Call.Service, Function: o.Call.Function,
		Joins: joins(o.Call.Tetraplets),
	}
	if o.Outcome != services.Done {
		e.Code, e.Reason, e.Detail = 1, ServiceFailed, string(o.Outcome)+": "+o.Reason
	}
	return e
}

// Merge gives what several journals remember of one particle, in the order of time.
func Merge(particleID string, journals ...*Journal) (all []Entry) {
	for _, j := range journals {
		all = append(all, j.Particle(particleID)...)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all
}

// joins lists the origins of a call's arguments, nil for fewer than two.
func joins(args [][]value.Tetraplet) (all []Origin) {
	for _, arg := range args {
		for _, t := range arg {
			o := Origin{t.PeerPK, t.ServiceID, t.FunctionName}
			if o.Service != "" && o.Function != "" && !slices.Contains(all, o) && len(all) < maxJoins {
				all = append(all, o)
			}
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}
