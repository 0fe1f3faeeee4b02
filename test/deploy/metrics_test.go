package deploy

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/identity"
)

// folder is where the files under test are.
const folder = "../../deploy"

// A panel of the dashboard, as far as queries go.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

// dashboard returns the panels that have queries.
func dashboard(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "grafana", "dashboards", "aquanode.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct{ Panels []panel }
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var out []panel
	for _, p := range board.Panels {
		if len(p.Targets) > 0 {
			out = append(out, p)
		}
	}
	if len(out) < 20 {
		t.Fatalf("the dashboard has %d panels only", len(out))
	}
	return out
}

// ruleExprs returns the expressions of the alerts.
func ruleExprs(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rule := range strings.Split(string(text), "- alert:")[1:] {
		_, expr, _ := strings.Cut(rule, " expr:")
		expr, _, _ = strings.Cut(expr, " labels:")
		expr, _, _ = strings.Cut(expr, " for:")
		if expr = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(expr), ">-")); expr != "" {
			out = append(out, expr)
		}
	}
	if alerts := strings.Count(string(text), "- alert:"); len(out) != alerts || alerts == 0 {
		t.Fatalf("%d expressions of %d alerts found", len(out), alerts)
	}
	return out
}

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	within = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring)\s*\([^)]*\)`)
	word   = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	// words are those of the language that the expressions use.
	words = map[string]bool{
		"sum": true, "count": true, "min": true, "rate": true, "increase": true, "changes": true, "time": true,
		"histogram_quantile": true, "and": true, "up": true, "e": true,
	}
)

// metricsIn are the metrics that an expression names.
func metricsIn(expr string) (out []string) {
	bare := within.ReplaceAllString(quoted.ReplaceAllString(expr, ""), " ")
	for _, w := range word.FindAllString(bare, -1) {
		if !words[w] && !strings.HasPrefix(w, "e6") {
			out = append(out, w)
		}
	}
	return out
}

// The dashboard and the alerts ask for metrics that a running peer has.
func TestMetricsExist(t *testing.T) {
	page := runningPeer(t)
	queries := ruleExprs(t)
	for _, p := range dashboard(t) {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	found := 0
	for _, q := range queries {
		names := metricsIn(q)
		if len(names) == 0 && !strings.Contains(q, "up{") {
			t.Errorf("no metric found in %s", q)
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^` + name + `(\{.*\})? `).MatchString(page) {
				t.Errorf("a running peer has no %s, which is in %s", name, q)
			}
			found++
		}
	}
	t.Logf("%d queries name metrics %d times", len(queries), found)
}

// runningPeer returns what a durable peer has on its page of metrics.
func runningPeer(t *testing.T) string {
	t.Helper()
	net, err := devnet.Start(devnet.Config{Peers: 1, Edit: func(_ int, c *config.Config) {
		c.Admin, c.DataDir, c.Durable = "127.0.0.1:0", t.TempDir(), true
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	answer, err := http.Get("http://" + net.Peers[0].AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The keys of docker-compose.yml are the development keys, and say so.
func TestDevelopmentKeys(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "DEVELOPMENT KEYS") {
		t.Error("docker-compose.yml does not say that its keys are for development")
	}
	keys := regexp.MustCompile(`AQUANODE_KEY_VALUE: (\S+) # development key\n`).FindAllStringSubmatch(string(text), -1)
	if len(keys) != 4 {
		t.Fatalf("want four keys, got %d", len(keys))
	}
	for i, k := range keys {
		key, err := identity.Parse(k[1])
		if err != nil {
			t.Fatal(err)
		}
		if !key.Equal(devnet.Key(i+1)) || !devnet.IsKey(key) {
			t.Errorf("key %d is not that of peer %d of a development network", i+1, i+1)
		}
	}
}
