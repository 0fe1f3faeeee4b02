package node_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a devnet with a client at peer1.
type network struct {
	*devnet.Network
	t      testing.TB
	client *client.Client
}

func start(t testing.TB, cfg devnet.Config) *network {
	t.Helper()
	net, err := devnet.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	x := &network{Network: net, t: t}
	x.client = x.join(0)
	return x
}

// join makes a client of a peer, counting from 0.
func (x *network) join(peer int) *client.Client {
	x.t.Helper()
	c, err := client.Connect(context.Background(), client.Config{Relays: x.Peers[peer].Addrs()[:1]})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { c.Close() })
	return c
}

// serve registers a service on a peer, counting from 0.
func (x *network) serve(peer int, id string, h services.HandlerFunc) {
	x.t.Helper()
	if err := x.Peers[peer].Services().Register(id, h, services.In(x.Peers[peer].ID())); err != nil {
		x.t.Fatal(err)
	}
}

// script wraps a body: the relay is -relay-, peers are named peer1, peer2, ..., the body's
// result is r, and errors go to the initiator.
func (x *network) script(body string) client.Script {
	s := client.Script{Data: map[string]any{}}
	head := `(call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)`
	for name, id := range x.Names() {
		s.Data[name] = value.String(id)
		head = fmt.Sprintf(`(seq %s (call %%init_peer_id%% ("getDataSrv" %q) [] %s))`, head, name, name)
	}
	s.AIR = fmt.Sprintf(`
		(xor (seq %s (seq %s (call %%init_peer_id%% ("callbackSrv" "response") [r])))
		     (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: 0]))`, head, body)
	return s
}

func (x *network) run(body string) (string, error) {
	s := x.script(body)
	r, err := x.client.Run(context.Background(), s)
	if err != nil {
		return "", err
	}
	return r.JSON().Text(), nil
}

func (x *network) want(body, want string) {
	x.t.Helper()
	got, err := x.run(body)
	if err != nil {
		x.t.Errorf("%s: %v", body, err)
	} else if got != want {
		x.t.Errorf("%s: want %s, got %s", body, want, got)
	}
}

func TestRelayAnswers(t *testing.T) {
	x := start(t, devnet.Config{})
	x.want(`(call -relay- ("op" "identity") ["hi"] r)`, `"hi"`)
	x.want(`(seq (call -relay- ("op" "noop") []) (seq (call peer3 ("op" "identity") [7] r) (call -relay- ("op" "noop") [])))`, `7`)
	x.want(`(call -relay- ("peer" "is_connected") [%init_peer_id%] r)`, `true`)
	x.want(`(seq (call -relay- ("peer" "identify") [] i) (call -relay- ("op" "identity") [i.$.air_version] r))`, `"0.62.0"`)
}

// Join: both branches run on peers of their own, and the third peer waits for both.
func TestJoin(t *testing.T) {
	x := start(t, devnet.Config{})
	x.want(`
		(seq
		 (par
		  (seq (call -relay- ("op" "noop") []) (seq (call peer2 ("peer" "timeout") [50 "a"] a) (call peer3 ("op" "noop") [])))
		  (seq (call -relay- ("op" "noop") []) (seq (call peer1 ("peer" "timeout") [20 "b"] b) (call peer3 ("op" "noop") []))))
		 (seq (call peer3 ("op" "concat_strings") [a b] r) (call -relay- ("op" "noop") [])))`, `"ab"`)
}

// A join on a third peer, to which both branches come by way of the client: the relay asks peer3 when the first branch is
// back, and has to bring it what the second one brings.
func TestJoinOnThirdPeer(t *testing.T) {
	x := start(t, devnet.Config{})
	for name, times := range map[string][2]int{"first branch slow": {60, 1}, "second branch slow": {1, 60}} {
		t.Run(name, func(t *testing.T) {
			hop := `(call -relay- ("op" "noop") [])`
			branch := func(peer, result string, ms int) string {
				return fmt.Sprintf(`(seq %s (seq (seq (call %s ("peer" "timeout") [%d %q] %s) %s) (call %%init_peer_id%% ("op" "noop") [])))`,
					hop, peer, ms, result, result, hop)
			}
			x.want(fmt.Sprintf(`(seq (par %s %s) (seq %s (seq (call peer3 ("op" "concat_strings") [a b] r) %s)))`,
				branch("peer2", "a", times[0]), branch("peer1", "b", times[1]), hop, hop), `"ab"`)
		})
	}
}

