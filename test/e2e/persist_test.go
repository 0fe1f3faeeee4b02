package e2e

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
)

// manager is a client that may manage peers started with --management and its id.
var manager = testKey("manager")

func idOf(key ed25519.PrivateKey) string { return particle.PeerID(key.Public().(ed25519.PublicKey)) }

// connect makes a client of a peer.
func connect(t *testing.T, p *peer, key ed25519.PrivateKey) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), client.Config{Key: key, Relays: []string{p.addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask calls a function on a client's relay and gives the result.
func ask(ctx context.Context, c *client.Client, service, function string, args ...string) (value.Value, error) {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	r, err := c.Run(ctx, client.Script{TTL: 5 * time.Second, AIR: fmt.Sprintf(`
		(xor (seq (call %%init_peer_id%% ("getDataSrv" "-relay-") [] -relay-)
		          (seq (call -relay- (%q %q) [%s] r) (call %%init_peer_id%% ("callbackSrv" "response") [r])))
		     (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: 0]))`, service, function, strings.Join(quoted, " "))})
	if err != nil {
		return value.Value{}, err
	}
	return r.Values[0], nil
}

// What a peer has acknowledged is there after a crash at any moment: aliases, where they point
// to, removed services. The key stays, and nothing half-written is left.
func TestCrashes(t *testing.T) {
	const rounds, writers = 8, 4
	files := map[string]string{"keeper.js": `exports.f = () => 1`, "other.js": `exports.f = () => 2`}
	for i := range rounds {
		files[fmt.Sprintf("gone%d.js", i)] = `exports.f = () => 3`
	}
	data, services := t.TempDir(), write(t, files)
	var mu sync.Mutex
	tried, kept := map[string]bool{}, map[string]bool{}
	note := func(m map[string]bool, what string) {
		mu.Lock()
		defer mu.Unlock()
		m[what] = true
	}
	try := func(ctx context.Context, c *client.Client, what, function string, args ...string) bool {
		note(tried, what)
		if _, err := ask(ctx, c, "srv", function, args...); err != nil {
			return false
		}
		note(kept, what)
		return true
	}
	id, total := "", 0
	for round := range rounds + 1 {
		p := start(t, "--data-dir", data, "--services", services, "--management", idOf(manager))
		if id == "" {
			id = p.PeerID
		}
		if p.PeerID != id {
			t.Fatalf("round %d: the peer's id was %s and is %s", round, id, p.PeerID)
		}
		wantNoTemporaries(t, data)
		c := connect(t, p, manager)
		got := present(t, c)
		for what := range kept {
			if !got[what] {
				t.Errorf("round %d: %s was acknowledged and is lost", round, what)
			}
		}
		for what := range got {
			if !tried[what] {
				t.Errorf("round %d: %s was never asked for", round, what)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := 0; ; i++ {
					alias := fmt.Sprintf("a-%d-%d-%d", round, w, i)
					if !try(ctx, c, alias, "add_alias", alias, "keeper") {
						return
					}
				}
			})
		}
		all.Go(func() { try(ctx, c, fmt.Sprint("gone", round), "remove", fmt.Sprint("gone", round)) })
		all.Go(func() { // an alias that moves is with one of the two at any moment
			for i := 0; try(ctx, c, "mover", "add_alias", "mover", []string{"keeper", "other"}[i%2]); i++ {
			}
		})
		acknowledged := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(kept)
		}
		for acknowledged() < total+4 { // else the test shows little
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		p.kill()
		cancel()
		all.Wait()
		c.Close()
		total = len(kept)
	}
	t.Logf("%d acknowledged in %d lives", total, rounds+1)
}

// A peer that crashes while it starts leaves a directory that the next one can use.
func TestCrashesAtStart(t *testing.T) {
	data := t.TempDir()
	for range 15 {
		cmd := exec.Command(binary, "--data-dir", data, "--listen", "/ip4/127.0.0.1/tcp/0")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(100 * time.Millisecond))
		cmd.Process.Kill()
		cmd.Wait()
	}
	p := start(t, "--data-dir", data)
	wantNoTemporaries(t, data)
	first := p.PeerID
	p.kill()
	if again := start(t, "--data-dir", data); again.PeerID != first {
		t.Errorf("the id was %s and is %s", first, again.PeerID)
	}
}

// present lists the aliases of the peer's services, and its services that are gone.
func present(t *testing.T, c *client.Client) map[string]bool {
	t.Helper()
	list, err := ask(t.Context(), c, "srv", "list")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	var ids []string
	for _, s := range list.Elements() {
		id, _ := s.Field("id")
		name, _ := id.AsString()
		ids = append(ids, name)
		aliases, _ := s.Field("aliases")
		for _, a := range aliases.Elements() {
			alias, _ := a.AsString()
			there[alias] = true
		}
	}
	for i := range 8 {
		if name := fmt.Sprint("gone", i); !slices.Contains(ids, name) {
			there[name] = true
		}
	}
	return there
}

func wantNoTemporaries(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if name := e.Name(); err == nil && (strings.HasPrefix(name, ".") || strings.Contains(name, "tmp")) && path != dir {
			t.Errorf("%s was left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
