package interpreter_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
)

// threads are peers that run a particle one step after the other. Calls of the service "later" get
// no answer.
type threads struct {
	t      *testing.T
	script string
	states map[string]*interpreter.State
	keys   map[string]ed25519.PrivateKey
	ids    map[string]string // by name
}

func newThreads(t *testing.T, script string) *threads {
	h := &threads{t: t, states: map[string]*interpreter.State{}, keys: map[string]ed25519.PrivateKey{}, ids: map[string]string{}}
	for _, name := range []string{"client", "relay", "host"} {
		seed := sha256.Sum256([]byte(name))
		key := ed25519.NewKeyFromSeed(seed[:])
		id := data.PeerIDOf(key.Public().(ed25519.PublicKey))
		h.keys[id], h.ids[name] = key, id
		script = strings.ReplaceAll(script, "@"+name, id)
	}
	h.script = script
	return h
}

func (h *threads) state(id string) *interpreter.State {
	if h.states[id] == nil {
		s, err := interpreter.Open(h.script, nil, interpreter.Params{
			InitPeerID: h.ids["client"], CurrentPeerID: id, ParticleID: "p", Key: h.keys[id],
		})
		if err != nil {
			h.t.Fatal(err)
		}
		h.states[id] = s
	}
	return h.states[id]
}

func (h *threads) step(id string, arrivals [][]byte, results map[uint32]interpreter.CallResult) {
	s := h.state(id)
	out := s.Step(context.Background(), arrivals, results)
	if out.RetCode != 0 {
		h.t.Logf("%s: %d %s", id, out.RetCode, out.ErrorMessage)
	}
	b := encoded(h.t, s)
	for _, next := range slices.Concat(out.NextPeers, out.Again) {
		if h.keys[next] != nil {
			h.step(next, [][]byte{b}, nil)
		}
	}
	for _, r := range out.CallRequests {
		switch r.ServiceID {
		case "later":
		case "bad":
			h.step(id, nil, map[uint32]interpreter.CallResult{r.ID: {RetCode: 1, Result: "bad"}})
		default:
			h.step(id, nil, map[uint32]interpreter.CallResult{r.ID: {Result: fmt.Sprintf("%q", h.ids["host"])}})
		}
	}
}

// aCall is what a client makes of a call of a function on a host behind its relay; its response has
// no answer yet.
const aCall = `
(xor
 (new $-ephemeral-stream-
  (new #-ephemeral-canon-
   (seq
    (seq
     (seq
      (seq
       (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
       (call %init_peer_id% ("getDataSrv" "arg") [] arg))
      (xor
       (seq
        (seq
         (call "@relay" ("op" "noop") [])
         (call "@host" ("SERVICE" "f") [arg] ret))
        (call "@relay" ("op" "noop") []))
       (seq
        (seq
         (call "@relay" ("op" "noop") [])
         (call %init_peer_id% ("op" "noop") []))
        (fail :error:))))
     (call %init_peer_id% ("LAST" "response") [ret]))
    (null))))
 (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0]))`

