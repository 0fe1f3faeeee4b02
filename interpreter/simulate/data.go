package simulate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/interpreter/data"
)

// WriteData shows data as a tree: each state with what it holds and who signed it, pars and folds
// with the states inside them. Only what was verified is called signed: that the contents fit their
// ids, and that the signature fits those. For the latter it takes the id of the particle.
func WriteData(w io.Writer, d *data.Data, particleID string) error {
	t := tree{w: w, d: d, signers: map[string]string{}, altered: data.Altered(d)}
	t.line(0, "interpreter %s, data %s, %d states, last call id %d", orNone(d.InterpreterVersion),
		orNone(d.Version), len(d.Trace), d.LastCallID)
	t.line(0, "stores: %d values, %d tetraplets, %d service results, %d canon results, %d canon elements",
		d.Values.Len(), d.Tetraplets.Len(), d.ServiceResults.Len(), d.CanonResults.Len(), d.CanonElements.Len())
	signers, err := data.SignersOf(d, nil)
	if err != nil {
		t.line(0, "signatures: %v", err)
	} else {
		for _, s := range signers.All() {
			t.signer(&s, particleID)
		}
	}
	for _, cid := range slices.Sorted(maps.Keys(t.altered)) {
		t.line(0, "altered: %v", t.altered[cid])
	}
	if len(d.Trace) > 0 {
		t.line(0, "trace:")
	}
	t.states(0, len(d.Trace), 1)
	return t.err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

type tree struct {
	w       io.Writer
	d       *data.Data
	signers map[string]string // what is to be said of the signature of a peer
	altered map[data.CID]error
	err     error
}

// signer verifies the signature of a peer.
func (t *tree) signer(s *data.Signer, particleID string) {
	switch {
	case particleID == "":
		t.line(0, "signature of %s under %d results, not verified: that takes --particle", s.Peer,
			s.Made.Len())
		t.signers[s.Peer] = "signature not verified"
	case s.Check(particleID) != nil:
		t.line(0, "NOT signed by %s: its signature does not fit its %d results in particle %q",
			s.Peer, s.Made.Len(), particleID)
		t.signers[s.Peer] = "NOT signed, the signature does not fit"
	default:
		t.line(0, "signed by %s: %d results", s.Peer, s.Made.Len())
		t.signers[s.Peer] = "signed"
	}
}

func (t *tree) line(depth int, format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, strings.Repeat("  ", depth)+format+"\n", args...)
	}
}

// deepest is how far lines are set in; pars of a list nest once for each element.
const deepest = 40

// states shows the states from begin on, which are n.
func (t *tree) states(begin, n, depth int) {
	end := min(begin+n, len(t.d.Trace))
	for i := begin; i < end; {
		i = t.state(i, end, min(depth, deepest))
	}
}

// state shows one state with those inside it, and returns the position behind.
func (t *tree) state(i, end, depth int) int {
	s := &t.d.Trace[i]
	if s.Kind != data.Par {
		t.line(depth, "%d %s", i, t.describe(s))
		return i + 1
	}
	t.line(depth, "%d par, %d states left and %d right", i, s.Left, s.Right)
	left := min(i+1+int(s.Left), end)
	t.states(i+1, left-i-1, depth+1)
	right := min(left+int(s.Right), end)
	if right > left {
		t.line(depth, "  |")
	}
	t.states(left, right-left, depth+1)
	return right
}

func (t *tree) describe(s *data.State) string {
	switch s.Kind {
	case data.CallRequestSent:
		if s.HasCallID {
			return fmt.Sprintf("call %d waits for a service of %s", s.CallID, s.Peer)
		}
		return "call sent by " + s.Peer
	case data.CallFailed:
		return "call failed: " + t.result(s.CID)
	case data.CanonRequestSent:
		return "canon sent by " + s.Peer
	case data.CanonExecuted:
		return "canon " + t.canon(s.CID)
	case data.Ap:
		return fmt.Sprintf("ap into generation %d", s.Generation)
	case data.Fold:
		return foldWord(s)
	}
	switch s.Output {
	case data.Scalar:
		return "scalar " + t.result(s.CID)
	case data.Stream:
		return fmt.Sprintf("stream, generation %d: %s", s.Generation, t.result(s.CID))
	}
	return "result not used, " + string(s.CID)
}

// widest is how much of a value is shown.
const widest = 200

func (t *tree) value(cid data.CID) string {
	v, ok := t.d.Values.Get(cid)
	if !ok {
		return "(a value that is not there)"
	}
	text := v.Text()
	if len(text) > widest {
		return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(text[:widest], ""), len(text))
	}
	return text
}

func (t *tree) result(cid data.CID) string {
	r, ok := t.d.ServiceResults.Get(cid)
	if !ok {
		return "(a result that is not there)"
	}
	tet, _ := t.d.Tetraplets.Get(r.Tetraplet)
	return fmt.Sprintf("%s <- %s.%s on %s", t.value(r.Value), tet.ServiceID, tet.FunctionName,
		t.signed(tet.PeerPK, cid, r.Value, r.Tetraplet))
}

func (t *tree) canon(cid data.CID) string {
	r, ok := t.d.CanonResults.Get(cid)
	if !ok {
		return "(a canon that is not there)"
	}
	tet, _ := t.d.Tetraplets.Get(r.Tetraplet)
	parts := append([]data.CID{cid, r.Tetraplet}, r.Elements...)
	for _, e := range r.Elements {
		element, _ := t.d.CanonElements.Get(e)
		parts = append(parts, element.Value, element.Tetraplet)
	}
	var items []string
	for i, e := range r.Elements {
		if i == 20 {
			items = append(items, fmt.Sprintf("... %d more", len(r.Elements)-i))
			break
		}
		element, _ := t.d.CanonElements.Get(e)
		items = append(items, t.value(element.Value))
	}
	return fmt.Sprintf("of %d: [%s] on %s", len(r.Elements), strings.Join(items, ", "),
		t.signed(tet.PeerPK, parts...))
}

// signed says of a result, made of some entries, whether a peer signed it.
func (t *tree) signed(peer string, parts ...data.CID) string {
	for _, cid := range parts {
		if t.altered[cid] != nil {
			return peer + ", NOT what it signed: altered"
		}
	}
	if s := t.signers[peer]; s != "" {
		return peer + ", " + s
	}
	return peer + ", NOT signed"
}
