//go:build deploy

package deploy

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The checker of Prometheus takes the configuration and the alerts, and each alert fires and is
// silent where it should.
func TestRules(t *testing.T) {
	tool := func(args ...string) {
		t.Log(command{dir: filepath.Join(folder, "prometheus")}.run(t, "promtool", args...))
	}
	tool("check", "rules", "alerts.yml")
	tool("check", "config", "prometheus.yml")
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(folder, "prometheus", "alerts.yml"), "testdata/alerts_test.yml"} {
		command{}.run(t, "cp", file, dir)
	}
	t.Log(command{dir: dir}.run(t, "promtool", "test", "rules", "alerts_test.yml"))
}

// testPrometheus lets Prometheus scrape the testnet with our configuration, and asks it what the
// dashboard asks.
func (n *testnet) testPrometheus(t *testing.T) {
	url := startPrometheus(t)
	for peer := 1; peer <= peers; peer++ {
		instance := fmt.Sprintf("127.0.0.1:1808%d", peer)
		until(t, "Prometheus has scraped "+instance+" three times", func() error {
			if got := query(t, url, fmt.Sprintf(`count_over_time(up{instance=%q}[5m]) >= 3 and up{instance=%q} == 1`, instance, instance)); len(got) != 1 {
				return fmt.Errorf("it has not")
			}
			return nil
		})
	}
	asked := 0
	for _, p := range dashboard(t) {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$job", "aquanode", "$instance", ".+", "$__rate_interval", "1m").Replace(target.Expr)
			if got := query(t, url, expr); len(got) == 0 {
				t.Errorf("panel %q: no series for %s", p.Title, expr)
			}
			asked++
		}
	}
	for _, e := range ruleExprs(t) { // without what they compare with
		for _, part := range strings.Split(e, " and on ") {
			part = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(part), "(instance)"))
			part, _, _ = strings.Cut(part, " > ")
			part, _, _ = strings.Cut(part, " == ")
			// Nothing may have been lost yet: the metric has to be there all the same.
			part = strings.ReplaceAll(part, `,kind="lost"`, "")
			if got := query(t, url, part); len(got) == 0 {
				t.Errorf("alerts: no series for %s", part)
			}
			asked++
		}
	}
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health string }
			}
		}
	}
	until(t, "the alerts are evaluated", func() error {
		getJSON(t, url+"/api/v1/rules", &rules)
		for _, g := range rules.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return fmt.Errorf("%s is %s", r.Name, r.Health)
				}
			}
		}
		return nil
	})
	t.Logf("%d queries have a series each", asked)
}

// startPrometheus starts it with our configuration, which is changed as little as a machine without
// the network of the containers wants: targets and interval.
func startPrometheus(t *testing.T) (url string) {
	t.Helper()
	dir := t.TempDir()
	command{}.run(t, "cp", "-r", filepath.Join(folder, "prometheus")+"/.", dir)
	text, err := os.ReadFile(filepath.Join(dir, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.ReplaceAll(string(text), "interval: 5s", "interval: 1s")
	for peer := 1; peer <= peers; peer++ {
		config = strings.Replace(config, fmt.Sprintf("peer%d:18080", peer), fmt.Sprintf("127.0.0.1:1808%d", peer), 1)
	}
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	var log strings.Builder
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", addr)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Log(string(tail([]byte(log.String()))))
		}
	})
	until(t, "Prometheus is ready", func() error {
		status, _, err := get("http://" + addr + "/-/ready")
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	return "http://" + addr
}

// query returns the series of an expression.
func query(t *testing.T, prometheus, expr string) []json.RawMessage {
	t.Helper()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	getJSON(t, prometheus+"/api/v1/query?query="+url.QueryEscape(expr)+"&time="+fmt.Sprint(time.Now().Unix()), &answer)
	if answer.Status != "success" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}
