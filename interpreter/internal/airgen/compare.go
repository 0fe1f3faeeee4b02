package airgen

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// comparison says how strictly two answers are compared.
type comparison struct {
	stale       bool // the previous data at hand is not the latest
	severalRuns bool // codes and messages are not comparable
	// the reference does not sign a result that is no JSON in the run that makes it (air.md 15.3)
	unsigned bool
}

// differ says what of an answer is not as the reference's; "" if everything is.
//
// Codes must be equal, texts from 10000 on, where other peers can see them, too. The order of next
// peers, stores and requests is free. Where the reference crashes, every answer that keeps the
// previous data is right.
func (c comparison) differ(previous []byte, want, got *Answer) string {
	if want.Trap != "" {
		if !got.refused() || got.Data != nil && !c.stale && !bytes.Equal(got.Data, previous) {
			return fmt.Sprintf("code %d, want an error that keeps the data where the reference crashes: %s", got.RetCode, want.Trap)
		}
		return ""
	}
	if !c.severalRuns {
		if want.RetCode != got.RetCode {
			return fmt.Sprintf("code %d (%s), want %d (%s)", got.RetCode, got.ErrorMessage,
				want.RetCode, want.ErrorMessage)
		}
		if want.RetCode >= 10000 && !sameMessage(want, got) {
			return fmt.Sprintf("message %q, want %q", got.ErrorMessage, want.ErrorMessage)
		}
	}
	if w, g := peerSet(want), peerSet(got); w != g {
		return fmt.Sprintf("next peers %s, want %s", g, w)
	}
	if d := requestsDiffer(want.CallRequests, got.CallRequests); d != "" {
		return d
	}
	if want.Data == nil || got.Data == nil {
		return ""
	}
	return c.dataDiffers(want.Data, got.Data)
}

// unusedShown is how many unused results ours lists; the published interpreter lists all of them.
const unusedShown = 32

// sameMessage compares texts. The published interpreter lists unused results in random order, and only
// the host sees what is wrong with a trace.
func sameMessage(want, got *Answer) bool {
	w, g := []byte(want.ErrorMessage), []byte(got.ErrorMessage)
	switch want.RetCode {
	case fault.CodeUnusedResults:
		const each = "CallServiceResult"
		if n := bytes.Count(w, []byte(each)); n > unusedShown {
			return bytes.Count(g, []byte(each)) == unusedShown && bytes.Contains(g, []byte("..."))
		}
		slices.Sort(w)
		slices.Sort(g)
	case fault.CodeTrace:
		w, _, _ = bytes.Cut(w, []byte("encountered an error"))
		g, _, _ = bytes.Cut(g, []byte("encountered an error"))
	}
	return bytes.Equal(w, g)
}

func peerSet(a *Answer) string {
	peers := slices.Clone(a.NextPeerPks)
	slices.Sort(peers)
	return strings.Join(slices.Compact(peers), " ")
}

func requestsDiffer(want, got map[string]simulate.CallRequest) string {
	for id, w := range want {
		g, ok := got[id]
		if !ok {
			return fmt.Sprintf("call %s (%s %s) is not requested", id, w.ServiceID, w.FunctionName)
		}
		if w.ServiceID != g.ServiceID || w.FunctionName != g.FunctionName ||
			!bytes.Equal(w.ArgumentsMsgpack, g.ArgumentsMsgpack) {
			return fmt.Sprintf("call %s is %s %s %x, want %s %s %x", id, g.ServiceID,
				g.FunctionName, g.ArgumentsMsgpack, w.ServiceID, w.FunctionName, w.ArgumentsMsgpack)
		}
		if !slices.EqualFunc(w.Tetraplets, g.Tetraplets, slices.Equal[[]value.Tetraplet]) {
			return fmt.Sprintf("call %s has the tetraplets %v, want %v", id, g.Tetraplets,
				w.Tetraplets)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			return fmt.Sprintf("call %s (%s) is requested, want requests %v", id,
				got[id].FunctionName, slices.Sorted(maps.Keys(want)))
		}
	}
	return ""
}

func (c comparison) dataDiffers(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	w, err := c.readable(want)
	if err != nil {
		return fmt.Sprintf("data of the reference cannot be read: %v", err)
	}
	g, err := c.readable(got)
	if err != nil {
		return fmt.Sprintf("data cannot be read: %v", err)
	}
	if w == g {
		return ""
	}
	k := 0
	for k < min(len(w), len(g)) && w[k] == g[k] {
		k++
	}
	return fmt.Sprintf("data differs at byte %d of its readable form: …%s, want …%s", k,
		around(g, k), around(w, k))
}

func (c comparison) readable(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	d, err := data.Decode(b)
	if err != nil {
		return "", err
	}
	if c.unsigned {
		d.Signatures = nil
	}
	return d.Human().Text(), nil
}

func around(s string, k int) string { return s[max(0, k-80):min(len(s), k+120)] }
