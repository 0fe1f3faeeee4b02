package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/node/journal"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == honestVerb {
		if err := beHonest(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The rows of the slice, judged by counts: the p99 is compared by the command only, on a machine
// that is quiet.
func TestSlice(t *testing.T) {
	b, err := NewBench(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, r := range Rows() {
		if !r.Slice || r.Pending != "" {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			v := b.Try(t.Context(), r, brief)
			if v.Broken != "" {
				t.Error(v.Broken)
			}
			for _, f := range v.Faults {
				t.Error(f)
			}
			v.print(t.Output(), true)
		})
	}
}

var kinds = []string{
	journal.Arrived.String(), journal.Refused.String(), journal.Stepped.String(), journal.Failed.String(), journal.Called.String(),
	journal.Held.String(), journal.Lost.String(), journal.Expired.String(), journal.Ended.String(),
}

// Names are what rows are chosen by.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rows() {
		if seen[r.Name] || r.Name == "" || r.Kind == "" || (r.Attack == nil) == (r.Scene == nil) {
			t.Errorf("row %q of kind %q: a name of its own, a kind, and an attack or a scene are wanted", r.Name, r.Kind)
		}
		seen[r.Name] = true
		for _, want := range r.Reasons {
			kind, reason, _ := strings.Cut(want, "/")
			if !slices.Contains(kinds, kind) || reason != "" && !slices.Contains(journal.Reasons(), journal.Reason(reason)) {
				t.Errorf("row %q expects %q, which no journal has", r.Name, want)
			}
		}
	}
	for name := range pending {
		if !seen[name] {
			t.Errorf("pending names %q, which is not a row", name)
		}
	}
}

// A verdict fails for a fault, for a pending mark that outlived its fault, and when there is nothing
// to judge.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		pending string
		faults  []string
		broken  string
		failed  bool
	}{
		{"", nil, "", false}, {"", []string{"f"}, "", true}, {"p", []string{"f"}, "", false}, {"p", nil, "", true},
		{"p", []string{"f"}, "no start", true}, {"", nil, "no start", true},
	} {
		if v := (Verdict{Pending: c.pending, Faults: c.faults, Broken: c.broken}); v.Failed() != c.failed {
			t.Errorf("pending %q, faults %v, broken %q: want failed %v", c.pending, c.faults, c.broken, c.failed)
		}
	}
}
