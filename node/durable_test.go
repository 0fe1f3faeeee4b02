package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/services"
)

// durable are networks whose peers keep particles in directories below dir.
func durable(dir string) devnet.Config {
	return devnet.Config{Peers: 1, Edit: func(n int, c *config.Config) {
		c.DataDir, c.Durable, c.ServicesDir = filepath.Join(dir, fmt.Sprint(n)), true, dir
	}}
}

// The vault of a particle that is kept is kept with it.
func TestDurableVault(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "slow.js"), []byte(`exports.wait = (ms) => { sleep(ms); return 0 }`), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := durable(dir)
	x := start(t, cfg)
	addr := x.Peers[0].Addrs()[0]
	end := make(chan string, 1)
	go func() {
		r, err := x.run(`(seq (call -relay- ("vault" "put") ["kept"] file) (seq (call -relay- ("slow" "wait") [2000]) (call -relay- ("vault" "cat") [file] r)))`)
		end <- fmt.Sprint(r, err)
	}()
	for x.Peers[0].Journal().Count(journal.Called, "") == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	if err := x.Peers[0].Close(); err != nil {
		t.Error(err)
	}
	if n := x.Peers[0].Journal().Count(journal.Kept, ""); n != 1 {
		t.Errorf("want a kept particle in the journal, got %d", n)
	}
	edit := cfg.Edit
	cfg.Edit = func(n int, c *config.Config) {
		edit(n, c)
		c.Listen = []string{addr[:len(addr)-len("/p2p/")-len(devnet.ID(1))]}
	}
	again, err := devnet.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := <-end; got != `"kept"<nil>` && got != `"kept" <nil>` {
		t.Errorf("want the file's text, got %s", got)
	}
}

func TestDurableNeedsADirectory(t *testing.T) {
	c := config.Config{Key: key(1), Durable: true}
	if err := c.Check(); err == nil {
		t.Error("want an error")
	}
}

// What keeping particles costs: a call there and back, one after the other and 64 at once, and
// 1000 dependent calls of one particle.
func BenchmarkDurable(b *testing.B) {
	for name, cfg := range map[string]devnet.Config{"off": {Peers: 1}, "on": durable(b.TempDir())} {
		x := start(b, cfg)
		s := x.script(`(call -relay- ("op" "identity") ["hi"] r)`)
		s.TTL = 3 * time.Second
		run := func(b *testing.B, s client.Script) {
			if _, err := x.client.Run(context.Background(), s); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("one/"+name, func(b *testing.B) {
			for b.Loop() {
				run(b, s)
			}
		})
		b.Run("many/"+name, func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					run(b, s)
				}
			})
		})
		x.serve(0, "chain", func(_ context.Context, c *services.Call) (value.Value, error) { return c.Args[0], nil })
		links := make([]value.Value, 1000)
		for i := range links {
			links[i] = value.Int(int64(i))
		}
		chain := x.script(`(seq (fold links i (seq (call -relay- ("chain" "link") [i]) (next i))) (call -relay- ("op" "identity") [0] r))`)
		chain.Data["links"] = value.Array(links)
		chain.AIR = fmt.Sprintf(`(seq (call %%init_peer_id%% ("getDataSrv" "links") [] links) %s)`, chain.AIR)
		b.Run("chain/"+name, func(b *testing.B) {
			for b.Loop() {
				run(b, chain)
			}
		})
	}
}
