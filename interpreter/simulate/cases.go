package simulate

import (
	"context"
	"fmt"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Case is something to measure: requests of one particle, the same for every engine.
type Case struct {
	Name     string
	Requests []*Request // their times are added up
	Fresh    bool       // the script is new in each run
	// Retained cases step one state through all requests and count those from Warm on; engines
	// without states run those cold.
	Retained bool
	Warm     int
}

var cases = []struct {
	name string
	make func(ctx context.Context) (*Case, error)
}{
	{"smallest step", smallest},
	{"relay round trip", relayRoundTrip},
	{"fold of 1000", onList(`(fold l i (seq (ap i $s) (next i)))`, 1000)},
	{"canon of 1000", onList(`(seq (fold l i (seq (ap i $s) (next i))) (canon %init_peer_id% $s #cn))`, 1000)},
	{"map of 1000", onList(`(seq (fold l i (seq (ap (i i) %m) (next i))) (canon %init_peer_id% %m #%cm))`, 1000)},
	{"race of 1000 into a stream", race},
	{"start of a fan-out to 1000", fanOutStart},
	{"worker of a fan-out to 1000", fanOutWorker},
	{"merge of a par tree of 4096 leaves", parTree},
	{"join of 100", join(100)},
	{"join of 400", join(400)},
	{"1 MB value in", bigValueIn},
	{"1 MB value out", bigValueOut},
	{"200 kB script, first seen", bigScript(true)},
	{"200 kB script, seen before", bigScript(false)},
	{"signed by 1000 peers", manySigners},
	{"retained: local result among 1000", retainedLocal},
	{"retained: answer 1000 of a fan-out", retainedAnswer},
}

// CaseNames lists the single steps and short particles of the performance table.
func CaseNames() []string {
	names := make([]string, len(cases))
	for i, c := range cases {
		names[i] = c.name
	}
	return names
}

// MakeCase makes the requests of a case.
func MakeCase(ctx context.Context, name string) (*Case, error) {
	for _, c := range cases {
		if c.name != name {
			continue
		}
		made, err := c.make(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		made.Name = name
		return made, nil
	}
	return nil, fmt.Errorf("no case is called %q", name)
}

// record runs a scenario and returns its requests, those of one peer if only is set.
func record(ctx context.Context, s *Scenario, only string) ([]*Request, error) {
	s.MaxSteps = 1e6
	out, err := Run(ctx, s, Options{Cold: true, Raw: true, Only: only})
	if err != nil {
		return nil, err
	}
	for code := range out.Stats.Codes {
		if code != "0" {
			return nil, fmt.Errorf("a step ended with code %s", code)
		}
	}
	requests := make([]*Request, len(out.Steps))
	for i := range out.Steps {
		requests[i] = &out.Steps[i].Request
	}
	return requests, nil
}

func smallest(ctx context.Context) (*Case, error) {
	r, err := record(ctx, &Scenario{Air: "(null)"}, "")
	return &Case{Requests: r}, err
}

// relayRoundTrip is what a compiler makes of a call on a worker behind a relay.
func relayRoundTrip(ctx context.Context) (*Case, error) {
	r, err := record(ctx, &Scenario{
		Peers: []Peer{NewPeer("client", nil), NewPeer("relay", nil), NewPeer("worker", nil)},
		Air: `(xor
 (seq (seq (seq (seq (seq
   (call %init_peer_id% ("getDataSrv" "-relay-") [] -relay-)
   (call %init_peer_id% ("getDataSrv" "name") [] name))
   (call -relay- ("op" "noop") []))
   (xor (call "@worker" ("greeter" "hello") [name] ret)
    (seq (seq (call -relay- ("op" "noop") [])
      (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 1])) (null))))
   (call -relay- ("op" "noop") []))
  (call %init_peer_id% ("callbackSrv" "response") [ret]))
 (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 2]))`,
		Services: []Rule{
			{Function: ptr("-relay-"), Ret: ptr(value.String("@relay"))},
			{Function: ptr("name"), Ret: ptr(value.String("somebody"))},
		},
	}, "")
	return &Case{Requests: r}, err
}

func ptr[T any](v T) *T { return &v }

// onList runs a body over a list of n numbers that a service returned; the step that is measured is
// the one with that result.
func onList(body string, n int) func(context.Context) (*Case, error) {
	return func(ctx context.Context) (*Case, error) {
		r, err := record(ctx, &Scenario{
			Air:      Text(`(seq (call %init_peer_id% ("s" "list") [] l) ` + body + `)`),
			Services: []Rule{{Ret: ptr(numbers(n))}},
		}, "")
		if err != nil {
			return nil, err
		}
		return &Case{Requests: r[1:2]}, nil
	}
}

func numbers(n int) value.Value {
	list := make([]value.Value, n)
	for i := range list {
		list[i] = value.Int(int64(i))
	}
	return value.Array(list)
}

// race lets 1000 local calls answer at once into one stream.
func race(ctx context.Context) (*Case, error) {
	r, err := record(ctx, &Scenario{
		Air: `(seq (call %init_peer_id% ("s" "list") [] l)
(seq (fold l i (par (call %init_peer_id% ("s" "run") [i] $s) (next i))) (never)))`,
		Services: []Rule{{Function: ptr("list"), Ret: ptr(numbers(1000))}},
	}, "")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[2:3]}, nil
}

// join is how compilers wait for n values of a stream: a fold that freezes what it has seen with
// every element and goes on until that is enough.
func join(n int) func(context.Context) (*Case, error) {
	return onList(fmt.Sprintf(`(seq (fold l i (seq (ap i $s) (next i)))
(new $test (seq
 (fold $s j (seq (seq (ap j $test) (canon %%init_peer_id%% $test #seen))
  (xor (match #seen.length %d (null)) (next j))))
 (canon %%init_peer_id%% $test #all))))`, n), n)
}

// megabyte is a JSON value of about 1 MB: many small objects.
func megabyte() value.Value {
	var list []value.Value
	for i := range 12500 {
		list = append(list, value.Object([]value.Field{
			{Key: "id", Value: value.Int(int64(i))},
			{Key: "name", Value: value.String(fmt.Sprintf("item number %d of many", i))},
			{Key: "price", Value: value.Float(float64(i) + 0.25)},
			{Key: "tags", Value: value.Array([]value.Value{value.String("a"), value.True})},
		}))
	}
	return value.Array(list)
}

// bigValue passes 1 MB from a service of alice to one of bob.
func bigValue(ctx context.Context) ([]*Request, error) {
	return record(ctx, &Scenario{
		Air:      `(seq (call "@alice" ("s" "big") [] x) (call "@bob" ("s" "use") [x] y))`,
		Services: []Rule{{Function: ptr("big"), Ret: ptr(megabyte())}, {Ret: ptr(value.Int(1))}},
	}, "")
}

func bigValueIn(ctx context.Context) (*Case, error) {
	r, err := bigValue(ctx)
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[1:2]}, nil
}

