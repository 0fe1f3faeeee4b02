package data

import "strings"

// Kind is the kind of an executed state. The zero kind is that of no state.
type Kind uint8

// The kinds, with the fields that each uses.
const (
	None Kind = iota
	Par       // Left, Right
	// Peer; CallID if HasCallID; the kinds of calls and of canons stand in the order of their tags
	CallRequestSent
	// Output, CID (of a service result; of a value for Unused); Generation for Stream
	CallExecuted
	CallFailed       // CID of a service result
	Fold             // Lore
	Ap               // Generation
	CanonRequestSent // Peer
	CanonExecuted    // CID of a canon result
)

// Output is what an executed call puts its value into.
type Output uint8

// The outputs.
const (
	Scalar Output = iota
	Stream
	Unused
)

// State is one executed state of a trace. It is one flat struct of 64 bytes, not an interface with
// nine implementations, since traces are long and merging compares states all the time.
type State struct {
	Kind       Kind
	Output     Output
	HasCallID  bool
	Left       uint32 // number of states in the left branch of a par
	Right      uint32
	CallID     uint32
	Generation uint32
	Peer       string // the peer a request was sent by
	CID        CID
	rare       *rare // what few states have
}

// rare is what a fold and a malformed ap have.
type rare struct {
	lore        []FoldLore
	generations []uint32
}

// FoldLore says which states of the trace one visited element of a fold produced.
type FoldLore struct {
	ValuePos uint32   // position of the element's own state
	Before   SubTrace // by the body before its next
	After    SubTrace // after it
	// Parts is the number of sub-traces in the data. It is 2 in all sound data and then they are
	// Before and After; the merge refuses other numbers, and of more than 2 only the first are
	// kept.
	Parts uint32
}

// kept is the number of sub-traces that are here.
func (l *FoldLore) kept() int { return int(min(l.Parts, 2)) }

// SubTrace is a run of states in a trace.
type SubTrace struct{ Begin, Len uint32 }

// ParState is the state of a par with so many states in its branches.
func ParState(left, right uint32) State { return State{Kind: Par, Left: left, Right: right} }

// CallSent is the state of a call that peer sent on towards where it is to run.
func CallSent(peer string) State { return State{Kind: CallRequestSent, Peer: peer} }

// CallPending is the state of a call that waits for the result of a request of peer to its own
// services.
func CallPending(peer string, id uint32) State {
	return State{Kind: CallRequestSent, Peer: peer, CallID: id, HasCallID: true}
}

// CallDone is the state of a call that gave a result.
func CallDone(out Output, cid CID, generation uint32) State {
	return State{Kind: CallExecuted, Output: out, CID: cid, Generation: generation}
}

// CallFailure is the state of a call whose service reported an error.
func CallFailure(cid CID) State { return State{Kind: CallFailed, CID: cid} }

// CanonSent is the state of a canon that peer sent on towards where it is to be made.
func CanonSent(peer string) State { return State{Kind: CanonRequestSent, Peer: peer} }

// CanonDone is the state of a canon that was made.
func CanonDone(cid CID) State { return State{Kind: CanonExecuted, CID: cid} }

// FoldState is the state of a fold over a stream.
func FoldState(lore []FoldLore) State { return State{Kind: Fold, rare: &rare{lore: lore}} }

// ApState is the state of an ap into a stream.
func ApState(generation uint32) State { return State{Kind: Ap, Generation: generation} }

// apStateOf keeps whatever list of generations the data has.
func apStateOf(generations []uint32) State {
	if len(generations) == 1 {
		return ApState(generations[0])
	}
	return State{Kind: Ap, rare: &rare{generations: generations}}
}

// Lore is the lore of a fold.
func (s *State) Lore() []FoldLore {
	if s.rare == nil {
		return nil
	}
	return s.rare.lore
}

// Generations is the list of generations of an ap. Sound data has exactly one.
func (s *State) Generations() []uint32 {
	switch {
	case s.Kind != Ap:
		return nil
	case s.rare != nil:
		return s.rare.generations
	}
	return []uint32{s.Generation}
}

// StreamGeneration is that of a stream value, of an ap the first it has.
func (s *State) StreamGeneration() (uint32, bool) {
	switch {
	case s.Kind == CallExecuted && s.Output == Stream, s.HasOneGeneration():
		return s.Generation, true
	case s.Kind == Ap && len(s.Generations()) > 0:
		return s.Generations()[0], true
	}
	return 0, false
}

// HasOneGeneration reports whether an ap has the one generation it should have.
func (s *State) HasOneGeneration() bool { return s.Kind == Ap && s.rare == nil }

// Clone copies the strings of a state out of the bytes it was decoded from.
func (s State) Clone() State {
	s.Peer = strings.Clone(s.Peer)
	s.CID = s.CID.clone()
	return s
}
