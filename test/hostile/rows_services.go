package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/test/load"
	"github.com/aquanode/aquanode/test/process"
)

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func particleID(s *load.Stranger) string { return particle.PeerID(s.Key.Public().(ed25519.PublicKey)) }

// natives are functions whose time or memory is spent in one step of the JavaScript runtime.
var natives = map[string]string{
	"regexp":  `exports.f = () => /^(a|aa)+\1$/.test("a".repeat(60) + "b")`,
	"join":    `exports.f = () => { const a = []; a.length = 4e9; return a.join("xxxxxxxx").length }`,
	"fill":    `exports.f = () => new Array(3e8).fill(0).length`,
	"bigint":  `exports.f = () => String(1n << 10000000000n).length`,
	"buffer":  `exports.f = () => new ArrayBuffer(1e11).byteLength`,
	"loop":    `exports.f = () => { for (;;); }`,
	"grows":   `exports.f = () => { const a = []; for (;;) a.push("x".repeat(1000) + a.length) }`,
	"promise": `exports.f = () => new Promise(() => {})`,
	"sort":    `exports.f = () => { const a = []; for (let i = 0; i < 3e6; i++) a.push(i * 7919 % 104729); a.sort((x, y) => x - y); return a.length }`,
	"throws":  `exports.f = () => { throw "x".repeat(1e7) }`,
	"logs":    `exports.f = () => { for (let i = 0; i < 1e6; i++) console.error("line " + i + "x".repeat(500)) }`,
	"big":     `exports.f = () => "x".repeat(3e7)`,
}

func native(name string, change func(r *Row)) Row {
	r := Row{
		Name: "native " + name, Kind: "services", Services: map[string]string{"bad.js": natives[name], "good.js": `exports.f = () => 1`},
		Lasts: 6 * time.Second, Calm: 20 * time.Second, Reasons: []string{"called/service", "expired/unfinished", "ended/memory"},
		Attack: particles(4, 2, 2*time.Second, func(int) string { return `(call "HOST_PEER" ("bad" "f") [] r)` }),
	}
	if change != nil {
		change(&r)
	}
	return r
}

// serviceRows call services.
func serviceRows() []Row {
	const kind = "services"
	served := func(r *Row) { r.Reasons = nil }
	rows := []Row{
		native("regexp", nil), native("join", nil), native("fill", nil), native("bigint", nil), native("buffer", func(r *Row) { r.Slice = true }),
		native("loop", nil), native("grows", nil), native("promise", nil), native("sort", served), native("throws", nil), native("logs", served), native("big", served),
		{Name: "a busy service", Kind: kind, Services: map[string]string{"slow.js": `exports.f = (ms) => { sleep(ms); return 1 }`}, Lasts: 6 * time.Second, Calm: 30 * time.Second,
			Reasons: []string{"called/service"},
			Attack:  particles(3000, 3, 5*time.Second, func(int) string { return `(call "HOST_PEER" ("slow" "f") [1000] r)` })},
		{Name: "aliases and removals by a stranger", Kind: kind, Services: map[string]string{"mine.js": `exports.f = () => 1`}, Reasons: []string{"called/service"},
			Attack: particles(2000, 2, 10*time.Second, func(i int) string {
				return fmt.Sprintf(`(par (par (call "HOST_PEER" ("srv" "add_alias") ["alias%d" "mine"]) (call "HOST_PEER" ("srv" "remove") ["mine"])) (call "HOST_PEER" ("srv" "create") ["blueprint%[1]d"]))`, i)
			}),
			Check: func(a *Arena, _ process.Counts) error {
				return servedBy(a, "mine")
			}},
		{Name: "services that are not there", Kind: kind, Reasons: []string{"called/service"},
			Attack: particles(2000, 2, 10*time.Second, func(i int) string {
				return fmt.Sprintf(`(call "HOST_PEER" ("%s%d" "%s") [])`, strings.Repeat("s", 2000), i, strings.Repeat("f", 2000))
			}),
			Check: boundedMetrics},
		{Name: "vault files of others", Kind: kind, Reasons: []string{"called/service"},
			Attack: particles(500, 2, 10*time.Second, func(i int) string {
				paths := []string{"/etc/passwd", "../../peer.key", "/tmp/vault/../../peer.key", "/tmp/vault/\x00", strings.Repeat("../", 5000) + "peer.key"}
				return fmt.Sprintf(`(call "HOST_PEER" ("vault" "cat") [%q] r)`, paths[i%len(paths)])
			})},
		{Name: "vault, ten thousand small files", Kind: kind, Lasts: 8 * time.Second, Calm: 40 * time.Second,
			Attack: particles(10, 2, 20*time.Second, func(int) string {
				return parsed(1000, "a", `(fold a i (par (call "HOST_PEER" ("vault" "put") ["x"]) (next i)))`)
			})},
		{Name: "peer.connect to anywhere", Kind: kind, Reasons: []string{"called/service"}, Calm: 40 * time.Second,
			Attack: particles(500, 2, 10*time.Second, func(int) string {
				return arrayOf(`["/ip4/10.255.255.1/tcp/7" "/ip4/127.0.0.1/tcp/1"]`, "at",
					fmt.Sprintf(`(call "HOST_PEER" ("peer" "connect") [%q at] r)`, absentPeer()))
			})},
		{Name: "looks at the whole journal", Kind: kind,
			Attack: particles(20, 4, 10*time.Second, func(int) string {
				return tree("seq", times(2000, func(int) string { return `(call "HOST_PEER" ("debug" "journal") ["none"])` }))
			})},
		{Name: "sig.sign of large arrays", Kind: kind, Reasons: []string{"called/service"},
			Attack: particles(10, 2, 10*time.Second, func(int) string { return parsed(1_000_000, "a", `(call "HOST_PEER" ("sig" "sign") [a] r)`) })},
		{Name: "error texts of a megabyte", Kind: kind, Reasons: []string{"called/service"},
			Attack: particles(200, 2, 10*time.Second, func(int) string {
				return fmt.Sprintf(`(call "HOST_PEER" ("json" "parse") ["{%s"] r)`, strings.Repeat("e", 1<<20))
			})},
		{Name: "failures that nobody catches", Kind: kind, Reasons: []string{"failed/interpreter"},
			Attack: particles(5000, 2, 10*time.Second, func(i int) string { return fmt.Sprintf(`(fail 1 "%s")`, strings.Repeat("m", 5000)) })},
		{Name: "scripts that do not parse", Kind: kind, Reasons: []string{"failed/interpreter"},
			Attack: particles(3000, 2, 10*time.Second, func(i int) string { return "(seq (null) " + strings.Repeat("(wrong\n", 200) })},
	}
	return rows
}

