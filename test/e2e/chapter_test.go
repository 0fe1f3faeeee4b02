package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The chapter's scripts, as users paste them: without header, without declarations.
var chapter = map[string]string{
	"both.aqua": "foo() par bar()\n",
	"sequential.aqua": `
on peer1:
    x <- foo()
on peer2:
    y <- bar()
baz(x, y)
`,
	"join.aqua": `
on peer1:
    x <- foo()
par on peer2:
    y <- bar()
baz(x, y)
`,
	"race.aqua": `
results: *string
on peer1:
    results <- foo()
par on peer2:
    results <- bar()
baz(results!0, "first")
`,
}

// services are the chapter's, with the given times that foo and bar take.
func services(foo, bar time.Duration) map[string]string {
	files := map[string]string{
		"services/foo.js": fmt.Sprintf(`exports.foo = () => { sleep(%d); return "foo" }`, foo.Milliseconds()),
		"services/bar.js": fmt.Sprintf(`exports.bar = () => { sleep(%d); return "bar" }`, bar.Milliseconds()),
		"services/baz.js": `exports.baz = (x, y) => x + "+" + y`,
	}
	for name, text := range chapter {
		files[name] = text
	}
	return files
}

// The scripts over three processes that know one address, in both orders of arrival.
func TestChapter(t *testing.T) {
	const slow = 300 * time.Millisecond
	for _, order := range []struct {
		name     string
		foo, bar time.Duration
		race     string
	}{
		{"slow foo", slow, 0, `"bar+first"`},
		{"slow bar", 0, slow, `"foo+first"`},
	} {
		t.Run(order.name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, services(order.foo, order.bar))
			peers := three(t, "--services", filepath.Join(dir, "services"))
			run := func(file string) output { return over(t, peers, filepath.Join(dir, file)) }
			run("both.aqua").want(t, `["foo","bar"]`)
			run("sequential.aqua").want(t, `"foo+bar"`)
			run("join.aqua").want(t, `"foo+bar"`)
			run("race.aqua").want(t, order.race)
		})
	}
}

// Embedded, the same scripts need no running network.
func TestChapterEmbedded(t *testing.T) {
	dir := write(t, services(0, 0))
	for file, want := range map[string]string{
		"both.aqua": `["foo","bar"]`, "sequential.aqua": `"foo+bar"`, "join.aqua": `"foo+bar"`,
	} {
		command(t, "run", filepath.Join(dir, file)).want(t, want)
	}
	out := command(t, "run", filepath.Join(dir, "race.aqua"))
	if out.stdout != `"foo+first"` && out.stdout != `"bar+first"` {
		t.Errorf("race: want one of the two, got %+v", out)
	}
}

// A relay that crashes and comes back serves again, and its peers find it.
func TestRelayRestart(t *testing.T) {
	dir := write(t, services(0, 0))
	data := t.TempDir()
	args := []string{"--services", filepath.Join(dir, "services"), "--key", filepath.Join(data, "key")}
	relay := start(t, args...)
	others := []*peer{}
	for range 2 {
		others = append(others, start(t, "--services", filepath.Join(dir, "services"), "--bootstrap", relay.addr()))
	}
	peers := [3]*peer{relay, others[0], others[1]}
	join := filepath.Join(dir, "join.aqua")
	over(t, peers, join).want(t, `"foo+bar"`)
	relay.kill()
	if out := over(t, peers, join); out.err == nil || !strings.Contains(out.stderr, "cannot connect") {
		t.Errorf("without the relay: want an error that says so, got %+v", out)
	}
	listen := strings.Split(relay.addr(), "/p2p/")[0]
	peers[0] = start(t, append(args, "--listen", listen)...)
	if peers[0].PeerID != relay.PeerID {
		t.Fatalf("another peer id after the restart")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out := over(t, peers, join)
		if out.stdout == `"foo+bar"` {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the network did not recover: %+v", out)
		}
	}
}

// SIGTERM lets running particles finish and refuses new ones.
func TestDrain(t *testing.T) {
	dir := write(t, services(500*time.Millisecond, 0))
	p := start(t, "--services", filepath.Join(dir, "services"))
	script := write(t, map[string]string{"slow.aqua": "on peer1:\n    foo()\n"})
	done := make(chan output, 1)
	go func() {
		done <- command(t, "run", filepath.Join(script, "slow.aqua"), "--services", filepath.Join(dir, "services"),
			"--relay", p.addr(), "--on", "peer1="+p.PeerID)
	}()
	p.wantCount("arrived/", 1)
	if err := p.stop(); err != nil {
		t.Errorf("the peer ended with %v\n%s", err, p.stderr)
	}
	(<-done).want(t, `"foo"`)
}
