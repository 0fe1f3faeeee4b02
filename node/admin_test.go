package node_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
)

// get reads a page of a peer's admin endpoint, counting peers from 0.
func (x *network) get(peer int, path string) (int, string) {
	x.t.Helper()
	return get(x.t, x.Peers[peer].AdminAddr(), path)
}

func get(t testing.TB, addr, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestAdmin(t *testing.T) {
	x := start(t, devnet.Config{Edit: func(n int, c *config.Config) {
		c.Admin, c.Described = "127.0.0.1:0", "listen = []"
		if n == 3 {
			c.Bootstrap = append(c.Bootstrap, "/ip4/127.0.0.1/tcp/1/p2p/"+devnet.ID(99))
		}
	}})
	r, err := x.client.Run(t.Context(), x.script(`(call -relay- ("op" "identity") [1] r)`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range x.Peers[1:] { // the bootstrap peer is the first
		for len(p.Peers()) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for sent := false; !sent; { // when the client has acknowledged it
		_, journal := x.get(0, "/particles?id="+r.ParticleID)
		sent = strings.Contains(journal, `"kind":"sent"`)
	}
	for _, c := range []struct {
		peer   int
		path   string
		status int
		want   []string
	}{
		{0, "/peer_id", 200, []string{`{"peer_id":"` + x.Peers[0].ID() + `"}`}},
		{0, "/versions", 200, []string{`"avm":"0.62.0"`}},
		{0, "/health", 200, []string{`[{"accepting":"Ok"},{"bootstrap_nodes":"Ok"},{"processors":"Ok"},{"services":"Ok"}]`}},
		{2, "/health", 429, []string{`{"accepting":"Ok"}`, `{"bootstrap_nodes":"Fail","reason":"not connected to /ip4/127.0.0.1/tcp/1/p2p/`}},
		{0, "/peers", 200, []string{`"peerId":"` + x.client.ID() + `"`, `"inbound":true`}},
		{0, "/particles?id=" + r.ParticleID, 200, []string{`"kind":"arrived"`, `"function":"identity"`, `"kind":"sent"`}},
		{0, "/particles?id=nobody", 200, []string{`"entries":[]`}},
		{0, "/particles?n=0", 400, nil},
		{0, "/metrics", 200, []string{
			`connection_pool_received_particles_total{particle_type="Common"} 1`,
			`connectivity_particle_send_success_total{particle_type="Common"} 1`,
			`particle_executor_service_call_success_total{function_kind="Service"} 1`,
			`aquanode_journal_total{kind="arrived",reason=""} 1`,
			`particle_executor_alive_actors{peer_id="` + x.Peers[0].ID() + `",worker_type="Host"} 0`, // nothing can follow
			`aquanode_particles_finished 1`,
			`go_goroutines`,
		}},
		{0, "/config", 200, []string{"listen = []"}},
		{0, "/nothing", 404, []string{"No such endpoint"}},
		{0, "/debug/pprof/", 404, nil},
	} {
		status, body := x.get(c.peer, c.path)
		if status != c.status {
			t.Errorf("%s: want status %d, got %d", c.path, c.status, status)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: want %s in\n%s", c.path, want, body)
			}
		}
		if strings.HasPrefix(body, "{") && !json.Valid([]byte(body)) {
			t.Errorf("%s: not JSON: %s", c.path, body)
		}
	}
}
