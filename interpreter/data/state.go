package data

import "strings"

// Kind is the kind of an executed state. The zero kind is that of no state.
type Kind uint8

// The kinds, with the fields that each uses.
const (
	NoState          Kind = iota
	Par                   // Left, Right
	CallRequestSent       // Peer; CallID if HasCallID
	CallScalar            // CID of a service result
	CallStream            // CID of a service result; Generation
	CallUnused            // CID of a value that is in no store
	CallFailed            // CID of a service result
	Fold                  // Lore
	Ap                    // ApGenerations
	CanonRequestSent      // Peer
	CanonExecuted         // CID of a canon result
)

// State is one executed state of a trace. It is one flat struct, not an interface with ten implementations, since
// traces are long and merging compares states all the time.
type State struct {
	Kind       Kind
	HasCallID  bool
	Left       uint32 // number of states in the left branch of a par
	Right      uint32 // and in the right one
	CallID     uint32
	Generation uint32
	Peer       string // the peer that sent a request
	CID        CID
	// Lore is the lore of a fold. In an ap it is nil unless the data has another number of generations than the
	// one it should have; then it holds them as positions, so that the data survives.
	Lore []FoldLore
}

// FoldLore says which states of the trace one visited element of a fold produced.
type FoldLore struct {
	ValuePos uint32 // position of the element's own state
	pair     [2]SubTrace
	odd      []SubTrace // instead of pair in malformed data, where there are not two
}

// SubTrace is a run of states in a trace.
type SubTrace struct{ Begin, Len uint32 }

// NewFoldLore is the lore of the element whose state is at valuePos: the states made by the body before
// its next, and those made after it.
func NewFoldLore(valuePos uint32, before, after SubTrace) FoldLore {
	return FoldLore{ValuePos: valuePos, pair: [2]SubTrace{before, after}}
}

// Before is the first sub-trace, After the second.
func (l *FoldLore) Before() SubTrace { return l.pair[0] }

// After is the second sub-trace.
func (l *FoldLore) After() SubTrace { return l.pair[1] }

// SubTraces are all sub-traces: two, unless the data is malformed.
func (l *FoldLore) SubTraces() []SubTrace {
	if l.odd != nil {
		return l.odd
	}
	return l.pair[:]
}

// ParOf is the state of a par with so many states in its branches.
func ParOf(left, right uint32) State { return State{Kind: Par, Left: left, Right: right} }

// SentBy is the state of a call that peer sent on towards where it is to run.
func SentBy(peer string) State { return State{Kind: CallRequestSent, Peer: peer} }

// SentByWithID is the state of a call that waits for what peer's own services answer to its request.
func SentByWithID(peer string, id uint32) State {
	return State{Kind: CallRequestSent, Peer: peer, CallID: id, HasCallID: true}
}

// Scalar is the state of a call that set a scalar.
func Scalar(result CID) State { return State{Kind: CallScalar, CID: result} }

// Stream is the state of a call that appended to a stream.
func Stream(result CID, generation uint32) State {
	return State{Kind: CallStream, CID: result, Generation: generation}
}

// Unused is the state of a call whose value went nowhere.
func Unused(value CID) State { return State{Kind: CallUnused, CID: value} }

// Failed is the state of a call whose service reported an error.
func Failed(result CID) State { return State{Kind: CallFailed, CID: result} }

// FoldOf is the state of a fold over a stream.
func FoldOf(lore []FoldLore) State { return State{Kind: Fold, Lore: lore} }

// ApTo is the state of an ap into a stream.
func ApTo(generation uint32) State { return State{Kind: Ap, Generation: generation} }

// CanonSentBy is the state of a canon that peer sent on towards where it is to be made.
func CanonSentBy(peer string) State { return State{Kind: CanonRequestSent, Peer: peer} }

// CanonDone is the state of a canon that was made.
func CanonDone(result CID) State { return State{Kind: CanonExecuted, CID: result} }

// apOf keeps whatever list of generations the data has.
func apOf(generations []uint32) State {
	if len(generations) == 1 {
		return ApTo(generations[0])
	}
	odd := make([]FoldLore, len(generations))
	for i, g := range generations {
		odd[i].ValuePos = g
	}
	return State{Kind: Ap, Lore: odd}
}

// ApCount is the number of generations of an ap: one in sound data.
func (s *State) ApCount() int {
	if s.Lore == nil {
		return 1
	}
	return len(s.Lore)
}

// ApGenerations lists the generations of an ap.
func (s *State) ApGenerations() []uint32 {
	if s.Lore == nil {
		return []uint32{s.Generation}
	}
	generations := make([]uint32, len(s.Lore))
	for i := range s.Lore {
		generations[i] = s.Lore[i].ValuePos
	}
	return generations
}

// Clone copies the strings of a state out of the bytes it was decoded from.
func (s State) Clone() State {
	s.Peer = strings.Clone(s.Peer)
	s.CID = strings.Clone(s.CID)
	return s
}
