//go:build netns

package ranges

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/test/process"
)

// Callers are honest clients in a process of their own, this test started with callVerb, on the
// host that they call from.
const callVerb = "-call"

// callTTL is far longer than a call takes on any machine: a call that is late is not a lost one.
const callTTL = 2 * time.Minute

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == callVerb {
		if err := callOn(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runTests(m))
}

// binary is the program under test.
var binary string

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "aquanode-ranges-")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = process.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// counts are those of calls.
type counts struct {
	Answered, Lost int
	Errors         []string // the first few
}

// throughRelay calls op.identity at a peer over the relay, which may be the peer itself.
const throughRelay = `
	(xor
	 (seq (seq (call %%init_peer_id%% ("getDataSrv" "-relay-") [] relay)
	           (call relay ("op" "noop") []))
	 (seq (call %[1]q ("op" "identity") [42] r)
	 (seq (call relay ("op" "noop") [])
	      (call %%init_peer_id%% ("callbackSrv" "response") [r]))))
	 (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: 0]))`

// callOn makes calls one after the other, by two clients: one stays connected, the other comes
// anew for each ten. Each line of input is answered with the counts since the start.
func callOn(relay, target string) error {
	ctx := context.Background()
	var mu sync.Mutex
	var all counts
	count := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			all.Answered++
			return
		}
		if all.Lost++; len(all.Errors) < 3 {
			all.Errors = append(all.Errors, fmt.Sprintf("%.300s", err))
		}
	}
	script := fmt.Sprintf(throughRelay, target)
	caller := func(calls int) {
		c, err := client.Connect(ctx, client.Config{Relays: []string{relay}, TTL: callTTL})
		if err != nil {
			count(fmt.Errorf("connect: %w", err))
			time.Sleep(time.Second)
			return
		}
		for i := 0; calls == 0 || i < calls; i++ {
			r, err := c.Run(ctx, client.Script{AIR: script})
			if err == nil && r.JSON().Text() != "42" {
				err = fmt.Errorf("want 42, got %s", r.JSON().Text())
			}
			count(err)
			time.Sleep(5 * time.Millisecond) // they are not to take the machine from others
		}
		go c.Close()
	}
	go caller(0)
	go func() {
		for {
			caller(10)
		}
	}()
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		mu.Lock()
		err := out.Encode(all)
		mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// callers is that process.
type callers struct {
	t    *testing.T
	name string
	in   io.WriteCloser
	out  *json.Decoder
}

// startCallers calls a peer from a host over a relay.
func startCallers(t *testing.T, name string, on namespace, relay, target string) *callers {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", callVerb, relay, target)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := on.do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &callers{t, name, in, json.NewDecoder(out)}
}

func (c *callers) counts() (n counts) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	if err := c.out.Decode(&n); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	return n
}

// answered waits for so many more answers and fails for each call that was lost.
func (c *callers) answered(more int) {
	c.t.Helper()
	before := c.counts().Answered
	eventually(c.t, fmt.Sprintf("%d answers to %s", more, c.name), func() bool {
		return c.counts().Answered >= before+more
	})
	c.lost()
}

// lost fails for calls that were lost.
func (c *callers) lost() {
	c.t.Helper()
	if n := c.counts(); n.Lost > 0 {
		c.t.Errorf("%s: %d calls were lost, %d answered: %q", c.name, n.Lost, n.Answered, n.Errors)
	}
}

// patience is for what happens within seconds. It bounds a test that hangs.
const patience = 4 * time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}
