// Package trace merges two traces into one while a script is executed.
//
// A trace is the list of states that the instructions of a script left behind,
// in the order in which they were met. On each run the interpreter walks the
// script once; every instruction that has a state takes one from the previous
// trace (what this peer kept) and one from the current trace (what arrived),
// the two are merged, and the outcome is appended to the result:
//
//	previous  ──slider──┐
//	                    ├─ Meet… ─> merged state ─> instruction ─> Append
//	current   ──slider──┘
//
// par and fold states carry sizes of what follows them. They steer the sliders,
// so that a branch that stops early does not shift its neighbours.
//
// Nothing here looks at values: states are compared by content id. All errors
// mean data that does not belong to the script; they end the run.
package trace

import (
	"fmt"
	"strings"

	"github.com/aquanode/aquanode/interpreter/data"
)

// Entry is one state with what the interpreter remembers about it between
// runs (Known is opaque here and travels with the state).
type Entry struct {
	data.State
	Known any
}

// Foreign marks a state of the current trace, whose strings are views of what
// arrived.
type Foreign struct{}

// Source is the inputs that a merged state was found in.
type Source uint8

const (
	FromNone     Source = iota // no state: the instruction is met for the first time
	FromPrevious               // also when the current trace has less: a request
	FromCurrent                // also when the previous trace has less
	FromBoth                   // then it is the previous one
)

// Sources is a set of them, as the bits 1<<source.
type Sources uint8

// Set is the set of one source.
func (s Source) Set() Sources { return 1 << s }

// Handler merges one previous and one current trace. The zero Handler is ready
// for Reset.
type Handler struct {
	Result []Entry
	// places in the result where a state of the current trace was met: that of every Foreign is
	// among them
	Foreign   []int32
	prev, cur slider
	// Where in the input traces the stream values of the result were, and
	// back: one to one, a new pair replaces pairs that share a side.
	prevMap, curMap positions
}

// Reset prepares h for a run over the two traces, which it only reads.
// The result is built in buf[:0].
func (h *Handler) Reset(prev []Entry, cur data.States, buf []Entry) {
	h.Result, h.Foreign = buf[:0], h.Foreign[:0]
	h.prev = slider{kept: prev, size: len(prev), length: len(prev)}
	h.cur = slider{new: cur, size: cur.Len(), length: cur.Len()}
	h.prevMap.reset()
	h.curMap.reset()
}

// Size is the memory of the handler, without that of the result.
func (h *Handler) Size() int {
	return 4 * (cap(h.Foreign) + cap(h.prevMap.from) + cap(h.prevMap.to) + cap(h.curMap.from) +
		cap(h.curMap.to))
}

// Pos is the position that the next appended state gets.
func (h *Handler) Pos() int { return len(h.Result) }

// Append adds a state to the result.
func (h *Handler) Append(e Entry) { h.Result = append(h.Result, e) }

// met are the next states of both traces, which an instruction takes.
type met struct {
	p, c   int // their places
	pk, ck data.Kind
}

// meet takes the next states. All that there are have to be of the kinds from first to last, those
// of the instruction.
func (h *Handler) meet(first, last data.Kind, want string) (m met, err error) {
	m.p, m.pk = h.prev.take()
	m.c, m.ck = h.cur.take()
	if m.pk != data.None && (m.pk < first || m.pk > last) || m.ck != data.None &&
		(m.ck < first || m.ck > last) {
		err = h.wrongKind(m, want)
	}
	return m, err
}