// Two calls of different services on one peer run at the same time: each waits for the other to
// begin. Two of one instance do not, and run in the order of the script.
func TestParallelOnOnePeer(t *testing.T) {
	x := start(t, devnet.Config{Peers: 1})
	var both sync.WaitGroup
	both.Add(2)
	meets := func(name string) services.HandlerFunc {
		return func(context.Context, *services.Call) (value.Value, error) {
			both.Done()
			both.Wait()
			return value.String(name), nil
		}
	}
	x.serve(0, "a", meets("a"))
	x.serve(0, "b", meets("b"))
	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	x.serve(0, "c", services.HandlerFunc(func(_ context.Context, c *services.Call) (value.Value, error) {
		note(c.Function + " begins")
		time.Sleep(50 * time.Millisecond) // for the other one to begin, if it could
		note(c.Function + " ends")
		return value.String("c"), nil
	}))
	pair := func(one, other string) string {
		return fmt.Sprintf(`(seq (par (call -relay- %s [] x) (call -relay- %s [] y)) (call -relay- ("op" "concat_strings") [x y] r))`, one, other)
	}
	x.want(pair(`("a" "f")`, `("b" "f")`), `"ab"`)
	x.want(pair(`("c" "g")`, `("c" "h")`), `"cc"`)
	if want := []string{"g begins", "g ends", "h begins", "h ends"}; !slices.Equal(order, want) {
		t.Errorf("two calls of one instance: %q", order)
	}
}

func TestErrorsComeBack(t *testing.T) {
	x := start(t, devnet.Config{})
	_, err := x.run(`(call -relay- ("no" "such") [] r)`)
	var e *client.Error
	if !asError(err, &e) {
		t.Fatalf("want a client.Error, got %v", err)
	}
	want := `Local service error, ret_code is 1, error message is '"Service with id 'no' not found (function such)"'`
	if e.Message != want || e.PeerID != x.Peers[0].ID() || e.Code != 10000 {
		t.Errorf("want %q of %s, got %+v", want, x.Peers[0].ID(), e)
	}
	if _, err := x.client.Run(context.Background(), client.Script{AIR: "(nonsense)"}); !asError(err, &e) || e.PeerID != x.client.ID() {
		t.Errorf("a broken script: want an error of the client itself, got %v", err)
	}
}

func asError[E error](err error, target *E) bool {
	e, ok := err.(E)
	if ok {
		*target = e
	}
	return ok
}

func TestTimeoutSaysWhatWasWaitedFor(t *testing.T) {
	x := start(t, devnet.Config{Peers: 1})
	s := x.script(`(seq (par (call -relay- ("peer" "timeout") [60000 "x"] late) (null)) (call -relay- ("op" "identity") [late] r))`)
	s.TTL = 3 * time.Second
	_, err := x.client.Run(context.Background(), s)
	var e *client.TimeoutError
	if !asError(err, &e) || len(e.Waiting) == 0 {
		t.Fatalf("want a timeout that says what was waited for, got %v", err)
	}
	var expired []journal.Entry
	for end := time.Now().Add(time.Minute); len(expired) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		expired = x.Peers[0].Journal().Recent(1, func(e *journal.Entry) bool { return e.Kind == journal.Expired })
	}
	if len(expired) != 1 || len(expired[0].Waits) == 0 {
		t.Errorf("want the relay to know what was waited for, got %+v", expired)
	}
}

