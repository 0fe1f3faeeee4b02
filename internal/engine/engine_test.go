package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/runs"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/builtin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func nothing() error { return nil }

// made is an engine that listens on loopback once it is started.
func made(t *testing.T, n byte) *Engine {
	t.Helper()
	e, err := New(Config{
		Key: testKey(n), TTL: runs.DefaultTTL,
		Network: p2p.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowLocal: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	identity := func() builtin.Identity { return builtin.Identity{} }
	if err := builtin.Register(e.Services, builtin.Config{Identity: identity}); err != nil {
		t.Fatal(err)
	}
	return e
}

func started(t *testing.T, n byte) *Engine {
	t.Helper()
	e := made(t, n)
	if err := e.Start(nothing, nothing); err != nil {
		t.Fatal(err)
	}
	return e
}

const respond = `(call %init_peer_id% ("callbackSrv" "response") ["hi"])`

// Each call at the wrong time of life has an error of its own.
func TestLife(t *testing.T) {
	e := made(t, 1)
	run := func() error {
		_, err := e.Run(t.Context(), runs.Script{AIR: respond})
		return err
	}
	start := func() error { return e.Start(nothing, nothing) }
	for _, step := range []struct {
		name string
		call func() error
		want error
	}{
		{"run before start", run, ErrNotStarted},
		{"start", start, nil},
		{"start twice", start, ErrStarted},
		{"run", run, nil},
		{"close", e.Close, nil},
		{"close twice", e.Close, nil},
		{"run after close", run, ErrClosed},
		{"start after close", start, ErrClosed},
	} {
		if err := step.call(); !errors.Is(err, step.want) || (err == nil) != (step.want == nil) {
			t.Errorf("%s: want %v, got %v", step.name, step.want, err)
		}
	}
}

func TestCloseWithoutStart(t *testing.T) {
	if err := made(t, 1).Close(); err != nil {
		t.Error(err)
	}
}

// What was kept is there before anything arrives, and the first connections are made before it
// goes on.
func TestOrderAtStart(t *testing.T) {
	e := made(t, 1)
	var order []string
	step := func(name string, listens bool) func() error {
		return func() error {
			order = append(order, name)
			if got := len(e.Host.Addrs()) > 0; got != listens {
				t.Errorf("%s: listening is %v", name, got)
			}
			if err := e.Ready(); !errors.Is(err, ErrNotStarted) {
				t.Errorf("%s: want no scripts yet, got %v", name, err)
			}
			return nil
		}
	}
	if err := e.Start(step("restore", false), step("connect", true)); err != nil {
		t.Fatal(err)
	}
	if strings.Join(order, " ") != "restore connect" {
		t.Errorf("got %v", order)
	}
}

// After a step that fails nothing listens, and only Close is left.
func TestStartFails(t *testing.T) {
	e := made(t, 1)
	broken := errors.New("broken")
	if err := e.Start(func() error { return broken }, nothing); !errors.Is(err, broken) {
		t.Errorf("want the error of the step, got %v", err)
	}
	if addrs := e.Host.Addrs(); len(addrs) > 0 {
		t.Errorf("it listens at %v", addrs)
	}
	if err := e.Start(nothing, nothing); !errors.Is(err, ErrStarted) {
		t.Errorf("want ErrStarted, got %v", err)
	}
	if _, err := e.Run(t.Context(), runs.Script{AIR: respond}); !errors.Is(err, ErrNotStarted) {
		t.Errorf("want ErrNotStarted, got %v", err)
	}
}

// A second Close waits for the first one, and a Run that it ends says so.
func TestCloseEndsRuns(t *testing.T) {
	e := started(t, 1)
	called := make(chan struct{})
	wait := func(ctx context.Context, _ []value.Value) (value.Value, error) {
		close(called)
		<-ctx.Done()
		return value.Value{}, ctx.Err()
	}
	ended := make(chan error, 1)
	go func() {
		_, err := e.Run(context.Background(), runs.Script{
			AIR:       `(call %init_peer_id% ("callbackSrv" "wait") [] r)`,
			Callbacks: map[string]runs.Callback{"wait": wait},
		})
		ended <- err
	}()
	<-called
	closed := make(chan error, 2)
	for range 2 {
		go func() {
			closed <- e.Close()
			if e.Dispatcher.Live() > 0 {
				t.Error("a Close returned before the particles had ended")
			}
		}()
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("want ErrClosed, got %v", err)
	}
	for range 2 {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
}

// A peer runs scripts of its own, also over other peers, without a connection to itself.
func TestRun(t *testing.T) {
	a, b := started(t, 1), started(t, 2)
	if _, err := a.Host.Dial(t.Context(), b.Host.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	script := runs.Script{
		AIR: `
			(seq (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
			(seq (call %init_peer_id% ("getDataSrv" "to") [] to)
			(seq (call to ("op" "concat_strings") ["hello " "bob"] r)
			(seq (call -relay- ("op" "noop") [])
			(seq (call %init_peer_id% ("callbackSrv" "upper") [r] s)
			     (call %init_peer_id% ("callbackSrv" "response") [s -relay-]))))))`,
		Data: map[string]any{"to": b.ID},
		Callbacks: map[string]runs.Callback{"upper": func(_ context.Context, args []value.Value) (value.Value, error) {
			s, _ := args[0].AsString()
			return value.String(strings.ToUpper(s)), nil
		}},
	}
	r, err := a.Run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	var text, relay string
	if err := r.Decode(&text, &relay); err != nil || text != "HELLO BOB" || relay != a.ID {
		t.Errorf("want HELLO BOB and %s, got %q, %q, %v", a.ID, text, relay, err)
	}
	if b.Journal.Count(journal.Arrived, "") == 0 {
		t.Error("nothing came to the other peer")
	}
}

func TestRunErrors(t *testing.T) {
	e := started(t, 1)
	for _, c := range []struct {
		name string
		s    runs.Script
		want string
	}{
		{"data", runs.Script{AIR: respond, Data: map[string]any{"n": func() {}}}, `data "n"`},
		{"two languages", runs.Script{AIR: respond, Aqua: "f()"}, "not both"},
		{"Aqua", runs.Script{Aqua: "func f("}, "script.aqua"},
		{"no argument", runs.Script{AIR: `(call %init_peer_id% ("getDataSrv" "n") [] n)`}, `argument \"n\" of the script`},
		{"no callback", runs.Script{AIR: `(call %init_peer_id% ("callbackSrv" "f") [] n)`}, `argument \"f\" of the script`},
		{"reported", runs.Script{AIR: `(call %init_peer_id% ("errorHandlingSrv" "error") ["oh"])`}, `"oh"`},
		{"no response", runs.Script{AIR: `(call %init_peer_id% ("op" "noop") [])`}, "without a response"},
	} {
		if _, err := e.Run(t.Context(), c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want an error with %q, got %v", c.name, c.want, err)
		}
	}
}

// A timeout says what was waited for, and what could not be sent.
func TestTimeout(t *testing.T) {
	e := started(t, 1)
	nobody := particle.PeerID(testKey(9).Public().(ed25519.PublicKey))
	_, err := e.Run(t.Context(), runs.Script{
		TTL: 300 * time.Millisecond,
		AIR: `(seq (call "` + nobody + `" ("op" "noop") [] r) ` + respond + `)`,
	})
	var timeout *runs.TimeoutError
	if !errors.As(err, &timeout) || len(timeout.Waiting) == 0 || !strings.Contains(timeout.Unsent, nobody) {
		t.Fatalf("want a timeout with what was waited for and not sent, got %v", err)
	}
	for _, want := range []string{"no answer within 300ms\n", "data was not sent to " + nobody, "waiting at call"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %s", want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = e.Run(ctx, runs.Script{AIR: `(call %init_peer_id% ("peer" "timeout") [1000 ""] r)`}); !errors.Is(err, context.Canceled) {
		t.Errorf("want the context's error, got %v", err)
	}
}

// Calls are in the journal, with the calls whose results they joined, and with what went wrong.
func TestCalledEntry(t *testing.T) {
	e := started(t, 1)
	_, err := e.Run(t.Context(), runs.Script{AIR: `
		(seq (call %init_peer_id% ("op" "identity") ["a"] a)
		(seq (call %init_peer_id% ("peer" "identify") [] b)
		(seq (xor (call %init_peer_id% ("no" "such") []) (null))
		     (call %init_peer_id% ("callbackSrv" "response") [a b]))))`})
	if err != nil {
		t.Fatal(err)
	}
	joined, failed := 0, 0
	for _, entry := range e.Journal.Recent(100, func(e *journal.Entry) bool { return e.Kind == journal.Called }) {
		joined = max(joined, len(entry.Joins))
		if entry.Service == "no" && entry.Reason == journal.ServiceFailed && strings.HasPrefix(entry.Detail, string(services.Failed)) {
			failed++
		}
	}
	if joined != 2 || failed != 1 {
		t.Errorf("want two origins and one failure, got %d and %d", joined, failed)
	}
}