// MeetCall takes and merges the next call states.
func (h *Handler) MeetCall() (*Entry, Source, error) {
	m, err := h.meet(data.CallRequestSent, data.CallFailed, "call")
	switch {
	case err != nil, m.pk == data.None && m.ck == data.None:
		return nil, FromNone, err
	case m.pk == data.CallRequestSent && m.ck == data.CallRequestSent:
		return h.took(m, FromBoth)
	case m.ck == data.None, m.ck == data.CallRequestSent && m.pk != data.None:
		return h.took(m, FromPrevious)
	case m.pk == data.None, m.pk == data.CallRequestSent:
		return h.took(m, FromCurrent)
	}
	p, c := &h.prev.at(m.p).State, &h.cur.at(m.c).State
	switch {
	case p.Kind != c.Kind, p.Kind == data.CallFailed && p.CID != c.CID:
		return nil, FromNone, fmt.Errorf("previous and current call results are incompatible: %s %s", debugCallResult(p), debugCallResult(c))
	case p.CID != c.CID || p.Output != c.Output:
		return nil, FromNone, fmt.Errorf("values in call results are not equal: %s != %s",
			debugValueRef(p), debugValueRef(c))
	}
	return h.took(m, FromBoth)
}

// took notes where a merged state was found and returns it with what is remembered about it. It is
// good until the next one is met.
func (h *Handler) took(m met, from Source) (*Entry, Source, error) {
	var e *Entry
	if from == FromCurrent {
		e = h.foreign(m.c)
	} else {
		e = h.prev.at(m.p)
	}
	if e.Kind == data.Ap || isStreamResult(&e.State) {
		if from != FromCurrent {
			h.prevMap.put(h.Pos(), m.p)
		}
		if from != FromPrevious {
			h.curMap.put(h.Pos(), m.c)
		}
	}
	return e, from, nil
}

// foreign is a state of the current trace, which belongs to the end of the result.
func (h *Handler) foreign(i int) *Entry {
	h.Foreign = append(h.Foreign, int32(h.Pos()))
	return h.cur.at(i)
}

// MeetAp takes and merges the next ap states; contents are not compared.
func (h *Handler) MeetAp() (*Entry, Source, error) {
	m, err := h.meet(data.Ap, data.Ap, "ap")
	if err != nil || m.pk == data.None && m.ck == data.None {
		return nil, FromNone, err
	}
	from := FromBoth
	switch {
	case m.pk == data.None:
		from = FromCurrent
	case m.ck == data.None:
		from = FromPrevious
	}
	e, _, _ := h.took(m, from)
	if !e.HasOneGeneration() {
		return nil, FromNone, fmt.Errorf("ap result has %d generations instead of one",
			len(e.Generations()))
	}
	return e, from, nil
}

// MeetCanon takes and merges the next canon states.
func (h *Handler) MeetCanon() (*Entry, Source, error) {
	m, err := h.meet(data.CanonRequestSent, data.CanonExecuted, "canon")
	switch {
	case err != nil, m.pk == data.None && m.ck == data.None:
		return nil, FromNone, err
	case m.pk == data.None, m.pk == data.CanonRequestSent && m.ck == data.CanonExecuted:
		return h.foreign(m.c), FromCurrent, nil
	case m.ck == data.CanonExecuted && h.prev.at(m.p).CID != h.cur.at(m.c).CID:
		return nil, FromNone, fmt.Errorf("canon results %s %s points to incompatible execution states",
			DebugState(&h.prev.at(m.p).State), DebugState(&h.cur.at(m.c).State))
	case m.pk == m.ck:
		return h.prev.at(m.p), FromBoth, nil
	}
	return h.prev.at(m.p), FromPrevious, nil
}

// wrongKind says which of the states present is not of the kind that the instruction has.
func (h *Handler) wrongKind(m met, want string) error {
	switch {
	case m.pk != data.None && m.ck != data.None:
		return fmt.Errorf("previous and current data have incompatible states: '%s' '%s'",
			DebugState(&h.prev.at(m.p).State), DebugState(&h.cur.at(m.c).State))
	case m.pk != data.None:
		return fmt.Errorf("state from previous `%s` is incompatible with expected %s",
			DebugState(&h.prev.at(m.p).State), want)
	}
	return fmt.Errorf("state from current `%s` is incompatible with expected %s",
		DebugState(&h.cur.at(m.c).State), want)
}

