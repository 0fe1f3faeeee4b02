package trace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/data"
)

// entries are states as a peer keeps them, arrived the same as somebody sent them.
func entries(states ...data.State) []Entry {
	list := make([]Entry, len(states))
	for i, s := range states {
		list[i] = Entry{State: s}
	}
	return list
}

func arrived(t *testing.T, states ...data.State) data.States {
	t.Helper()
	e, err := data.Open(data.Encode(&data.Data{Trace: states}))
	if err != nil {
		t.Fatal(err)
	}
	_, trace, err := e.DecodeStates(nil)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// TestMeetCall holds the table of merged calls: which side wins, or the beginning of an error.
func TestMeetCall(t *testing.T) {
	sent, other := data.CallSent("p"), data.CallPending("q", 3)
	done, same, another := data.CallDone(data.Stream, "c", 0), data.CallDone(data.Stream, "c", 7), data.CallDone(data.Stream, "d", 0)
	scalar, failed, worse := data.CallDone(data.Scalar, "c", 0), data.CallFailure("f"), data.CallFailure("g")
	none := data.State{}
	for _, c := range []struct {
		prev, cur data.State
		from      Source
		err       string
	}{
		{none, none, FromNone, ""},
		{sent, none, FromPrevious, ""}, {none, sent, FromCurrent, ""}, {sent, other, FromBoth, ""},
		{done, none, FromPrevious, ""}, {none, done, FromCurrent, ""}, {done, sent, FromPrevious, ""}, {other, done, FromCurrent, ""},
		{done, same, FromBoth, ""}, {failed, failed, FromBoth, ""}, {sent, failed, FromCurrent, ""}, {failed, sent, FromPrevious, ""},
		{done, another, FromNone, "values in call results"}, {done, scalar, FromNone, "values in call results"},
		{done, failed, FromNone, "previous and current call results"}, {failed, worse, FromNone, "previous and current call results"},
		{data.ApState(0), none, FromNone, "state from previous `Ap"}, {none, data.CanonDone("c"), FromNone, "state from current `Canon"},
		{done, data.ParState(0, 0), FromNone, "previous and current data have incompatible"},
	} {
		var prev []Entry
		var cur data.States
		if c.prev.Kind != data.None {
			prev = entries(c.prev)
		}
		if c.cur.Kind != data.None {
			cur = arrived(t, c.cur)
		}
		var h Handler
		h.Reset(prev, cur, nil)
		e, from, err := h.MeetCall()
		name := fmt.Sprint(c.prev.Kind, c.cur.Kind)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %s", name, err, c.err)
			}
			continue
		}
		want := map[Source]data.State{FromPrevious: c.prev, FromBoth: c.prev, FromCurrent: c.cur}[c.from]
		if err != nil || from != c.from || (e == nil) != (from == FromNone) || e != nil && DebugState(&e.State) != DebugState(&want) {
			t.Errorf("%s: %v from %v, %v", name, e, from, err)
		}
	}
}

// TestBranchesDoNotShift merges a par whose left branch stops early on one side: the right branch
// and what follows find their own states all the same. It is the merge of two halves of
// docs/spec/air.md, 12.7.
func TestBranchesDoNotShift(t *testing.T) {
	alice := []data.State{data.ParState(2, 1), data.CallDone(data.Scalar, "A", 0), data.CallPending("alice", 2), data.CallSent("alice")}
	bob := []data.State{data.ParState(1, 2), data.CallSent("bob"), data.CallDone(data.Scalar, "B", 0), data.CallPending("bob", 2)}
	for _, c := range []struct{ prev, cur []data.State }{{alice, bob}, {bob, alice}} {
		var h Handler
		h.Reset(entries(c.prev...), arrived(t, c.cur...), nil)
		var par Par
		if err := h.ParStart(&par); err != nil {
			t.Fatal(err)
		}
		call := func() {
			e, _, err := h.MeetCall()
			if err != nil || e == nil {
				t.Fatalf("no state: %v", err)
			}
			h.Append(*e)
		}
		call()
		call()
		h.ParLeftEnd(&par)
		call()
		call()
		h.ParRightEnd(&par)
		var got []string
		for i := range h.Result {
			got = append(got, fmt.Sprint(h.Result[i].Kind, h.Result[i].CID, h.Result[i].Peer, h.Result[i].Left, h.Result[i].Right))
		}
		want := fmt.Sprint([]string{
			fmt.Sprint(data.Par, "", "", 2, 2), fmt.Sprint(data.CallExecuted, "A", "", 0, 0), fmt.Sprint(data.CallRequestSent, "", "alice", 0, 0),
			fmt.Sprint(data.CallExecuted, "B", "", 0, 0), fmt.Sprint(data.CallRequestSent, "", "bob", 0, 0),
		})
		if fmt.Sprint(got) != want {
			t.Errorf("merged %v, want %v", got, want)
		}
		if e, _, err := h.MeetCall(); e != nil || err != nil {
			t.Errorf("a state is left: %v %v", e, err)
		}
	}
}

// TestParBeyondTrace refuses sizes that say more than there is.
func TestParBeyondTrace(t *testing.T) {
	for _, s := range []data.State{data.ParState(1, 0), data.ParState(1<<32-1, 1<<32-1), data.ParState(0, 1<<31)} {
		var h Handler
		h.Reset(nil, arrived(t, s), nil)
		if err := h.ParStart(&Par{}); err == nil {
			t.Errorf("a par of %d and %d states was taken", s.Left, s.Right)
		}
	}
}
