package airgen

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/value"
)

var (
	cases    = flag.Int("cases", 0, "number of cases of each campaign, in place of its own")
	fromSeed = flag.Uint64("seed", 0, "seed of the first case, added to the campaign's own")
	duration = flag.Duration("for", 0, "run campaigns for so long, in place of a number of cases")
	keep     = flag.String("keep", "", "directory for shrunken failures as recordings, a file of JSON lines for each campaign")
)

// campaign runs cases with seeds in a row.
type campaign struct {
	engines Engines
	cases   int
	mixed   bool
	seed    uint64
}

// maxFailures is how many failing cases are made small and shown.
const maxFailures = 3

func (c campaign) run(t *testing.T) {
	n := c.cases
	if *cases > 0 {
		n = *cases
	}
	var stats Stats
	failures, start := 0, time.Now()
	for k := 0; k < n || *duration > 0; k++ {
		if *duration > 0 && time.Since(start) > *duration {
			break
		}
		failed, f, err := c.engines.Simulate(t.Context(), c.seed+*fromSeed+uint64(k), c.mixed, &stats)
		if err != nil {
			t.Fatal(err)
		}
		if f != nil {
			failures++
			c.report(t, failed)
		}
		if failures == maxFailures {
			break
		}
	}
	t.Log(stats.String())
	if 10*stats.Refused > stats.Programs {
		t.Errorf("%d of %d programs do not parse, want at most a tenth", stats.Refused, stats.Programs)
	}
}

// report makes a failing case small, shows it and keeps it.
func (c campaign) report(t *testing.T, failed *Case) {
	t.Helper()
	small := c.engines.Shrink(t.Context(), failed, 3000)
	f, err := c.engines.Replay(t.Context(), small)
	if err != nil || f == nil {
		t.Fatalf("seed %d fails, but not always: %v", failed.Seed, err)
	}
	events, err := json.Marshal(small.Events)
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("seed %d, %d peers: %s\nscript:\n%sevents:\n%s", small.Seed, small.Peers, f, small.Script, events)
	if *keep != "" {
		recording, err := c.engines.Record(t.Context(), small)
		if err != nil {
			t.Fatal(err)
		}
		keepCase(t, recording)
	}
}

func keepCase(t *testing.T, r *Recording) {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(*keep, t.Name()+".jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// canonical is JSON text as a value writes it.
func canonical(text []byte) (string, error) {
	v, err := value.Parse(string(text))
	return v.Text(), err
}

// ours are the three forms of our interpreter.
func ours() []Engine {
	scripts := interpreter.NewScripts(1 << 20)
	return []Engine{Cold{scripts}, &Retained{Scripts: scripts}, &Retained{Scripts: scripts, Lazy: true}}
}

// TestForms holds the retained form against the cold one.
func TestForms(t *testing.T) {
	campaign{engines: Engines{New: ours}, cases: 500, seed: 2_000_000}.run(t)
}