func TestSettled(t *testing.T) {
	call := func(service, last string) string {
		return strings.NewReplacer("SERVICE", service, "LAST", last).Replace(aCall)
	}
	for _, c := range []struct{ name, script, settled string }{
		{"a call that was answered", call("s", "s"), "client relay"},
		{"the answer is on its way", call("s", "later"), "relay"},
		{"the host works", call("later", "s"), ""},
		{"the call failed, and the client knows", call("bad", "s"), "client relay"},
		{"nothing waits for anything", `(seq (call "@client" ("s" "f") [] x) (ap x y))`, "client"},
		{"a call of its own", `(call "@client" ("later" "f") [] x)`, ""},
		{"handed on", `(seq (call "@client" ("s" "f") [] x) (call "@host" ("later" "f") [x]))`, "client"},
		{"it will come back", `(seq (call "@host" ("later" "f") []) (call "@client" ("s" "f") []))`, ""},
		{"it may come back for an error", `(xor (call "@host" ("later" "f") []) (call "@client" ("s" "f") []))`, ""},
		{"it may come back for something else", `(seq (call "@host" ("later" "f") [] x) (xor (match x 1 (call "@host" ("s" "f") [])) (call %init_peer_id% ("s" "f") [])))`, ""},
		{"to a peer that is named later", `(seq (call "@host" ("later" "f") [] x) (call x ("s" "f") []))`, ""},
		{"to a peer that is known", `(seq (call "@client" ("s" "f") [] x) (seq (call "@host" ("later" "f") []) (call x ("s" "f") [])))`, "client"},
		{"two branches", `(par (call "@host" ("later" "f") []) (call "@relay" ("later" "f") []))`, ""},
		{"one branch is done", `(par (call "@client" ("s" "f") []) (call "@host" ("later" "f") []))`, ""},
		{"a value that is missing", `(par (call "@host" ("later" "f") [] x) (call "@client" ("s" "f") [x]))`, ""},
		{"never", `(seq (call "@client" ("s" "f") []) (never))`, ""},
		{"a branch that failed", `(par (call "@client" ("bad" "f") []) (null))`, ""},
		{"an error at the end", `(seq (call "@client" ("s" "f") []) (fail 1 "x"))`, ""},
		{"the next element comes back", `(seq (call "@client" ("s" "f") [] x) (seq (seq (ap x $s) (canon "@client" $s #l)) (fold #l p (seq (call "@host" ("later" "f") []) (next p)))))`, ""},
		{"a stream without values", `(seq (xor (match 1 2 (ap 1 $s)) (null)) (fold $s i (next i)))`, ""},
	} {
		h := newThreads(t, c.script)
		h.step(h.ids["client"], nil, nil)
		var settled []string
		for _, name := range []string{"client", "relay"} {
			if s := h.states[h.ids[name]]; s != nil && s.Settled() {
				settled = append(settled, name)
			}
		}
		if got := strings.Join(settled, " "); got != c.settled {
			var waits []string
			for _, w := range h.state(h.ids["client"]).Waiting() {
				waits = append(waits, w.Instruction+": "+w.Reason)
			}
			t.Errorf("%s: %q are settled, want %q; the client waits for %q", c.name, got, c.settled, waits)
		}
	}
}

// crowd is threads that run in any order, with data that comes again and to peers that it is not
// for.
type crowd struct {
	*threads
	*rand.Rand
	all     []string // ids
	names   int
	pending []parcel
	past    [][]byte
	results map[string]map[uint32]interpreter.CallResult
	claims  *[2]int // arrivals at settled states: at those that wait for nothing, and at others
	ignore  bool    // settled states get nothing any more
	made    []string
}

type parcel struct {
	to   string
	data []byte
}

// program draws a program that mostly does one thing after the other, and the variables that it
// sets, all to ids of peers.
func (c *crowd) program(depth int, known []string) (text string, defined []string) {
	if depth == 0 {
		return c.instruction(known)
	}
	left, inLeft := c.program(c.IntN(depth), known)
	op := c.IntN(20)
	if op < 14 {
		known = slices.Concat(known, inLeft)
	}
	right, inRight := c.program(c.IntN(depth), known)
	switch {
	case op < 14:
		return fmt.Sprintf("(seq %s %s)", left, right), slices.Concat(inLeft, inRight)
	case op < 17:
		return fmt.Sprintf("(xor %s %s)", left, right), nil
	case op < 18:
		return fmt.Sprintf("(par %s %s)", left, right), slices.Concat(inLeft, inRight)
	}
	return fmt.Sprintf("(xor (match %s %s %s) (seq %s (null)))", c.peer(known), c.peer(known), left, right), nil
}

func (c *crowd) peer(known []string) string {
	if len(known) > 0 && c.IntN(4) == 0 {
		return known[c.IntN(len(known))]
	}
	return `"` + c.all[c.IntN(len(c.all))] + `"`
}

