package admin

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aquanode/aquanode/node/journal"
)

func serve(t *testing.T, cfg Config) string {
	t.Helper()
	cfg.Journal = journal.New("host", 0)
	cfg.Journal.Add(journal.Entry{Kind: journal.Failed, Particle: "p", Reason: journal.Interpreter, Detail: "secret of a value"})
	cfg.Journal.Add(journal.Entry{Kind: journal.Called, Particle: "p", Reason: journal.ServiceFailed, Service: "s", Detail: "secret of a service"})
	cfg.Journal.Add(journal.Entry{Kind: journal.Expired, Particle: "p", Reason: journal.Unfinished, Waits: []journal.Wait{
		{Instruction: `call x ("s" "f") ["secret argument"] y`}, {Instruction: `match "secret operand" x`},
	}})
	cfg.Metrics, cfg.Described = prometheus.NewRegistry(), "x = 1"
	cfg.Health = func() []Check { return []Check{{Name: "good"}, {Name: "bad", Err: errors.New("of it")}} }
	cfg.Peers = func() any { return []string{} }
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(s.Addr())
	return "127.0.0.1:" + port
}

func get(t *testing.T, addr, path, host, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(body)
}

// Who may see which page, by where the endpoint listens, its token and the request's host.
func TestAccess(t *testing.T) {
	const token = "0123456789abcdef"
	for name, c := range map[string]struct {
		cfg                Config
		host, token        string
		open, private, run int // status of /health, /particles, /debug/pprof/
	}{
		"loopback":                {Config{Addr: "127.0.0.1:0"}, "", "", 429, 200, 404},
		"localhost":               {Config{Addr: "127.0.0.1:0"}, "LOCALHOST:1", "", 429, 200, 404},
		"IPv6":                    {Config{Addr: "127.0.0.1:0"}, "[::1]:80", "", 429, 200, 404},
		"a name of another":       {Config{Addr: "127.0.0.1:0"}, "evil.example", "", 421, 421, 421},
		"with a port":             {Config{Addr: "127.0.0.1:0"}, "127.0.0.1.evil.example:80", "", 421, 421, 421},
		"a name of ours":          {Config{Addr: "127.0.0.1:0", Hosts: []string{"peer.example"}}, "peer.example:1", "", 429, 200, 404},
		"profiles":                {Config{Addr: "127.0.0.1:0", Profiling: true}, "", "", 429, 200, 200},
		"no token":                {Config{Addr: "127.0.0.1:0", Token: token, Profiling: true}, "", "", 429, 401, 401},
		"a wrong one":             {Config{Addr: "127.0.0.1:0", Token: token}, "", "Bearer 0123456789abcdeF", 429, 401, 404},
		"the token":               {Config{Addr: "127.0.0.1:0", Token: token, Profiling: true}, "", "Bearer " + token, 429, 200, 200},
		"everywhere":              {Config{Addr: "0.0.0.0:0", Profiling: true}, "any.example", "", 429, 403, 403},
		"everywhere with a token": {Config{Addr: "0.0.0.0:0", Token: token}, "any.example", "Bearer " + token, 429, 200, 404},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, c.cfg)
			for path, want := range map[string]int{
				"/health": c.open, "/particles": c.private, "/peers": c.private, "/config": c.private, "/debug/pprof/": c.run,
			} {
				if status, body := get(t, addr, path, c.host, c.token); status != want {
					t.Errorf("%s: want %d, got %d %.100s", path, want, status, body)
				}
			}
		})
	}
}

// Without a token nothing shows what calls were given and what they gave.
func TestValuesAreHidden(t *testing.T) {
	const token = "0123456789abcdef"
	_, body := get(t, serve(t, Config{Addr: "127.0.0.1:0"}), "/particles", "", "")
	for _, want := range []string{`call x (\"s\" \"f\")"`, `"instruction":"match"`, "admin_token"} {
		if !strings.Contains(body, want) {
			t.Errorf("want %s in %s", want, body)
		}
	}
	if strings.Contains(body, "secret") {
		t.Errorf("shows values: %s", body)
	}
	_, body = get(t, serve(t, Config{Addr: "127.0.0.1:0", Token: token}), "/particles", "", "Bearer "+token)
	if n := strings.Count(body, "secret"); n != 4 {
		t.Errorf("want 4 values with the token, got %d: %s", n, body)
	}
}
