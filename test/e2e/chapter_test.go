package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chapter is the directory of the four scripts of the Parallel chapter, with its services.
const chapter = "../../examples/parallel"

// scripts are the chapter's, with services beside them that take the given times.
func scripts(t *testing.T, foo, bar time.Duration) string {
	t.Helper()
	files := map[string]string{
		"services/foo.js": fmt.Sprintf(`exports.foo = () => { sleep(%d); return "foo" }`, foo.Milliseconds()),
		"services/bar.js": fmt.Sprintf(`exports.bar = () => { sleep(%d); return "bar" }`, bar.Milliseconds()),
		"services/baz.js": `exports.baz = (...values) => values.join("+")`,
	}
	found, err := filepath.Glob(filepath.Join(chapter, "*.aqua"))
	if err != nil || len(found) != 4 {
		t.Fatalf("want the four scripts of the chapter, got %v, %v", found, err)
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return write(t, files)
}

// The scripts over three processes that know one address, in both orders of arrival.
func TestChapter(t *testing.T) {
	const slow = 300 * time.Millisecond
	for _, order := range []struct {
		name     string
		foo, bar time.Duration
		race     string
	}{
		{"slow foo", slow, 0, `"bar"`},
		{"slow bar", 0, slow, `"foo"`},
	} {
		t.Run(order.name, func(t *testing.T) {
			t.Parallel()
			dir := scripts(t, order.foo, order.bar)
			peers := three(t, "--services", filepath.Join(dir, "services"))
			run := func(file string) output { return over(t, peers, filepath.Join(dir, file)) }
			run("parallel.aqua").want(t, `["foo","bar"]`)
			run("sequential.aqua").want(t, `"foo+bar"`)
			run("join.aqua").want(t, `"foo+bar"`)
			run("race.aqua").want(t, order.race)
		})
	}
}

// Embedded, the chapter runs as it stands in the examples: foo takes longer than bar.
func TestChapterEmbedded(t *testing.T) {
	for file, want := range map[string]string{
		"parallel.aqua": `["foo","bar"]`, "sequential.aqua": `"baz(foo, bar)"`, "join.aqua": `"baz(foo, bar)"`, "race.aqua": `"baz(bar)"`,
	} {
		t.Run(file, func(t *testing.T) {
			command(t, "run", filepath.Join(chapter, file)).want(t, want)
		})
	}
}

// A relay that crashes and comes back serves again, and its peers find it.
func TestRelayRestart(t *testing.T) {
	dir := scripts(t, 0, 0)
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
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
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
	dir := scripts(t, 500*time.Millisecond, 0)
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