func (c *crowd) instruction(known []string) (text string, defined []string) {
	c.names++
	name, p := fmt.Sprintf("x%d", c.names), c.peer(known)
	switch c.IntN(12) {
	case 0:
		return fmt.Sprintf("(seq (ap %s $s) (canon %s $s #c%d))", p, p, c.names), nil
	case 1:
		return fmt.Sprintf(`(call %s ("bad" "f") [])`, p), nil
	case 2:
		return fmt.Sprintf("(ap %s %s)", p, name), []string{name}
	}
	return fmt.Sprintf(`(call %s ("s" "f%d") [] %s)`, p, c.names, name), []string{name}
}

// run lets things happen until nothing is pending.
func (c *crowd) run() {
	c.arrive(c.ids["client"], nil)
	for n := 0; n < 1000 && len(c.pending)+len(c.results) > 0; n++ {
		switch k := c.IntN(10); {
		case k < 3 && len(c.past) > 0:
			c.arrive(c.all[c.IntN(len(c.all))], c.past[c.IntN(len(c.past))])
		case k < 6 && len(c.results) > 0:
			to := c.busy()
			results := c.results[to]
			delete(c.results, to)
			c.happened(to, c.state(to).Step(context.Background(), nil, results))
		case len(c.pending) > 0:
			i := c.IntN(len(c.pending))
			p := c.pending[i]
			c.pending = slices.Delete(c.pending, i, i+1)
			c.arrive(p.to, p.data)
		}
	}
	for range 30 {
		c.arrive(c.all[c.IntN(len(c.all))], c.past[c.IntN(len(c.past))])
	}
}

func (c *crowd) busy() string {
	busy := slices.Sorted(maps.Keys(c.results))
	return busy[c.IntN(len(busy))]
}

func (c *crowd) arrive(to string, b []byte) {
	s := c.state(to)
	settled, waits := s.Settled(), min(len(s.Waiting()), 1)
	if settled && c.ignore {
		return
	}
	out := s.Step(context.Background(), [][]byte{b}, nil)
	if settled {
		c.claims[waits]++
		if len(out.NextPeers)+len(out.CallRequests) > 0 {
			c.t.Fatalf("at %s a settled state asks %v and has %d calls:\n%s", to, out.NextPeers, len(out.CallRequests), c.script)
		}
	}
	c.happened(to, out)
}

func (c *crowd) happened(at string, out interpreter.Outcome) {
	b := encoded(c.t, c.state(at))
	c.past = append(c.past, b)
	for _, next := range slices.Concat(out.NextPeers, out.Again) {
		c.pending = append(c.pending, parcel{next, b})
	}
	for _, r := range out.CallRequests {
		if c.results[at] == nil {
			c.results[at] = map[uint32]interpreter.CallResult{}
		}
		c.made = append(c.made, at+" "+r.FunctionName)
		c.results[at][r.ID] = interpreter.CallResult{Result: fmt.Sprintf("%q", c.all[len(c.script)*len(r.FunctionName)%3])}
		if r.ServiceID == "bad" {
			c.results[at][r.ID] = interpreter.CallResult{RetCode: 1, Result: "bad"}
		}
	}
}

// TestSettledStates lets all kinds of data arrive at states that say nothing can follow. Nothing
// does, and without these arrivals the same calls are made everywhere.
func TestSettledStates(t *testing.T) {
	claims := [2]int{}
	for seed := range uint64(400) {
		var made [2][]string
		for i, ignore := range []bool{false, true} {
			c := &crowd{threads: newThreads(t, ""), Rand: rand.New(rand.NewPCG(seed, 7)), results: map[string]map[uint32]interpreter.CallResult{}, claims: &claims}
			c.all, c.ignore = slices.Sorted(maps.Values(c.ids)), ignore
			c.script, _ = c.program(4, nil)
			c.run()
			slices.Sort(c.made)
			if made[i] = c.made; i == 1 && !slices.Equal(made[0], made[1]) {
				t.Errorf("when settled states get nothing the calls are %q, want %q:\n%s", made[1], made[0], c.script)
			}
		}
	}
	t.Logf("%d arrivals at states that wait for nothing, %d at others", claims[0], claims[1])
	if claims[0] < 1000 || claims[1] < 1000 {
		t.Error("too few to say anything")
	}
}
