//go:build deploy

package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/test/interop/npm"
)

const peers = 4

// testnet is the network of docker-compose.yml.
type testnet struct {
	services string // the mounted folder
	env      []string
	compose  []string // the tool by the name that it has here, and its files
}

// compose runs the compose tool, of whichever version.
func (n *testnet) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.try(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (n *testnet) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return command{dir: repo, env: n.env}.try(t.Context(), n.compose[0], slices.Concat(n.compose[1:], args)...)
}

// container returns the id of a peer's container.
func (n *testnet) container(t *testing.T, peer int) string {
	t.Helper()
	id := n.run(t, "ps", "-q", devnet.Name(peer))
	if id == "" || strings.Contains(id, "\n") {
		t.Fatalf("want one container of peer %d, got %q", peer, id)
	}
	return id
}

func inspect(t *testing.T, object, format string) string {
	t.Helper()
	return docker(t, "inspect", "--format", format, object)
}

func admin(peer int) string { return fmt.Sprintf("http://127.0.0.1:1808%d", peer) }
func tcp(peer int) string {
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/777%d/p2p/%s", peer, devnet.ID(peer))
}
func ws(peer int) string {
	return fmt.Sprintf("/ip4/127.0.0.1/tcp/999%d/ws/p2p/%s", peer, devnet.ID(peer))
}

// healthy waits until peers are healthy, in the eyes of the engine.
func (n *testnet) healthy(t *testing.T, which ...int) {
	t.Helper()
	for _, peer := range which {
		until(t, devnet.Name(peer)+" is healthy", func() error {
			id, err := n.try(t, "ps", "-q", devnet.Name(peer))
			if err != nil {
				return err
			}
			status, err := command{}.try(t.Context(), "docker", "inspect", "--format", "{{.State.Health.Status}}", id)
			if err == nil && status != "healthy" {
				err = fmt.Errorf("it is %s", status)
			}
			return err
		})
	}
}

// script runs a file of the example, or Aqua, from outside, with the given peers as peer1, peer2 and so on.
func (n *testnet) script(t *testing.T, file, relay string, on ...int) (string, error) {
	t.Helper()
	args := []string{"run", file, "--relay", relay, "--services", n.services, "--ttl", "20s"}
	for i, peer := range on {
		args = append(args, "--on", fmt.Sprintf("%s=%s", devnet.Name(i+1), devnet.ID(peer)))
	}
	return command{}.try(t.Context(), program(t), args...)
}

// join runs the join of the chapter.
func (n *testnet) join(t *testing.T, relay string, on ...int) {
	t.Helper()
	until(t, fmt.Sprintf("the join over %v through %s", on, relay), func() error {
		got, err := n.script(t, filepath.Join(repo, "examples", "parallel", "join.aqua"), relay, on...)
		if err == nil && got != `"baz(foo, bar)"` {
			t.Fatalf("the join over %v gives %s", on, got)
		}
		return err
	})
}

// aqua writes a script.
func aqua(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script.aqua")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// image builds an image from the binary.
func image(t *testing.T, tag, version string) {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{program(t): "aquanode", filepath.Join(repo, "Dockerfile"): "Dockerfile"} {
		command{}.run(t, "cp", from, filepath.Join(dir, to))
	}
	data := filepath.Join(dir, "deploy", "docker")
	command{}.run(t, "mkdir", "-p", data)
	command{}.run(t, "cp", "-r", filepath.Join(repo, "deploy", "docker", "data"), data)
	docker(t, "build", "--target", "prebuilt", "--build-arg", "BINARY=aquanode", "--build-arg", "VERSION="+version, "-t", tag, dir)
}

// TestTestnet is the life of a testnet; each step needs those before it.
func TestTestnet(t *testing.T) {
	needEngine(t)
	n := &testnet{services: t.TempDir(), compose: []string{"docker-compose"}}
	if _, err := (command{}).try(t.Context(), "docker", "compose", "version"); err == nil {
		n.compose = []string{"docker", "compose"}
	}
	n.compose = append(n.compose, "-f", "docker-compose.yml", "-f", n.override(t))
	n.folder(t)
	client := filepath.Join(t.TempDir(), "client.key")
	owner := command{}.run(t, program(t), "key", "new", client)
	n.env = []string{"IMAGE=aquanode:test", "SERVICES=" + n.services, "MANAGEMENT=" + owner}
	defer func() {
		if t.Failed() {
			t.Log(n.run(t, "ps"), n.run(t, "logs", "--tail=20"))
		}
		n.run(t, "down", "-v", "-t", "1")
		if left := docker(t, "ps", "-aq"); left != "" {
			t.Errorf("containers are left: %s", left)
		}
	}()
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"image", n.testImage},
		{"up", n.testUp},
		{"scripts", n.testScripts},
		{"npm", n.testNPM},
		{"health", n.testHealth},
		{"crash", func(t *testing.T) { n.testCrash(t, client) }},
		{"cut off", n.testCut},
		{"new image", n.testReplace},
		{"prometheus", n.testPrometheus},
		{"memory", n.testMemory},
	} {
		if !t.Run(step.name, step.do) {
			return
		}
	}
}

