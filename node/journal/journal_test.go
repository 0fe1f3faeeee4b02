package journal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

func ids(entries []Entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.Particle+e.Peer)
	}
	return out
}

func TestRing(t *testing.T) {
	j := New("me", 4)
	if got := j.Recent(10, nil); got != nil {
		t.Errorf("an empty journal has %v", got)
	}
	for i := range 7 {
		j.Add(Entry{Kind: Arrived, Particle: string(rune('a' + i%2)), Peer: fmt.Sprint(i)})
	}
	if diff := cmp.Diff([]string{"b3", "a4", "b5", "a6"}, ids(j.Recent(10, nil))); diff != "" {
		t.Errorf("recent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b5", "a6"}, ids(j.Recent(2, nil))); diff != "" {
		t.Errorf("recent 2 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b3", "b5"}, ids(j.Particle("b"))); diff != "" {
		t.Errorf("particle (-want +got):\n%s", diff)
	}
	if got := j.Count(Arrived, ""); got != 7 {
		t.Errorf("counts outlive the ring: want 7, got %d", got)
	}
}

// Refusals wash away refusals only, and stand among the others in their order.
func TestRefusalsHaveRoomOfTheirOwn(t *testing.T) {
	j := New("me", 8)
	for i := range 4 {
		j.Add(Entry{Kind: Arrived, Peer: fmt.Sprint("a", i)})
		j.Add(Entry{Kind: Refused, Peer: fmt.Sprint("r", i)})
	}
	if diff := cmp.Diff([]string{"a0", "a1", "a2", "r2", "a3", "r3"}, ids(j.Recent(10, nil))); diff != "" {
		t.Errorf("recent (-want +got):\n%s", diff)
	}
	for i := range 1000 {
		j.Add(Entry{Kind: Refused, Peer: fmt.Sprint("f", i)})
	}
	j.Add(Entry{Kind: Sent, Peer: "s"})
	if diff := cmp.Diff([]string{"a0", "a1", "a2", "a3", "f998", "f999", "s"}, ids(j.Recent(10, nil))); diff != "" {
		t.Errorf("after a flood (-want +got):\n%s", diff)
	}
	if n := j.Count(Refused, ""); n != 1004 {
		t.Errorf("want all counted, got %d", n)
	}
}

func TestReasons(t *testing.T) {
	j := New("me", 0)
	for err, want := range map[error]Reason{
		fmt.Errorf("to peer: %w: by 3", QueueFull):        QueueFull,
		fmt.Errorf("x: %w", particle.ErrExpired):          TooLate,
		fmt.Errorf("x: %w: y", wire.ErrTruncated):         BadFrame,
		fmt.Errorf("x: %w: no id", wire.ErrField):         BadMessage,
		fmt.Errorf("%w: %w", BadSignature, wire.ErrCodec): BadSignature,
		fmt.Errorf("never seen"):                          Other,
	} {
		if got := ReasonOf(err); got != want {
			t.Errorf("%v: want %s, got %s", err, want, got)
		}
		j.AddError(Entry{Kind: Refused}, err)
		if got := j.Count(Refused, want); got != 1 {
			t.Errorf("%s: want 1, got %d", want, got)
		}
	}
	if got := j.Count(Refused, ""); got != 6 {
		t.Errorf("want 6 refusals in all, got %d", got)
	}
	for r := range reasonTexts {
		if r.Error() == "" {
			t.Errorf("%s has no text", r)
		}
	}
}

func TestEntryJSON(t *testing.T) {
	j := New("me", 2)
	j.Add(Entry{At: time.UnixMilli(1000).UTC(), Took: 1500 * time.Microsecond, Kind: Called, Particle: "p", Service: "s", Function: "f", Detail: strings.Repeat("x", 2*maxDetail)})
	e := j.Recent(1, nil)[0]
	e.Detail = e.Detail[maxDetail:]
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"1970-01-01T00:00:01Z","kind":"called","particle":"p","host":"me","service":"s","function":"f","detail":"...","tookMs":1.5}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func BenchmarkAdd(b *testing.B) {
	j := New("me", 0)
	b.ReportAllocs()
	for b.Loop() {
		j.Add(Entry{Kind: Arrived, Particle: "p"})
	}
}
