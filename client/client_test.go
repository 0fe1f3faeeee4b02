package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func network(t *testing.T, peers int) *devnet.Network {
	t.Helper()
	net, err := devnet.Start(devnet.Config{Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	return net
}

func connect(t *testing.T, relays ...string) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), client.Config{Relays: relays})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const hello = `
	(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] relay)
	(seq (call %init_peer_id% ("getDataSrv" "name") [] name)
	(seq (call relay ("op" "concat_strings") ["hello " name] r)
	     (call %init_peer_id% ("callbackSrv" "response") [r name]))))`

func TestRun(t *testing.T) {
	c := connect(t, network(t, 1).Peers[0].Addrs()[0])
	r, err := c.Run(t.Context(), client.Script{AIR: hello, Data: map[string]any{"name": value.String("bob")}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.JSON().Text(), `["hello bob","bob"]`; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	if len(c.Journal().Particle(r.ParticleID)) == 0 {
		t.Error("the journal knows nothing of the particle")
	}
}

func TestResultJSON(t *testing.T) {
	for want, values := range map[string][]value.Value{
		"null":  nil,
		"1":     {value.Int(1)},
		"[1,2]": {value.Int(1), value.Int(2)},
	} {
		if got := (&client.Result{Values: values}).JSON().Text(); got != want {
			t.Errorf("want %s, got %s", want, got)
		}
	}
}

func TestFailures(t *testing.T) {
	c := connect(t, network(t, 1).Peers[0].Addrs()[0])
	for _, s := range []struct{ name, air, want string }{
		{"no data", hello, `no value was given for the argument \"name\" of the script`},
		{"no callback", `(call %init_peer_id% ("callbackSrv" "nosuch") [])`, `no function was given for the argument \"nosuch\"`},
		{"plain value as error", `(call %init_peer_id% ("errorHandlingSrv" "error") ["oh" 0])`, `"oh"`},
		{"no error value", `(call %init_peer_id% ("errorHandlingSrv" "error") [])`, "without a value"},
		{"not AIR", `(`, "air can't be parsed"},
		{"fails", `(fail 7 "seven")`, "seven"},
	} {
		_, err := c.Run(t.Context(), client.Script{AIR: s.air})
		var e *client.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), s.want) {
			t.Errorf("%s: want an Error with %q, got %v", s.name, s.want, err)
		}
	}
}

func TestNoResult(t *testing.T) {
	net := network(t, 1)
	c := connect(t, net.Peers[0].Addrs()[0])
	script := `(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] relay) (call relay ("op" "noop") []))`
	r, err := c.Run(t.Context(), client.Script{AIR: script, NoResult: true})
	if err != nil || len(r.Values) != 0 {
		t.Fatalf("want an empty result, got %v, %v", r, err)
	}
	c.Close() // what was started arrives all the same
	for deadline := time.Now().Add(time.Minute); net.Peers[0].Journal().Count(journal.Arrived, "") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the particle did not arrive")
		}
	}
}

func TestContextEndsRun(t *testing.T) {
	c := connect(t, network(t, 1).Peers[0].Addrs()[0])
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Run(ctx, client.Script{AIR: `(call %init_peer_id% ("peer" "timeout") [60000 "x"] r)`})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the context's error, got %v", err)
	}
}

func TestConnectFailures(t *testing.T) {
	if _, err := client.Connect(t.Context(), client.Config{}); err == nil {
		t.Error("no relay: want an error")
	}
	if _, err := client.Connect(t.Context(), client.Config{Relays: []string{"/ip4/127.0.0.1/tcp/1"}}); err == nil || !strings.Contains(err.Error(), "/p2p/<peer id>") {
		t.Errorf("no peer id: want an error that says so, got %v", err)
	}
	if _, err := client.Connect(t.Context(), client.Config{Relays: []string{"/ip4/127.0.0.1/tcp/1/p2p/" + devnet.ID(1)}}); err == nil || !strings.Contains(err.Error(), "cannot connect") {
		t.Errorf("nobody there: want an error that says so, got %v", err)
	}
}

// When the relay is gone, runs fail at once and not at their TTL.
func TestRelayGone(t *testing.T) {
	net := network(t, 1)
	c := connect(t, net.Peers[0].Addrs()[0])
	net.Close()
	began := time.Now()
	_, err := c.Run(t.Context(), client.Script{AIR: hello, Data: map[string]any{"name": value.String("bob")}, TTL: 10 * time.Minute})
	if err == nil || !strings.Contains(err.Error(), "cannot send to the relay") {
		t.Errorf("want an error about the relay, got %v", err)
	}
	if took := time.Since(began); took > 5*time.Minute {
		t.Errorf("it took %s to find out", took)
	}
}

func TestUseAfterClose(t *testing.T) {
	c := connect(t, network(t, 1).Peers[0].Addrs()[0])
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Run(t.Context(), client.Script{AIR: "(null)"}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("want ErrClosed, got %v", err)
	}
}

// Whoever made a particle learns from the peer that ended it why; others learn nothing of it.
func TestReasonOfAnEnd(t *testing.T) {
	net, err := devnet.Start(devnet.Config{Peers: 1, Edit: func(_ int, c *config.Config) { c.Interpreter.Steps = 1000 }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	relay := net.Peers[0].Addrs()[0]
	mine, other := connect(t, relay), connect(t, relay)
	loop := `
		(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] relay)
		(seq (call relay ("json" "parse") ["[` + strings.Repeat("0,", 2000) + `0]"] all)
		     (fold all i (seq (call relay ("op" "noop") []) (next i)))))`
	_, err = mine.Run(t.Context(), client.Script{AIR: loop, TTL: 2 * time.Second})
	var late *client.TimeoutError
	if !errors.As(err, &late) {
		t.Fatalf("a particle over its budget: %v", err)
	}
	ask := `
		(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] relay)
		(seq (call %init_peer_id% ("getDataSrv" "id") [] id)
		(seq (call relay ("debug" "journal") [id] r)
		     (call %init_peer_id% ("callbackSrv" "response") [r]))))`
	for c, want := range map[*client.Client]bool{mine: true, other: false} {
		r, err := c.Run(t.Context(), client.Script{AIR: ask, Data: map[string]any{"id": late.ParticleID}})
		if err != nil {
			t.Fatal(err)
		}
		got := r.JSON().Text()
		if told := strings.Contains(got, `"reason":"budget"`); told != want {
			t.Errorf("asked by its maker: %v; answered %s", want, got)
		}
	}
}