// override gives the peers a token, which their private pages want. The file is theirs alone.
func (n *testnet) override(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file, override := filepath.Join(dir, "token"), filepath.Join(dir, "override.yml")
	text := "services:\n"
	for peer := 1; peer <= peers; peer++ {
		text += fmt.Sprintf("  %s:\n    environment: { AQUANODE_ADMIN_TOKEN: /token }\n    volumes: [%q]\n", devnet.Name(peer), file+":/token:ro")
	}
	for name, text := range map[string]string{file: token, override: text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(file, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	return override
}

// folder is the chapter's services, and a slow one.
func (n *testnet) folder(t *testing.T) {
	t.Helper()
	from := filepath.Join(repo, "examples", "parallel", "services")
	files := map[string]string{"slow.js": `exports.work = (ms) => { sleep(ms); return "done" }`}
	for _, name := range []string{"foo.js", "bar.js", "baz.js"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(n.services, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The peers are another user.
	for dir := n.services; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *testnet) testImage(t *testing.T) {
	image(t, "aquanode:test", "1.2.3-test")
	size, err := strconv.Atoi(inspect(t, "aquanode:test", "{{.Size}}"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	if size > 48e6 {
		t.Error("that is too much; the aim is 40 MB")
	}
	for format, want := range map[string]string{
		"{{.Config.User}}":                                             "65532:65532",
		"{{json .Config.Volumes}}":                                     `{"/data":{}}`,
		"{{json .Config.Healthcheck.Test}}":                            `["CMD","/usr/bin/aquanode","healthcheck"]`,
		"{{json .Config.Entrypoint}}":                                  `["/usr/bin/aquanode"]`,
		"{{json .Config.ExposedPorts}}":                                `{"7777/tcp":{},"9999/tcp":{}}`,
		`{{index .Config.Labels "org.opencontainers.image.version"}}`:  "1.2.3-test",
		`{{index .Config.Labels "org.opencontainers.image.licenses"}}`: "Apache-2.0",
	} {
		if got := inspect(t, "aquanode:test", format); got != want {
			t.Errorf("%s of the image is %s, not %s", format, got, want)
		}
	}
}

func (n *testnet) testUp(t *testing.T) {
	n.run(t, "config", "-q")
	n.run(t, "--profile", "observe", "config", "-q")
	start := time.Now()
	n.run(t, "up", "-d")
	up := time.Since(start)
	n.healthy(t, 1, 2, 3, 4)
	load, err := os.ReadFile("/proc/loadavg")
	t.Logf("up after %.1f s, all healthy after %.1f s, on a machine with load %.4s %v", up.Seconds(), time.Since(start).Seconds(), load, err)
	for peer := 1; peer <= peers; peer++ {
		var id struct{ Peer_id string }
		if getJSON(t, admin(peer)+"/peer_id", &id); id.Peer_id != devnet.ID(peer) {
			t.Errorf("peer %d is %s", peer, id.Peer_id)
		}
		c := n.container(t, peer)
		for format, want := range map[string]string{
			"{{.HostConfig.Memory}}": strconv.Itoa(512 << 20), "{{.HostConfig.NanoCpus}}": "1000000000",
			"{{.HostConfig.RestartPolicy.Name}}": "unless-stopped", "{{.HostConfig.ReadonlyRootfs}}": "true",
		} {
			if got := inspect(t, c, format); got != want {
				t.Errorf("%s of peer %d is %s, not %s", format, peer, got, want)
			}
		}
		// The volume belongs to the user of the image, and only that user reads the data.
		source := inspect(t, c, `{{range .Mounts}}{{if eq .Destination "/data"}}{{.Source}}{{end}}{{end}}`)
		for file, mode := range map[string]os.FileMode{source: 0o755 | os.ModeDir, filepath.Join(source, "peer.db"): 0o600} {
			info, err := os.Stat(file)
			if err != nil {
				t.Error(err)
			} else if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65532 || info.Mode() != mode {
				t.Errorf("%s has owner %d and mode %s", file, uid, info.Mode())
			}
		}
	}
}

// Each peer is a relay, by both of its ports, and each finds each.
func (n *testnet) testScripts(t *testing.T) {
	n.join(t, tcp(1), 1, 2)
	for peer := 1; peer <= peers; peer++ {
		n.join(t, tcp(peer), peer%peers+1, (peer+1)%peers+1)
		n.join(t, ws(peer), (peer+2)%peers+1, peer)
	}
	for peer := 1; peer <= peers; peer++ {
		var connected []any
		if getJSON(t, admin(peer)+"/peers", &connected); len(connected) < peers-1 {
			t.Errorf("peer %d has found %d of %d others", peer, len(connected), peers-1)
		}
	}
}

func (n *testnet) testNPM(t *testing.T) {
	installed, err := npm.Install(t.Context(), "jsclient", os.DirFS(npmFiles(t)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	command{}.run(t, "cp", "testdata/client.mjs", dir)
	ids := []string{}
	for peer := 1; peer <= peers; peer++ {
		ids = append(ids, devnet.ID(peer))
	}
	for peer := 1; peer <= peers; peer++ {
		got := command{dir: dir}.run(t, "node", append([]string{"client.mjs", ws(peer)}, ids...)...)
		if want := `["foo on 1","foo on 2","foo on 3","foo on 4"]`; got != want {
			t.Errorf("through peer %d: want %s, got %s", peer, want, got)
		}
	}
}

// npmFiles are the files that decide what is installed: those of the suite of the client.
func npmFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		command{}.run(t, "cp", filepath.Join(repo, "test", "interop", "jsclient", name), dir)
	}
	return dir
}

func (n *testnet) testHealth(t *testing.T) {
	if answer, err := http.Get(admin(1) + "/particles"); err != nil || answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a private page without the token: %v, %v", answer, err)
	}
	for peer := 1; peer <= peers; peer++ {
		status, body, err := get(admin(peer) + "/health")
		if err != nil || status != 200 || !strings.Contains(string(body), `{"bootstrap_nodes":"Ok"}`) || !strings.Contains(string(body), `{"durable":"Ok"}`) {
			t.Errorf("health of peer %d is %d, %s, %v", peer, status, body, err)
		}
		if got := docker(t, "exec", n.container(t, peer), "/usr/bin/aquanode", "healthcheck"); got != "healthy" {
			t.Errorf("the health check of peer %d prints %q", peer, got)
		}
		if _, page, err := get(admin(peer) + "/metrics"); err != nil || !strings.Contains(string(page), "nox_build_info{") {
			t.Errorf("peer %d has no metrics: %v", peer, err)
		}
	}
}

// A peer that is killed: the others go on, it comes back as who it was, with its aliases. One that
// crashes comes back by itself.
func (n *testnet) testCrash(t *testing.T, owner string) {
	alias := aqua(t, "service Srv(\"srv\"):\n    add_alias(alias: string, id: string)\n\non peer1:\n    Srv.add_alias(\"quick\", \"bar\")\n")
	command{}.run(t, program(t), "run", alias, "--relay", tcp(1), "--on", "peer1="+devnet.ID(3), "--key", owner)
	byAlias := aqua(t, "service Quick(\"quick\"):\n    bar() -> string\n\non peer1:\n    Quick.bar()\n")
	ask := func() error {
		got, err := n.script(t, byAlias, tcp(1), 3)
		if err == nil && got != `"bar"` {
			err = fmt.Errorf("the alias gives %s", got)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	c := n.container(t, 3)
	docker(t, "kill", c)
	n.join(t, tcp(1), 2, 4)
	n.join(t, tcp(4), 1, 2)
	docker(t, "start", c)
	n.healthy(t, 3)
	until(t, "the alias is there again", ask)

	pid, err := strconv.Atoi(inspect(t, c, "{{.State.Pid}}"))
	if err != nil || pid < 2 {
		t.Fatalf("the process of peer 3 is %d, %v", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the engine starts it again", func() error {
		if count := inspect(t, c, "{{.RestartCount}}"); count != "1" {
			return fmt.Errorf("it was started again %s times", count)
		}
		return nil
	})
	n.healthy(t, 3)
	until(t, "the alias is there again", ask)
	n.join(t, tcp(3), 1, 2)
}

// A peer that is cut off: the others go on, and a script that needs it waits until the network heals.
func (n *testnet) testCut(t *testing.T) {
	c := n.container(t, 4)
	network := inspect(t, c, "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}")
	docker(t, "network", "disconnect", network, c)
	n.join(t, tcp(1), 2, 3)
	before := counts(t, 1)["arrived"]
	waiting := make(chan error, 1)
	go func() {
		got, err := command{}.try(context.Background(), program(t), "run", filepath.Join(repo, "examples", "parallel", "join.aqua"), "--services", n.services,
			"--relay", tcp(1), "--on", "peer1="+devnet.ID(4), "--on", "peer2="+devnet.ID(2), "--ttl", "100s")
		if err == nil && got != `"baz(foo, bar)"` {
			err = fmt.Errorf("the join gives %s", got)
		}
		waiting <- err
	}()
	n.wantCount(t, 1, "arrived", "", before+1)
	docker(t, "network", "connect", "--alias", "peer4", network, c)
	if err := <-waiting; err != nil {
		t.Errorf("a script that began while the peer was cut off: %v", err)
	}
	n.join(t, tcp(1), 4, 3)
	n.healthy(t, 4)
}

// counts are what the journal of a peer has.
func counts(t *testing.T, peer int) map[string]int {
	t.Helper()
	var page struct {
		Counts []struct {
			Kind, Reason string
			N            int
		}
	}
	getJSON(t, admin(peer)+"/particles", &page)
	out := map[string]int{}
	for _, c := range page.Counts {
		out[c.Kind] += c.N
		out[c.Kind+"/"+c.Reason] += c.N
	}
	return out
}

func (n *testnet) wantCount(t *testing.T, peer int, kind, reason string, at int) {
	t.Helper()
	key := strings.TrimSuffix(kind+"/"+reason, "/")
	until(t, "the journal has "+key, func() error {
		if c := counts(t, peer); c[key] < at {
			return fmt.Errorf("it has %v", c)
		}
		return nil
	})
}

// A peer is replaced by a new image while a particle is in a call there: the particle goes on in
// the new one.
func (n *testnet) testReplace(t *testing.T) {
	slow := aqua(t, "service Slow(\"slow\"):\n    work(ms: u32) -> string\n\non peer1:\n    Slow.work(9000)\n")
	before := counts(t, 2)["arrived"]
	result := make(chan error, 1)
	go func() {
		got, err := command{}.try(context.Background(), program(t), "run", slow, "--relay", tcp(1), "--on", "peer1="+devnet.ID(2), "--ttl", "100s", "--services", n.services)
		if err == nil && got != `"done"` {
			err = fmt.Errorf("the script gives %s", got)
		}
		result <- err
	}()
	n.wantCount(t, 2, "arrived", "", before+1)
	old := n.container(t, 2)
	image(t, "aquanode:next", "1.2.4-test")
	next := *n
	next.env = append([]string{"IMAGE=aquanode:next"}, n.env[1:]...)
	next.run(t, "up", "-d", "--no-deps", "peer2")
	now := n.container(t, 2)
	if now == old || inspect(t, now, "{{.Config.Image}}") != "aquanode:next" {
		t.Error("the container is not a new one of the new image")
	}
	n.healthy(t, 2)
	n.wantCount(t, 2, "resumed", "", 1)
	if err := <-result; err != nil {
		t.Errorf("the script that ran meanwhile: %v", err)
	}
	n.join(t, tcp(2), 2, 3)
}

func (n *testnet) testMemory(t *testing.T) {
	for peer := 1; peer <= peers; peer++ {
		usage := docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}}", n.container(t, peer))
		_, page, err := get(admin(peer) + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resident := 0.0
		for _, line := range strings.Split(string(page), "\n") {
			if value, ok := strings.CutPrefix(line, "process_resident_memory_bytes "); ok {
				if err := json.Unmarshal([]byte(value), &resident); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("peer %d: %s of its container, %.1f MiB resident", peer, usage, resident/(1<<20))
		if resident == 0 || resident > 256<<20 {
			t.Errorf("peer %d has %.0f bytes in memory", peer, resident)
		}
	}
}

// The npm packages are installed before the tests without a network begin.
func TestPackagesInstall(t *testing.T) {
	if _, err := npm.Install(t.Context(), "jsclient", os.DirFS(npmFiles(t))); err != nil {
		t.Fatal(err)
	}
}