func bigValueOut(ctx context.Context) (*Case, error) {
	r, err := bigValue(ctx)
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[2:3]}, nil
}

// bigScript is 200 kB of branches of which the first stops at once.
func bigScript(fresh bool) func(context.Context) (*Case, error) {
	return func(ctx context.Context) (*Case, error) {
		var air strings.Builder
		part := `(xor (seq (call "@bob" ("service" "function") [x "text" 42] y%d) (ap y%d z%d)) (match z%d.$.a.[0] "b" (null)))` + "\n"
		n := 0
		for ; air.Len() < 200_000; n++ {
			fmt.Fprintf(&air, "(seq "+part, n, n, n, n)
		}
		text := `(seq (call "@alice" ("s" "f") [] x) ` + air.String() + "(null)" +
			strings.Repeat(")", n+1)
		r, err := record(ctx, &Scenario{Air: Text(text), Services: []Rule{{Never: true}}}, "")
		return &Case{Requests: r, Fresh: fresh}, err
	}
}

// manySigners is the first arrival, at a new peer, of what 1000 peers did.
func manySigners(ctx context.Context) (*Case, error) {
	s := FanOut(1000)
	s.Peers = append(s.Peers, NewPeer("last", nil))
	s.Air = "(seq " + s.Air + "\n(call \"@last\" (\"s\" \"end\") []))"
	r, err := record(ctx, s, "last")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[:1]}, nil
}

