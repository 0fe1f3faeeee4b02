package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/interpreter/air"
)

// A short soak: every particle is answered right or was on its way to a peer or over a link that
// ended just then.
func TestSoak(t *testing.T) {
	r, err := Run(t.Context(), Config{For: 10 * time.Second, TTL: 12 * time.Second, Workers: 3, Seed: rand.Uint64(), Lenient: true, Rest: time.Minute, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r)
	for _, f := range r.Faults {
		t.Error(f)
	}
	if r.Answered == 0 || r.Kills+r.Stops+r.Links == 0 {
		t.Errorf("%d particles answered, %d troubles: that shows nothing", r.Answered, r.Kills+r.Stops+r.Links)
	}
}

// All programs are AIR, and they differ.
func TestPrograms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 1000 {
		p := newProgram(random, []string{"a", "b", "c"}, 0)
		if _, err := air.Parse(p.air); err != nil {
			t.Fatalf("%v\n%s", err, p.air)
		}
		seen[p.air] = true
		if len(p.peers) == 0 || !strings.HasPrefix(p.want, `"`) {
			t.Errorf("a program without peers or result: %+v", p)
		}
	}
	if len(seen) < 900 {
		t.Errorf("%d different programs of 1000", len(seen))
	}
}
