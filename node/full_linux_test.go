package node

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
)

// A durable peer whose disk fills up goes on, fails its health check with the reason, and keeps all
// that lives when there is room again: its next process has it, also what came meanwhile.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 { // once more in a namespace in which this is root
		cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestFullDisk$")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "aquanode-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	stranger := ed25519.NewKeyFromSeed([]byte("a stranger with 32 bytes of seed"))
	peer := func() *Node {
		n, err := New(config.Config{Key: key, DataDir: dir, Durable: true, Network: "none", Admin: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := peer()
	want := map[string]bool{}
	send := func(script string) {
		p := particle.New(stranger, script, time.Hour, time.Now())
		if err := n.engine.Dispatcher.Start(p, nil); err != nil {
			t.Fatal(err)
		}
		want[p.ID] = true
	}
	page := func(path string) string {
		r, err := http.Get("http://" + n.AdminAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	durable := func() (string, bool) {
		body := page("/health")
		if !json.Valid([]byte(body)) {
			t.Fatalf("health: %s", body)
		}
		return body, strings.Contains(body, `{"durable":"Ok"}`)
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for range 6000 {
			if is() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		body, _ := durable()
		t.Fatalf("never %s: %s", what, body)
	}
	send("(never)")
	until("healthy", func() bool { _, ok := durable(); return ok })
	ballast := filepath.Join(dir, "ballast")
	os.WriteFile(ballast, make([]byte, 8<<20), 0o600) // as much as there is room for
	long := "(seq (null) (call \"" + n.ID() + "\" (\"peer\" \"timeout\") [3000000 \"" + strings.Repeat("x", 20_000) + "\"]))"
	until("full", func() bool { send(long); _, ok := durable(); return !ok })
	if body, _ := durable(); !strings.Contains(body, "no space left") {
		t.Errorf("want the reason in %s", body)
	}
	if !strings.Contains(page("/metrics"), "\naquanode_durable_healthy 0\n") {
		t.Error("the metric says that durability works")
	}
	for i := range 5 {
		send(fmt.Sprintf(`(seq (match %d %d (null)) (never))`, i, i))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	until("healthy again", func() bool { _, ok := durable(); return ok })
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	n = peer()
	defer n.Close()
	until("resumed", func() bool { return int(n.engine.Journal.Count(journal.Resumed, "")) >= len(want) })
	for _, e := range n.engine.Journal.Recent(1000, func(e *journal.Entry) bool { return e.Kind == journal.Resumed }) {
		delete(want, e.Particle)
	}
	if len(want) > 0 {
		t.Errorf("%d particles are missing: %v", len(want), want)
	}
}