// fanOutStart is the first step of the client, which asks all peers. Its script, as that of a
// worker, is new in each run: it is when somebody fans out.
func fanOutStart(ctx context.Context) (*Case, error) {
	r, err := record(ctx, onlyOnce(FanOut(1000)), "client")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[:1], Fresh: true}, nil
}

// fanOutWorker is a peer in the middle: what arrives, and the answer of its service.
func fanOutWorker(ctx context.Context) (*Case, error) {
	r, err := record(ctx, onlyOnce(FanOut(1000)), "w500")
	return &Case{Requests: r, Fresh: true}, err
}

// onlyOnce keeps a fan-out from going back to the client, which takes a minute.
func onlyOnce(s *Scenario) *Scenario {
	s.Air = Text(strings.TrimSuffix(strings.TrimPrefix(string(s.Air), "(seq "), ")"))
	s.Air = s.Air[:strings.LastIndex(string(s.Air), "\n")]
	return s
}

// parTree is a balanced tree of pars. Every second call is of one peer, the others are of another
// one; the client has what one did and gets what the other did.
func parTree(ctx context.Context) (*Case, error) {
	leaf := 0
	var tree func(depth int) string
	tree = func(depth int) string {
		if depth == 0 {
			leaf++
			return fmt.Sprintf(`(call "@%s" ("s" "f") [%d] x%d)`, []string{"left", "right"}[leaf%2],
				leaf, leaf)
		}
		return "(par " + tree(depth-1) + "\n" + tree(depth-1) + ")"
	}
	r, err := record(ctx, &Scenario{
		Peers: []Peer{NewPeer("client", nil), NewPeer("left", nil), NewPeer("right", nil)},
		Air:   Text(`(seq ` + tree(12) + ` (call %init_peer_id% ("s" "end") []))`),
	}, "client")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[2:3]}, nil
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d ", i)
	}
	return b.String()
}

// retainedLocal is the result of one more local call in a particle that has 1000.
func retainedLocal(ctx context.Context) (*Case, error) {
	r, err := record(ctx, LocalChain(1002), "")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[1000:1002], Retained: true, Warm: 1}, nil
}

// retainedAnswer is the last of 1000 answers at the client.
func retainedAnswer(ctx context.Context) (*Case, error) {
	r, err := record(ctx, FanOut(1000), "client")
	if err != nil {
		return nil, err
	}
	return &Case{Requests: r[999:1001], Retained: true, Warm: 1}, nil
}

// LocalChain makes n local calls one after the other, each with the result of the one before.
func LocalChain(n int) *Scenario {
	var air strings.Builder
	for i := range n {
		arg := fmt.Sprintf("x%d", i-1)
		if i == 0 {
			arg = "0"
		}
		fmt.Fprintf(&air, "(seq (call %%init_peer_id%% (\"s\" \"step\") [%s %d] x%d)\n", arg, i, i)
	}
	return &Scenario{
		Air: Text(air.String() + "(null)" + strings.Repeat(")", n)), Peers: []Peer{NewPeer("client",
			nil)},
		Services: []Rule{{Arg: ptr(1)}},
	}
}

// FanOut calls n peers in parallel and then, with all of their answers, the client.
func FanOut(n int) *Scenario {
	s := &Scenario{Peers: []Peer{NewPeer("client", nil)}}
	var air strings.Builder
	for i := range n {
		p := NewPeer(fmt.Sprintf("w%d", i), nil)
		s.Peers = append(s.Peers, p)
		fmt.Fprintf(&air, "(par (call \"@%s\" (\"s\" \"work\") [%d] x%d)\n", p.Name, i, i)
	}
	s.Air = Text(fmt.Sprintf("(seq %s(never)%s\n(call %%init_peer_id%% (\"s\" \"join\") [%s]))",
		air.String(), strings.Repeat(")", n), names(n)))
	return s
}

// Client records what the client of a scenario does from the first step to the last.
func Client(
	ctx context.Context, s *Scenario,
) ([]*Request, error) {
	return record(ctx, s, "client")
}
