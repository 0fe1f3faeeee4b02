package node_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/internal/golden"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
)

var series = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \S+$`)

// metricsOf lists name, type and labels of what is on a /metrics page, without what the Go
// library has of its own. The labels' values stand for those that tell of something fixed.
func metricsOf(page string) string {
	types, labels := map[string]string{}, map[string]map[string]bool{}
	for s := bufio.NewScanner(strings.NewReader(page)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) == 4 && f[1] == "TYPE" {
			types[f[2]] = f[3]
			labels[f[2]] = map[string]bool{}
			continue
		}
		m := series.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		name := m[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(name, suffix); types[name] == "" && types[base] == "histogram" {
				name = base
			}
		}
		for _, l := range strings.Split(m[2], `",`) {
			key, value, _ := strings.Cut(l, "=")
			if fixed := []string{"action", "particle_type", "function_kind", "service_type", "worker_type"}; slices.Contains(fixed, key) {
				key += "=" + strings.Trim(value, `"`)
			}
			if key != "" && key != "le" {
				labels[name][key] = true
			}
		}
	}
	var lines []string
	for name, kind := range types {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		var all []string
		for l := range labels[name] {
			all = append(all, l)
		}
		slices.Sort(all)
		lines = append(lines, strings.TrimSpace(fmt.Sprint(name, " ", kind, " ", strings.Join(all, " "))))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// Names, types and labels are what dashboards rely on.
func TestMetricNames(t *testing.T) {
	cfg := durable(t.TempDir())
	edit := cfg.Edit
	cfg.Edit = func(n int, c *config.Config) {
		edit(n, c)
		c.Admin = "127.0.0.1:0"
	}
	x := start(t, cfg)
	_, page := x.get(0, "/metrics")
	if status, body := x.get(0, "/health"); status != 200 || !strings.Contains(body, `{"durable":"Ok"}`) {
		t.Errorf("health is %d, %s", status, body)
	}
	golden.File(t, filepath.Join("testdata", "metrics.golden"), metricsOf(page))
	for _, r := range journal.Reasons() {
		if want := fmt.Sprintf(`aquanode_journal_total{kind="refused",reason="%s"} 0`, string(r)); !strings.Contains(page, want) {
			t.Errorf("refusals for %s have no counter", string(r))
		}
	}
}

// What happens is counted.
func TestMetricsCount(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain", "named"} {
		if err := os.WriteFile(filepath.Join(dir, name+".js"), []byte(`exports.f = (x) => { if (x) throw "no"; return 1 }`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	x := start(t, devnet.Config{Peers: 2, Edit: func(n int, c *config.Config) {
		c.Admin, c.ServicesDir, c.Dispatch.Particles = "127.0.0.1:0", dir, 1000
	}})
	p := x.Peers[0]
	if err := p.Services().AddAlias(p.ID(), "alias", "named"); err != nil {
		t.Fatal(err)
	}
	x.want(`(seq (call -relay- ("plain" "f") [false]) (seq (call -relay- ("alias" "f") [false] r) (par (call peer2 ("op" "noop") []) (null))))`, `1`)
	for _, service := range []string{"plain", "nobody"} {
		if _, err := x.run(fmt.Sprintf(`(call -relay- (%q "f") [true] r)`, service)); err == nil {
			t.Errorf("%s: want an error", service)
		}
	}
	if err := p.Services().Unregister(p.ID(), "named"); err != nil {
		t.Fatal(err)
	}
	_, page := x.get(0, "/metrics")
	for _, want := range []string{
		`services_services_count{service_type="non-aliased-services"} 1`,
		`services_creation_count_total{service_type="non-aliased-services"} 2`,
		`services_removal_count_total{service_type="alias"} 1`,
		`services_call_success_count_total{service_type="alias"} 1`,
		`services_call_success_count_total{service_type="non-aliased-services"} 1`,
		`services_call_failed_count_total{service_type="non-aliased-services"} 1`,
		`services_call_time_msec_count{service_type="alias"} 1`,
		`services_lock_wait_time_sec_count{service_type="non-aliased-services"} 2`,
		`particle_executor_service_call_failure_total{function_kind="NotHappened"} 1`,
		`connectivity_contact_resolve_total{action="KademliaNotFound"} 0`,
		`particle_executor_total_actors_mailbox{peer_id="` + p.ID() + `",worker_type="Host"} 0`,
		`network_type="dar"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %s in\n%s", want, page)
		}
	}
	if !regexp.MustCompile(`connectivity_contact_resolve_total\{action="Local"\} [1-9]`).MatchString(page) {
		t.Error("no contact was counted")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, page := x.get(1, "/metrics"); strings.Contains(page, "connectivity_bootstrap_connected_total 1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection to the bootstrap peer was not counted")
		}
	}
}
