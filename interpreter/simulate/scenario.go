package simulate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Peer is a simulated peer.
type Peer struct {
	Name string
	ID   string
	Seed []byte
	key  ed25519.PrivateKey
}

// NewPeer makes a test peer. Without a seed it is the SHA-256 of "aquanode-test-peer:" and the
// name.
func NewPeer(name string, seed []byte) Peer {
	if seed == nil {
		sum := sha256.Sum256([]byte("aquanode-test-peer:" + name))
		seed = sum[:]
	}
	key := ed25519.NewKeyFromSeed(seed)
	return Peer{Name: name, ID: data.PeerIDOf(key.Public().(ed25519.PublicKey)), Seed: seed,
		key: key}
}

// UnmarshalJSON reads a name, or {"name", "secretKey"}.
func (p *Peer) UnmarshalJSON(b []byte) error {
	var full struct {
		Name      string
		SecretKey []byte
	}
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &full.Name); err != nil {
			return err
		}
	} else if err := json.Unmarshal(b, &full); err != nil {
		return err
	}
	if n := len(full.SecretKey); n != 0 && n != ed25519.SeedSize {
		return fmt.Errorf("the secretKey of peer %s has %d bytes, a seed has 32", full.Name, n)
	}
	if len(full.SecretKey) == 0 {
		full.SecretKey = nil
	}
	*p = NewPeer(full.Name, full.SecretKey)
	return nil
}

// Scenario is one particle and the peers it runs over. In Air and in what services return,
// @name stands for the id of the peer with that name.
type Scenario struct {
	Air        Text                       `json:"air"`
	Peers      []Peer                     `json:"peers"` // default alice, bob, carol
	Init       string                     `json:"init"`  // who starts; default the first peer
	Services   []Rule                     `json:"services"`
	Order      Order                      `json:"order"`
	Batch      *bool                      `json:"batch"` // false: results come one by one
	MaxSteps   int                        `json:"maxSteps"`
	Timestamp  uint64                     `json:"timestamp"`
	TTL        uint32                     `json:"ttl"`
	ParticleID string                     `json:"particleId"`
	Start      map[string][]byte          `json:"start"` // data that peers have from before
	Answer     func(*Call) (Result, bool) `json:"-"`     // in place of Services
	// peers that exchange messages with one other only, by name
	Behind map[string]string `json:"behind"`
}

// Text is a text, or a list of its lines.
type Text string

// UnmarshalJSON reads both forms.
func (t *Text) UnmarshalJSON(b []byte) error {
	var lines []string
	if len(b) > 0 && b[0] == '[' {
		err := json.Unmarshal(b, &lines)
		*t = Text(strings.Join(lines, "\n"))
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// Order says which pending event is next: "fifo" (default), "lifo", "random:SEED", the earliest in
// a virtual time in which messages and results take random times, most of them short and some long
// ("time:SEED"), or the labels of the events one after the other.
type Order struct {
	Kind   string
	Seed   uint32
	Labels []string
}

// UnmarshalJSON reads a kind or a list of labels.
func (o *Order) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &o.Labels)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	kind, seed, _ := strings.Cut(text, ":")
	switch kind {
	case "", "fifo", "lifo", "random", "time":
	default:
		return fmt.Errorf(`order %q is none of "fifo", "lifo", "random:SEED", "time:SEED" and a list of events`, text)
	}
	o.Kind, o.Seed = kind, 1
	if seed != "" {
		if _, err := fmt.Sscan(seed, &o.Seed); err != nil {
			return fmt.Errorf("order %q: the seed is not a number", text)
		}
	}
	return nil
}

// Call is a call that a simulated service gets.
type Call struct {
	Peer     Peer
	Service  string
	Function string
	Args     []value.Value
	request  *interpreter.CallRequest
}

// Rule says what services answer: the first one whose Peer, Service and Function match (absent ones
// match all) decides. Without a rule the answer is argument 0, or null.
type Rule struct {
	Peer       *string      `json:"peer"`
	Service    *string      `json:"service"`
	Function   *string      `json:"function"`
	Ret        *value.Value `json:"ret"`        // this value
	Arg        *int         `json:"arg"`        // the argument with this index
	Args       bool         `json:"args"`       // all arguments
	Tetraplets bool         `json:"tetraplets"` // the tetraplets of the arguments
	Raw        *string      `json:"raw"`        // this text as it is
	// "$0".."$9" are arguments, $peer in strings the id of the peer
	Template *value.Value `json:"template"`
	RetCode  int32        `json:"retCode"`
	Never    bool         `json:"never"` // no answer at all
}

func (r *Rule) matches(c *Call) bool {
	is := func(want *string, have string) bool { return want == nil || *want == have }
	return is(r.Peer, c.Peer.Name) && is(r.Service, c.Service) && is(r.Function, c.Function)
}

func (c *Call) arg(i int) value.Value {
	if i < 0 || i >= len(c.Args) {
		return value.Value{}
	}
	return c.Args[i]
}

func (r *Rule) answer(c *Call) (Result, bool) {
	out := Result{RetCode: r.RetCode}
	var v value.Value
	switch {
	case r.Never:
		return out, false
	case r.Raw != nil:
		out.Result = *r.Raw
		return out, true
	case r.Template != nil:
		v = c.fill(*r.Template)
	case r.Tetraplets:
		text, _ := json.Marshal(c.request.Tetraplets)
		v, _ = value.Parse(string(text))
	case r.Args:
		v = value.Array(c.Args)
	case r.Arg != nil:
		v = c.arg(*r.Arg)
	case r.Ret != nil:
		v = *r.Ret
	}
	out.Result = v.Text()
	return out, true
}

func (c *Call) fill(t value.Value) value.Value {
	if s, ok := t.AsString(); ok {
		if len(s) == 2 && s[0] == '$' && s[1] >= '0' && s[1] <= '9' {
			return c.arg(int(s[1] - '0'))
		}
		return value.String(strings.ReplaceAll(s, "$peer", c.Peer.ID))
	}
	switch t.Kind() {
	case value.KindArray:
		elements := t.Elements()
		for i, e := range elements {
			elements[i] = c.fill(e)
		}
		return value.Array(elements)
	case value.KindObject:
		fields := t.Fields()
		for i := range fields {
			fields[i].Value = c.fill(fields[i].Value)
		}
		return value.Object(fields)
	}
	return t
}

func (s *Scenario) answer(c *Call) (Result, bool) {
	if s.Answer != nil {
		return s.Answer(c)
	}
	for i := range s.Services {
		if s.Services[i].matches(c) {
			return s.Services[i].answer(c)
		}
	}
	return Result{Result: c.arg(0).Text()}, true
}

var mention = regexp.MustCompile(`@[A-Za-z][A-Za-z0-9_]*`)

// named replaces @name by peer ids.
func named(text string, peers map[string]Peer) string {
	return mention.ReplaceAllStringFunc(text, func(m string) string {
		if p, ok := peers[m[1:]]; ok {
			return p.ID
		}
		return m
	})
}

func namedValue(v *value.Value, peers map[string]Peer) *value.Value {
	if v == nil {
		return nil
	}
	replaced, err := value.Parse(named(v.Text(), peers)) // ids need no escapes
	if err != nil {
		return v
	}
	return &replaced
}
