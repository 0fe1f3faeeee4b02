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

// Losses and ends have rings of their own too: a flood of each kind displaces only its own.
func TestFloodsDisplaceTheirKindOnly(t *testing.T) {
	kinds := []Kind{Arrived, Refused, Lost, Expired}
	for _, flood := range append(kinds, Held, Kept) {
		j := New("me", 8)
		for _, k := range kinds {
			j.Add(Entry{Kind: k, Peer: k.String()})
		}
		for range 1000 {
			j.Add(Entry{Kind: flood, Peer: "flood"})
		}
		left := map[string]bool{}
		for _, e := range j.Recent(1000, nil) {
			left[e.Peer] = true
		}
		for _, k := range kinds {
			if want := ringOf(k) != ringOf(flood); left[k.String()] != want {
				t.Errorf("entry %q after a flood of %q: want kept %v, got %v", k, flood, want, left[k.String()])
			}
		}
	}
}

// Texts are bounded whatever field they are in, and a particle with a long id is still found.
func TestTextsAreCut(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	full := Entry{Kind: Expired, Particle: long, Peer: long, Service: long, Function: long, Detail: long, Reason: Unfinished}
	for range 1000 {
		full.Waits = append(full.Waits, Wait{long, long, long})
		full.Joins = append(full.Joins, Origin{long, long, long})
	}
	j := New("me", 400)
	for range 1000 {
		j.Add(full)
	}
	entries := j.Particle(long)
	if len(entries) == 0 {
		t.Fatal("the particle is not found")
	}
	most := 4*maxName + maxText + maxWaits*(2*maxName+maxText) + MaxJoins*3*maxName + 200*len("...") + 32*48
	for _, e := range entries {
		if n := e.textSize(); n > most {
			t.Fatalf("an entry has %d bytes of text, want at most %d", n, most)
		}
	}
	ring := &j.rings[ends]
	sum := 0
	for i := ring.begin; i < ring.end; i++ {
		sum += ring.at(i).textSize()
	}
	if sum != ring.bytes || sum > 100*entryText {
		t.Errorf("the ring holds %d bytes and counts %d, want at most %d", sum, ring.bytes, 100*entryText)
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
	j.Add(Entry{At: time.UnixMilli(1000).UTC(), Took: 1500 * time.Microsecond, Kind: Called, Particle: "p", Service: "s", Function: "f", Detail: strings.Repeat("x", 2*maxText)})
	e := j.Recent(1, nil)[0]
	e.Detail = e.Detail[maxText:]
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