// A particle for an absent client is lost with a reason; so is one for a dead peer.
func TestDeadPeer(t *testing.T) {
	x := start(t, devnet.Config{Peers: 1})
	absent := devnet.ID(77)
	s := x.script(fmt.Sprintf(`(seq (call -relay- ("op" "noop") []) (call %q ("op" "identity") [1] r))`, absent))
	s.TTL = 3 * time.Second
	if _, err := x.client.Run(context.Background(), s); err == nil {
		t.Error("want an error")
	}
	for x.Peers[0].Journal().Count(journal.Lost, journal.NotConnected) == 0 {
		time.Sleep(time.Millisecond)
	}
	if n := x.Peers[0].Journal().Count(journal.Held, journal.NotConnected); n != 1 {
		t.Errorf("want to see that one particle waited, got %d", n)
	}
}

// Clients of different relays call each other, and callbacks come back.
func TestClientToClient(t *testing.T) {
	x := start(t, devnet.Config{})
	other := x.join(2)
	err := other.Services().Register("greeter", services.HandlerFunc(func(_ context.Context, c *services.Call) (value.Value, error) {
		name, _ := c.Args[0].AsString()
		return value.String("hello " + name + " from " + c.Tetraplets[0][0].PeerPK), nil
	}), services.In(other.ID()))
	if err != nil {
		t.Fatal(err)
	}
	s := x.script(fmt.Sprintf(`
		(seq (call -relay- ("op" "identity") ["you"] name)
		(seq (call peer3 ("op" "noop") [])
		(seq (call %q ("greeter" "hi") [name] r)
		(seq (call peer3 ("op" "noop") [])
		(seq (call -relay- ("op" "noop") [])
		     (call %%init_peer_id%% ("callbackSrv" "seen") [r]))))))`, other.ID()))
	seen := make(chan string, 1)
	s.Callbacks = map[string]func(context.Context, []value.Value) (value.Value, error){
		"seen": func(_ context.Context, args []value.Value) (value.Value, error) {
			seen <- args[0].Text()
			return value.Value{}, nil
		},
	}
	r, err := x.client.Run(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%q", "hello you from "+x.Peers[0].ID())
	if got := r.JSON().Text(); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
	if got := <-seen; got != want {
		t.Errorf("callback: want %s, got %s", want, got)
	}
}

// Bursts and long sequences through one relay.
func TestBurst(t *testing.T) {
	x := start(t, devnet.Config{Peers: 1})
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			x.want(fmt.Sprintf(`(call -relay- ("op" "identity") [%d] r)`, i), fmt.Sprint(i))
		})
	}
	all.Wait()
	for i := range 1100 {
		x.want(fmt.Sprintf(`(call -relay- ("op" "identity") [%d] r)`, i), fmt.Sprint(i))
	}
}

