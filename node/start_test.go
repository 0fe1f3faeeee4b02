package node

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
)

// A durable peer starts over thousands of particles whose deadlines pass meanwhile, 4 ms apart, and
// accounts for each: it expired while the peer was down, or here, or is kept for the next process.
func TestStartOverExpiring(t *testing.T) {
	const particles, apart, starts = 4000, 4 * time.Millisecond, 12
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	stranger := ed25519.NewKeyFromSeed([]byte("a stranger with 32 bytes of seed"))
	first := t.TempDir()
	peer := func(dir string) *Node {
		n, err := New(config.Config{Key: key, DataDir: dir, Durable: true, Network: "none"})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := peer(first)
	for i := range particles {
		p := particle.New(stranger, "(never)", time.Second+time.Duration(i)*apart, time.Now())
		if err := n.engine.Dispatcher.Start(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	kept := n.engine.Journal.Count(journal.Kept, "")

	down, here := 0, 0
	for range starts {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(first)); err != nil {
			t.Fatal(err)
		}
		n := peer(dir)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		j := n.engine.Journal
		expired, before := j.Count(journal.Expired, ""), j.Count(journal.Expired, journal.WhileDown)
		if sum := expired + j.Count(journal.Kept, ""); sum != kept {
			t.Errorf("want %d particles accounted for, got %d", kept, sum)
		}
		down += int(before)
		here += int(expired - before)
	}
	if down == 0 || here == 0 {
		t.Errorf("want particles that expired while the peer was down and after, got %d and %d", down, here)
	}
	if entries, err := os.ReadDir(filepath.Join(first, "vault")); err != nil || len(entries) > 0 {
		t.Errorf("want no vaults, got %v, %v", entries, err)
	}
}
