package fabric

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a network of three with a client of peer1.
type lab struct {
	*Network
	t      *testing.T
	client *client.Client
}

func newLab(t *testing.T, edit func(int, *config.Config)) *lab {
	t.Helper()
	net, err := Start(3, edit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	c, err := client.Connect(t.Context(), client.Config{Relays: net.Peers[0].Addrs()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &lab{net, t, c}
}

// run runs AIR in which P1, P2, P3 stand for the peers, with a callback for "seen".
func (x *lab) run(air string, ttl time.Duration, seen func(string)) (string, error) {
	for i := 1; i <= 3; i++ {
		air = strings.ReplaceAll(air, fmt.Sprintf("P%d", i), fmt.Sprintf("%q", devnet.ID(i)))
	}
	r, err := x.client.Run(context.Background(), client.Script{AIR: air, TTL: ttl, Callbacks: map[string]func(context.Context, []value.Value) (value.Value, error){
		"seen": func(_ context.Context, args []value.Value) (value.Value, error) {
			if seen != nil {
				seen(args[0].Text())
			}
			return value.Value{}, nil
		},
	}})
	if err != nil {
		return "", err
	}
	return r.JSON().Text(), nil
}

// until waits for the journal of a peer to have n entries of a kind.
func (x *lab) until(peer int, kind journal.Kind, reason journal.Reason, n uint64) {
	x.t.Helper()
	j := x.Peers[peer-1].Journal()
	for end := time.Now().Add(30 * time.Second); j.Count(kind, reason) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("peer%d: want %d of %s %s, the journal has %v", peer, n, kind, string(reason), j.Counts())
		}
	}
}

// A join of peer2, which takes its time, and peer3, at peer1. The client hears of peer3's part.
const join = `
	(seq (call P1 ("op" "noop") [])
	(seq (par
	      (seq (call P2 ("peer" "timeout") [500 "a"] a) (call P1 ("op" "noop") []))
	      (seq (call P3 ("op" "identity") ["b"] b)
	      (seq (call P1 ("op" "noop") [])
	           (call %init_peer_id% ("callbackSrv" "seen") [b]))))
	(seq (call P1 ("op" "concat_strings") [a b] r)
	     (call %init_peer_id% ("callbackSrv" "response") [r]))))`

// What happens to a join when one branch is cut off in the middle of it: the other branch goes
// on to the end of what it can do, what the cut-off peer has done waits there, and after
// healing the run completes. Peers hold data for a peer that cannot be reached for 30 s.
func TestPartitionHeals(t *testing.T) {
	for _, c := range []struct {
		name string
		part func(*Link)
	}{{"connections break", (*Link).Cut}, {"packets vanish", (*Link).Freeze}} {
		t.Run(c.name, func(t *testing.T) {
			x := newLab(t, nil)
			seen, done := make(chan string, 1), make(chan string, 1)
			go func() {
				r, err := x.run(join, time.Minute, func(s string) { seen <- s })
				done <- fmt.Sprint(r, " ", err)
			}()
			x.until(2, journal.Arrived, "", 1)
			c.part(x.Link(1, 2))
			if got := <-seen; got != `"b"` {
				t.Errorf("want b of the other branch, got %s", got)
			}
			x.until(2, journal.Called, "", 1) // the cut-off branch is done, and cannot say so
			if c.name == "connections break" {
				x.until(2, journal.Held, "", 1)
			}
			select {
			case r := <-done:
				t.Errorf("the join is through without one of its branches: %s", r)
			case <-time.After(200 * time.Millisecond):
			}
			x.Link(1, 2).Heal()
			if got, want := <-done, `"ab" <nil>`; got != want {
				t.Errorf("after healing: want %s, got %s", want, got)
			}
			for i := range x.Peers {
				if n := x.Peers[i].Journal().Count(journal.Lost, ""); n != 0 {
					t.Errorf("peer%d lost %d: %v", i+1, n, x.Peers[i].Journal().Counts())
				}
			}
		})
	}
}

// A partition that stays ends the run at its TTL with what was waited for. The peer that
// could not send says so.
func TestPartitionStays(t *testing.T) {
	x := newLab(t, nil)
	done := make(chan error, 1)
	go func() {
		_, err := x.run(join, 2*time.Second, nil)
		done <- err
	}()
	x.until(2, journal.Arrived, "", 1)
	x.Link(1, 2).Cut()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no answer within 2s") || !strings.Contains(err.Error(), "concat_strings") {
		t.Errorf("want an error that says what was waited for, got %v", err)
	}
	x.until(2, journal.Lost, "", 1)
	x.until(1, journal.Expired, journal.Unfinished, 1)
}

