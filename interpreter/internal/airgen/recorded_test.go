package airgen

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/aquanode/aquanode/interpreter/simulate"
)

// The recordings: random cases with the answers of the published interpreter, and what is left of
// those in which it once answered otherwise than ours.
const (
	randomFile = "testdata/random.jsonl.gz"
	foundFile  = "testdata/found.jsonl.gz"
)

func readRecordings(t *testing.T, path string) []*Recording {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Recording
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		r := &Recording{}
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRecordings holds all forms of ours to what the published interpreter answered.
func TestRecordings(t *testing.T) {
	for _, path := range []string{randomFile, foundFile} {
		steps, all := 0, readRecordings(t, path)
		for _, r := range all {
			steps += len(r.Events)
			f, err := r.Replay(t.Context(), ours())
			if err != nil {
				t.Fatal(err)
			}
			if f != nil {
				t.Errorf("seed %d: %s\nscript:\n%s", r.Seed, f, r.Script)
			}
		}
		t.Logf("%s: %d cases, %d steps", path, len(all), steps)
		if len(all) == 0 {
			t.Errorf("%s is empty", path)
		}
	}
}

// TestShrink makes a case small that fails for a known reason.
func TestShrink(t *testing.T) {
	e := Engines{New: func() []Engine { return []Engine{ours()[0], forgetful{ours()[0]}} }}
	var stats Stats
	for seed := range uint64(50) {
		c, f, err := e.Simulate(t.Context(), seed, false, &stats)
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			continue
		}
		small := e.Shrink(t.Context(), c, 2000)
		f, err = e.Replay(t.Context(), small)
		if err != nil || f == nil {
			t.Fatalf("seed %d does not fail any more when it is small: %v", seed, err)
		}
		if len(small.Events) > 2 || len(small.Script) > 200 {
			t.Errorf("seed %d: %d events and the script\n%s\nwant one call to another peer", seed, len(small.Events), small.Script)
		}
		return
	}
	t.Error("no case fails")
}

// forgetful is an engine that sends nothing on.
type forgetful struct{ Engine }

func (e forgetful) Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	a, err := e.Engine.Step(ctx, r, arrivals)
	if a != nil {
		a.NextPeerPks = nil
	}
	return a, err
}
