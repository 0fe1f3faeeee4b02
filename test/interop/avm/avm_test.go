//go:build interop

package avm

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// open starts the interpreter for a test.
func open(t *testing.T) *Oracle {
	t.Helper()
	o, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// scenario is a recorded series of runs of the interpreter's vectors.
type scenario struct {
	Name  string
	Steps []struct {
		Event   string
		Request json.RawMessage
		Expect  struct {
			outcome
			Human json.RawMessage
			Trap  bool
		}
	}
}

type outcome struct {
	RetCode                     int64
	ErrorMessage                string
	NextPeerPks                 []string
	CallRequests                map[string]request
	AirSizeLimitExceeded        bool
	ParticleSizeLimitExceeded   bool
	CallResultSizeLimitExceeded bool
}

type request struct {
	ServiceID, FunctionName string
	Tetraplets              any
	ArgumentsMsgpack        []byte
}

func readScenarios(t *testing.T, path string) []scenario {
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
	var all []scenario
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var s scenario
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRecorded runs the recorded scenarios of the interpreter's vectors once more: what the
// driver makes of requests and answers is what the vectors were made with.
func TestRecorded(t *testing.T) {
	o := open(t)
	files, err := filepath.Glob("../../../interpreter/testdata/air/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded scenarios: %v", err)
	}
	runs, readable := 0, 0
	for _, file := range files {
		for _, s := range readScenarios(t, file) {
			for i, step := range s.Steps {
				runs++
				var got struct {
					outcome
					Data []byte
					Trap string
				}
				if err := o.Do(step.Request, &got); err != nil {
					t.Fatalf("%s step %d: %v", s.Name, i, err)
				}
				if step.Expect.Trap != (got.Trap != "") {
					t.Errorf("%s step %d: crash %q, want one: %t", s.Name, i, got.Trap, step.Expect.Trap)
					continue
				}
				if d := cmp.Diff(normal(step.Expect.outcome), normal(got.outcome)); d != "" {
					t.Errorf("%s step %d %s (-recorded +now):\n%s", s.Name, i, step.Event, d)
				}
				if runs%10 == 0 && len(step.Expect.Human) > 0 { // the readable form is slow
					readable++
					checkHuman(t, o, got.Data, step.Expect.Human)
				}
			}
		}
	}
	t.Logf("%d recorded runs, the data of %d of them in readable form", runs, readable)
}

func normal(o outcome) outcome {
	slices.Sort(o.NextPeerPks)
	if len(o.NextPeerPks) == 0 {
		o.NextPeerPks = nil
	}
	if len(o.CallRequests) == 0 {
		o.CallRequests = nil
	}
	if o.RetCode == 1 {
		o.ErrorMessage = "" // the order of several labels on one place is random
	}
	return o
}

func checkHuman(t *testing.T, o *Oracle, data []byte, want json.RawMessage) {
	t.Helper()
	human, err := o.Human(data)
	if err != nil {
		t.Fatal(err)
	}
	var w, g any
	if err := errors.Join(json.Unmarshal(want, &w), json.Unmarshal(human, &g)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, g); d != "" {
		t.Errorf("data (-recorded +now):\n%s", d)
	}
}