// A link that is cut is one between two peers: a script gets to the other side of it over a
// third one that it names.
func TestPartitionOfTwoIsNoneOfOthers(t *testing.T) {
	x := newLab(t, nil)
	x.Link(1, 2).Cut()
	got, err := x.run(`
		(seq (call P1 ("op" "noop") [])
		(seq (call P3 ("op" "noop") [])
		(seq (call P2 ("op" "identity") ["around"] r)
		(seq (call P3 ("op" "noop") [])
		(seq (call P1 ("op" "noop") [])
		     (call %init_peer_id% ("callbackSrv" "response") [r]))))))`, 20*time.Second, nil)
	if err != nil || got != `"around"` {
		t.Errorf("want around, got %s, %v", got, err)
	}
}

// Links of 200 ms each way and 64 kB/s lose nothing, only time.
func TestSlowLinks(t *testing.T) {
	x := newLab(t, nil)
	for _, l := range x.links {
		l.Slow(200*time.Millisecond, 64<<10)
	}
	const calls = 30
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			text := fmt.Sprint(i, strings.Repeat("x", 3000))
			got, err := x.run(fmt.Sprintf(`
				(seq (call P1 ("op" "noop") [])
				(seq (par (call P2 ("op" "identity") [%q] a) (call P3 ("op" "identity") ["b"] b))
				(seq (call P1 ("op" "concat_strings") [a b] r)
				     (call %%init_peer_id%% ("callbackSrv" "response") [r]))))`, text), 5*time.Minute, nil)
			if want := fmt.Sprintf("%q", text+"b"); err != nil || got != want {
				t.Errorf("call %d: got %.20s, %v", i, got, err)
			}
		})
	}
	all.Wait()
	for i := range x.Peers {
		if n := x.Peers[i].Journal().Count(journal.Lost, ""); n != 0 {
			t.Errorf("peer%d lost %d: %v", i+1, n, x.Peers[i].Journal().Counts())
		}
	}
}

// Clocks. A client whose clock is a minute ahead is served, since nobody minds a timestamp in
// the future. One that is a minute behind is refused with a reason that says by how much, and
// served by peers that are told to be tolerant, answers included.
func TestClocks(t *testing.T) {
	for _, c := range []struct {
		name    string
		by      time.Duration
		skew    time.Duration
		refused bool
	}{
		{"ahead", time.Minute, 0, false},
		{"behind", -time.Minute, 0, true},
		{"behind, tolerated", -time.Minute, 2 * time.Minute, false},
		{"behind, beyond tolerance", -time.Minute, 30 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newLab(t, func(_ int, cfg *config.Config) { cfg.Dispatch.Skew = c.skew })
			s, err := load.NewStranger(t.Context(), "other clock", x.Peers[0].Addrs()[0])
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			answer := make(chan *particle.Particle, 1)
			s.SetStreamHandler(wire.ProtocolID, func(st network.Stream) {
				message, err := wire.ReadMessage(bufio.NewReader(st), wire.MaxMessage)
				if err != nil {
					return
				}
				if p, err := wire.Decode(message); err == nil {
					answer <- p
				}
			})
			air := fmt.Sprintf(`(seq (call %q ("op" "noop") []) (seq (call %q ("op" "identity") ["x"] r) (seq (call %q ("op" "noop") []) (call %q ("a" "b") [r]))))`,
				devnet.ID(1), devnet.ID(2), devnet.ID(1), s.ID())
			p := particle.New(s.Key, air, 7*time.Second, time.Now().Add(c.by))
			if err := s.Send(t.Context(), wire.Frame(p)); err != nil {
				t.Fatal(err)
			}
			if c.refused {
				x.until(1, journal.Refused, journal.TooLate, 1)
				e := x.Peers[0].Journal().Recent(1, func(e *journal.Entry) bool { return e.Kind == journal.Refused })[0]
				if !strings.Contains(e.Detail, "expired 5") || !strings.HasSuffix(e.Detail, "s ago") {
					t.Errorf("want to read by how much it is late, got %q", e.Detail)
				}
				return
			}
			select {
			case got := <-answer:
				if got.ID != p.ID {
					t.Errorf("want the answer of %s, got %s", p.ID, got.ID)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("no answer; peer1 has %v, peer2 %v", x.Peers[0].Journal().Counts(), x.Peers[1].Journal().Counts())
			}
		})
	}
}