// positions is a one-to-one map between result and input positions.
type positions struct {
	from []int32 // result position -> input position + 1
	to   []int32 // input position -> result position + 1
}

func (m *positions) reset() { clear(m.from); clear(m.to); m.from, m.to = m.from[:0], m.to[:0] }

func (m *positions) put(result, input int) {
	m.from = grown(m.from, result)
	m.to = grown(m.to, input)
	if old := m.to[input]; old != 0 {
		m.from[old-1] = 0
	}
	if old := m.from[result]; old != 0 {
		m.to[old-1] = 0
	}
	m.from[result], m.to[input] = int32(input+1), int32(result+1)
}

// input is the input position of a result position, or -1.
func (m *positions) input(result int) int {
	if result >= len(m.from) {
		return -1
	}
	return int(m.from[result]) - 1
}

func grown(s []int32, i int) []int32 {
	for len(s) <= i {
		s = append(s, 0)
	}
	return s
}

// DebugState writes a state in the form that error messages use.
func DebugState(e *data.State) string {
	switch e.Kind {
	case data.Par:
		return fmt.Sprintf("Par(ParResult { left_size: %d, right_size: %d })", e.Left, e.Right)
	case data.Ap:
		return fmt.Sprintf("Ap(ApResult { res_generations: %s })", debugList(e.Generations()))
	case data.CanonRequestSent:
		return fmt.Sprintf("Canon(RequestSentBy(%q))", e.Peer)
	case data.CanonExecuted:
		return fmt.Sprintf("Canon(Executed(CID(%q)))", e.CID)
	case data.Fold:
		return "Fold(" + debugFold(e.Lore()) + ")"
	}
	return "Call(" + debugCallResult(e) + ")"
}

func debugCallResult(e *data.State) string {
	switch e.Kind {
	case data.CallRequestSent:
		if e.HasCallID {
			return fmt.Sprintf("RequestSentBy(PeerIdWithCallId { peer_id: %q, call_id: %d })",
				e.Peer, e.CallID)
		}
		return fmt.Sprintf("RequestSentBy(PeerId(%q))", e.Peer)
	case data.CallFailed:
		return fmt.Sprintf("Failed(CID(%q))", e.CID)
	}
	return "Executed(" + debugValueRef(e) + ")"
}

// DebugValueRef writes what an executed call points to.
func DebugValueRef(e *data.State) string { return debugValueRef(e) }

func debugValueRef(e *data.State) string {
	switch e.Output {
	case data.Scalar:
		return fmt.Sprintf("Scalar(CID(%q))", e.CID)
	case data.Stream:
		return fmt.Sprintf("Stream { cid: CID(%q), generation: %d }", e.CID, e.Generation)
	}
	return fmt.Sprintf("Unused(CID(%q))", e.CID)
}

func debugFold(lore []data.FoldLore) string {
	const most = 32
	var items []string
	for i, l := range lore {
		if i == most {
			items = append(items, "...")
			break
		}
		var descs []string
		for _, d := range []data.SubTrace{l.Before, l.After} {
			descs = append(descs, fmt.Sprintf("SubTraceDesc { begin_pos: %d, subtrace_len: %d }",
				d.Begin, d.Len))
		}
		items = append(items, fmt.Sprintf("FoldSubTraceLore { value_pos: %d, subtraces_desc: [%s] }", l.ValuePos, strings.Join(descs, ", ")))
	}
	return "FoldResult { lore: [" + strings.Join(items, ", ") + "] }"
}

func debugList(gens []uint32) string {
	const most = 32
	if len(gens) > most {
		gens = gens[:most]
	}
	return strings.Join(strings.Fields(fmt.Sprint(gens)), ", ")
}

func isStreamResult(e *data.State) bool {
	return e.Kind == data.CallExecuted && e.Output == data.Stream
}

// Resume goes on after the states of result, which are all that is known: nothing is left to take.
func (h *Handler) Resume(result []Entry) {
	h.Result = result
	h.prev, h.cur = slider{}, slider{}
}
