//go:build interop

package airgen

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/aquanode/aquanode/internal/golden"
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/test/interop/avm"
)

// npm is the published interpreter.
type npm struct{ *avm.Oracle }

func (npm) Name() string { return "npm" }

func (e npm) Step(_ context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	return OneByOne(r, arrivals, func(r *simulate.Request) (*Answer, error) {
		q := *r
		q.Human = false
		var a Answer
		if err := e.Do(&q, &a); err != nil {
			return nil, err
		}
		return &a, nil
	})
}

// startNPM starts the published interpreter.
func startNPM(t *testing.T) npm {
	t.Helper()
	o, err := avm.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return npm{o}
}

// TestLockstepNPM holds all forms of ours against the published interpreter, each going on with
// its own data.
func TestLockstepNPM(t *testing.T) {
	reference := startNPM(t)
	scripts := interpreter.NewScripts(1 << 24)
	e := Engines{Foreign: true, New: func() []Engine {
		return []Engine{reference, Cold{scripts}, &Retained{Scripts: scripts}, &Retained{Scripts: scripts, Lazy: true}}
	}}
	campaign{engines: e, cases: 400}.run(t)
}

// TestMixedNPM lets the published interpreter and ours go on with each other's data.
func TestMixedNPM(t *testing.T) {
	reference := startNPM(t)
	scripts := interpreter.NewScripts(1 << 24)
	e := Engines{Foreign: true, New: func() []Engine {
		return []Engine{reference, Cold{scripts}, &Retained{Scripts: scripts}}
	}}
	campaign{engines: e, cases: 400, mixed: true, seed: 1_000_000}.run(t)
}

// TestRecordingsNPM checks that the published interpreter still answers as recorded. With
// UPDATE_GOLDEN=1 it records all cases of testdata/found again, and new random ones.
func TestRecordingsNPM(t *testing.T) {
	reference := startNPM(t)
	e := Engines{Foreign: true, New: func() []Engine { return []Engine{reference} }}
	if golden.Updating() {
		writeRecordings(t, foundFile, recordAgain(t, e, readRecordings(t, foundFile)))
		writeRecordings(t, randomFile, recordRandom(t, e, 110))
	}
	for _, path := range []string{randomFile, foundFile} {
		for _, r := range readRecordings(t, path) {
			if f, err := r.Replay(t.Context(), []Engine{reference}); f != nil || err != nil {
				t.Errorf("%s: seed %d: %v %v", path, r.Seed, f, err)
			}
		}
	}
}

func recordAgain(t *testing.T, e Engines, old []*Recording) []*Recording {
	t.Helper()
	var all []*Recording
	for _, r := range old {
		r, err := e.Record(t.Context(), &r.Case)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// recordRandom records n cases in which something happens.
func recordRandom(t *testing.T, e Engines, n int) []*Recording {
	t.Helper()
	var all []*Recording
	for seed := uint64(3_000_000); len(all) < n; seed++ {
		var stats Stats
		c, _, err := e.Simulate(t.Context(), seed, false, &stats)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Steps < 6 || stats.Largest > 20_000 {
			continue
		}
		all = append(all, recordAgain(t, e, []*Recording{{Case: *c}})...)
	}
	return all
}

func writeRecordings(t *testing.T, path string, all []*Recording) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	lines := json.NewEncoder(z)
	for _, r := range all {
		if err := lines.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestReadableNPM sees that the published interpreter shows our data as we do.
func TestReadableNPM(t *testing.T) {
	reference := startNPM(t)
	scripts := interpreter.NewScripts(1 << 24)
	var stats Stats
	for seed := range uint64(30) {
		e := Engines{New: func() []Engine { return []Engine{readable{t, reference, Cold{scripts}}} }}
		if _, _, err := e.Simulate(t.Context(), seed, false, &stats); err != nil {
			t.Fatal(err)
		}
	}
}

// readable checks that the published interpreter shows our data as we do.
type readable struct {
	t         *testing.T
	reference npm
	Cold
}

func (e readable) Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	a, err := e.Cold.Step(ctx, r, arrivals)
	if err != nil || len(a.Data) == 0 {
		return a, err
	}
	human, err := e.reference.Human(a.Data)
	if err != nil {
		return nil, err
	}
	want, err := canonical(human)
	if err != nil {
		return nil, err
	}
	got, err := comparison{}.readable(a.Data)
	if err != nil {
		return nil, err
	}
	if got != want {
		e.t.Errorf("the published interpreter reads our data as\n%s\nand we as\n%s", want, got)
	}
	return a, nil
}