func TestBigPayload(t *testing.T) {
	x := start(t, devnet.Config{})
	big := strings.Repeat("x", 1<<20)
	s := x.script(`(seq (call %init_peer_id% ("getDataSrv" "big") [] big)
		(seq (call -relay- ("op" "noop") []) (seq (call peer2 ("op" "identity") [big] r) (call -relay- ("op" "noop") []))))`)
	s.Data["big"] = value.String(big)
	r, err := x.client.Run(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := r.JSON().AsString(); sha256.Sum256([]byte(got)) != sha256.Sum256([]byte(big)) {
		t.Errorf("want the %d bytes back, got %d", len(big), len(got))
	}
}

// Close with a grace time lets running calls finish and their results leave.
func TestGrace(t *testing.T) {
	x := start(t, devnet.Config{Peers: 1, Edit: func(_ int, c *config.Config) { c.Grace = time.Minute }})
	done := make(chan error, 1)
	go func() {
		_, err := x.run(`(call -relay- ("peer" "timeout") [300 "slow"] r)`)
		done <- err
	}()
	for x.Peers[0].Live() == 0 {
		time.Sleep(time.Millisecond)
	}
	x.Peers[0].Close()
	if err := <-done; err != nil {
		t.Errorf("want the result in spite of the closing, got %v", err)
	}
}

// Aliases outlive the peer; those of services that are gone wait for them.
func TestAliasesAreKept(t *testing.T) {
	dir := t.TempDir()
	c := config.Config{Key: key(1), DataDir: dir, Network: "none"}
	begin := func() *node.Node {
		t.Helper()
		n, err := node.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	c.ServicesDir = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.ServicesDir, "greeter.js"), []byte(`exports.hi = () => "hi"`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := begin()
	if err := n.Services().AddAlias(n.ID(), "hello", "greeter"); err != nil {
		t.Fatal(err)
	}
	if _, err := node.New(c); !errors.Is(err, store.ErrInUse) {
		t.Errorf("two peers in one directory: want %v, got %v", store.ErrInUse, err)
	}
	n.Close()
	services := c.ServicesDir
	c.ServicesDir = ""
	begin().Close()
	c.ServicesDir = services
	n = begin()
	if id, ok := n.Services().Alias(n.ID(), "hello"); id != "greeter" || !ok {
		t.Errorf("want the alias of greeter, got %q, %v", id, ok)
	}
}

// A file that is not a service stops the start, unless the peer is told to go on without it.
func TestBrokenServices(t *testing.T) {
	c := config.Config{Key: key(1), DataDir: t.TempDir(), ServicesDir: t.TempDir(), Network: "none"}
	for name, text := range map[string]string{
		"good": "exports.f = () => 1", "getter": `Object.defineProperty(exports, "f", {enumerable: true, get() { throw 1 }})`, "syntax": "\nlet x = ;",
	} {
		if err := os.WriteFile(filepath.Join(c.ServicesDir, name+".js"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := node.New(c)
	for _, want := range []string{"getter.js:1:", "syntax.js:2:9: ", "--skip-broken-services"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	c.SkipBrokenServices = true
	n, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var ids []string
	for _, s := range n.Services().List(n.ID()) {
		ids = append(ids, s.ID)
	}
	if !slices.Equal(ids, []string{"good"}) {
		t.Errorf("services %v", ids)
	}
	c.ServicesDir, c.DataDir = filepath.Join(c.ServicesDir, "none"), t.TempDir()
	if _, err := node.New(c); err == nil || strings.Contains(err.Error(), "skip") {
		t.Errorf("no directory: %v", err)
	}
}

// A service that was removed stays so until its file changes.
func TestRemovedServicesStayAway(t *testing.T) {
	c := config.Config{Key: key(1), DataDir: t.TempDir(), ServicesDir: t.TempDir(), Network: "none"}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.ServicesDir, "greeter.js"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := func(change func(n *node.Node)) bool {
		t.Helper()
		n, err := node.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		change(n)
		_, ok := n.Services().Lookup(n.ID(), "greeter")
		return ok
	}
	nothing := func(*node.Node) {}
	write(`exports.hi = () => "hi"`)
	if here(func(n *node.Node) { n.Services().Unregister(n.ID(), "greeter") }) || here(nothing) {
		t.Error("a removed service came back")
	}
	write(`exports.hi = () => "hi, again"`)
	for range 2 {
		if !here(nothing) {
			t.Error("a new version of a removed service is not served")
		}
	}
	write(`exports.hi = () => "hi"`)
	if !here(nothing) {
		t.Error("the removal outlived a new version")
	}
}

// A second process on a data directory is refused before it touches anything.
func TestDataDirOfAnother(t *testing.T) {
	c := config.Config{Key: key(1), DataDir: t.TempDir(), Network: "none"}
	n, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	vault := filepath.Join(c.VaultDir(), strings.Repeat("ab", sha256.Size))
	if err := os.MkdirAll(vault, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := node.New(c); !errors.Is(err, store.ErrInUse) {
		t.Errorf("want %v, got %v", store.ErrInUse, err)
	}
	if _, err := os.Stat(vault); err != nil {
		t.Errorf("the vault of a running peer: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]config.Config{
		"no key":      {},
		"bad listen":  {Key: key(1), Listen: []string{"localhost:80"}},
		"bad address": {Key: key(1), External: []string{"/ip4/x"}},
	} {
		if err := c.Check(); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func key(n byte) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte{n})
	return ed25519.NewKeyFromSeed(seed[:])
}

func BenchmarkRoundTrip(b *testing.B) {
	x := start(b, devnet.Config{Peers: 1})
	s := x.script(`(call -relay- ("op" "identity") ["hi"] r)`)
	b.Run("sequential", func(b *testing.B) {
		for b.Loop() {
			if _, err := x.client.Run(context.Background(), s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := x.client.Run(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