// servedBy asks a service for an answer once more.
func servedBy(a *Arena, service string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := a.Stranger(ctx, "asks")
	if err != nil {
		return err
	}
	before := a.Answers.Load()
	script := fmt.Sprintf(`(seq (call "HOST_PEER" (%q "f") [] r) (call %%init_peer_id%% ("a" "b") [r]))`, service)
	if err := send(ctx, s, frame(s, a.Script(script), 10*time.Second)); err != nil {
		return err
	}
	for a.Answers.Load() == before {
		if ctx.Err() != nil {
			return fmt.Errorf("service %q does not answer any more", service)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// boundedMetrics wants no text of strangers in /metrics.
func boundedMetrics(a *Arena, _ process.Counts) error {
	body, err := a.Peer.Get(context.Background(), "/metrics")
	if err != nil {
		return err
	}
	if bytes.Contains(body, []byte("ssssssss")) || len(body) > 1<<20 {
		return fmt.Errorf("names of strangers are in the %d bytes of /metrics", len(body))
	}
	return nil
}

// endpointRows attack the admin endpoint.
func endpointRows() []Row {
	const kind = "admin endpoint"
	return []Row{
		{Name: "admin, slow requests", Kind: kind, Lasts: 8 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				for range 500 {
					c, err := a.TCP(ctx, a.Peer.Admin)
					if err != nil {
						return nil
					}
					io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: ")
				}
				return nil
			}},
		{Name: "admin, idle connections end", Kind: kind, Lasts: 4 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				for range 300 {
					c, err := a.TCP(ctx, a.Peer.Admin)
					if err != nil {
						return nil
					}
					fmt.Fprintf(c, "GET /peer_id HTTP/1.1\r\nHost: %s\r\n\r\n", a.Peer.Admin)
				}
				return nil
			}},
		{Name: "admin, a page for every journal entry", Kind: kind, Lasts: 6 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						for ctx.Err() == nil {
							a.Peer.Get(ctx, "/particles?n=1000000000")
							a.Peer.Get(ctx, "/metrics")
						}
					})
				}
				all.Wait()
				return nil
			}},
		{Name: "admin, another host", Kind: kind, Lasts: time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				for _, host := range []string{"evil.example", "evil.example:80", "rebound.example:18080"} {
					status, err := asHost(ctx, a.Peer.Admin, host, "/config")
					if err != nil {
						return err
					}
					if status < 400 {
						return fmt.Errorf("a page of %q was answered with %d", host, status)
					}
				}
				status, err := asHost(ctx, a.Peer.Admin, a.Peer.Admin, "/debug/pprof/heap")
				if err == nil && status < 400 {
					err = fmt.Errorf("profiles are there without being asked for")
				}
				return err
			}},
	}
}

func asHost(ctx context.Context, addr, host, path string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, err
	}
	req.Host = host
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, err
}
