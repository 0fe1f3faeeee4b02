package journal

import (
	"fmt"
	"testing"
)

// Entries may be added while a full journal is looked through; those that are found are in order.
func TestRecentLetsOthersAdd(t *testing.T) {
	j := New("host", 4*lookAtOnce)
	for i := range 4 * lookAtOnce {
		j.Add(Entry{Kind: Sent, Particle: fmt.Sprint(i)})
	}
	looked, last := 0, -1
	added := make(chan int)
	all := j.Recent(3*lookAtOnce, func(e *Entry) bool {
		if looked++; looked == 1 {
			go func() { // waits for the lock, which is free between two parts
				j.Add(Entry{Kind: Sent, Particle: "late"})
				close(added)
			}()
		}
		return true
	})
	<-added
	for _, e := range all {
		var n int
		if _, err := fmt.Sscan(e.Particle, &n); err != nil {
			t.Fatalf("%q was added after the beginning", e.Particle)
		}
		if n <= last {
			t.Fatalf("%d comes after %d", n, last)
		}
		last = n
	}
	if len(all) != 3*lookAtOnce || last != 4*lookAtOnce-1 {
		t.Errorf("%d entries up to %d", len(all), last)
	}
}

func BenchmarkOf(b *testing.B) {
	j := New("host", 0)
	for i := range 4 * DefaultSize {
		j.Add(Entry{Kind: Kind(i) % kinds, Particle: fmt.Sprint(i), Init: "peer"})
	}
	for b.Loop() {
		j.Of("peer", "none", 256)
	}
}
