// Package builtin holds the functions that every peer offers to scripts.
//
//	err := builtin.Register(registry, builtin.Config{Keys: keys, Vault: vault, ...})
//
// All of them stand in one table of [Function] rows, a file per service id. A row says what
// the function takes, gives, refuses and demands; the same row checks the arguments of each
// call, makes the line of `aquanode builtins`, and the paragraph of docs/BUILTINS.md.
//
// # A call
//
// The permission is checked first, then the arguments, then the function runs: a stranger has
// nothing read of what he may not call. Built-in functions run in parallel, at once on the
// goroutine of the caller unless they block; what they need of the node they ask through the small
// interfaces of [Config]. A capability that is not configured is refused by name.
//
// # Values
//
// Types are written as Aqua writes them: ?T is an array of none or one T. An optional argument
// may be absent, null, [], [v], or just v. A function without a result gives the empty string.
//
// # Errors
//
// Texts are those of the reference peer, because clients match on them. They come in two
// forms there: plain, and with "Error: " before the text and a debug dump on further lines.
// The prefix is kept, the dump is not. Values and names in them are cut to 200 bytes.
//
// # Memory
//
// A function whose result or working memory may be larger than its arguments asks call.grow
// before it allocates. Arrays are walked ([value.Value.All]) and not taken apart.
package builtin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/vault"
)

var log = logging.Logger("builtin")

// Config names the capabilities of the peer. The zero Config serves all functions that need
// none.
type Config struct {
	Identity      func() Identity  // what peer.identify tells
	Now           func() time.Time // time.Now when nil
	Connector     Connector
	Neighbourhood Neighbourhood
	Keys          Keys
	Vault         *vault.Store
	Journal       Journal
}

// Identity describes the peer.
type Identity struct {
	ExternalAddresses []string
	NodeVersion       string
	AirVersion        string
	SpellVersion      string
	AllowedBinaries   []string
}

// A Connector knows and makes connections.
type Connector interface {
	IsConnected(peerID string) bool
	// Connect dials a peer, at the given addresses if there are any, and reports whether it is
	// connected then. A peer that cannot be reached is no error; a bad address is.
	Connect(ctx context.Context, peerID string, addresses []string) (bool, error)
	// Addresses of a peer in the connection pool; ok is false for other peers.
	Addresses(peerID string) (addresses []string, ok bool)
}

// A Neighbourhood is the local routing table.
type Neighbourhood interface {
	// Nearest lists at most count peer ids (0 <= count <= 1024), without the peer itself: those whose SHA-256 of
	// the peer id's bytes is closest, by XOR, to the SHA-256 of key, the closest first.
	Nearest(key []byte, count int) []string
}

// A Journal knows what happened to particles.
type Journal interface {
	// Entries are the latest n about a particle of an init peer, oldest first, each a JSON object.
	Entries(initPeerID, particleID string, n int) [][]byte
}

// Keys are the secret keys of the host and the workers on it.
type Keys interface {
	// Local tells whether a peer id is that of the host or of a local worker.
	Local(peerID string) bool
	// Sign signs for a local peer.
	Sign(peerID string, data []byte) ([]byte, error)
	// Token is the unguessable part of a particle's vault path; see particle.Token.
	Token(particleSignature []byte) string
}

// A Function is a row of the table.
type Function struct {
	Service string
	Name    string
	Args    string // "name: type, ..." in Aqua's types; "name: ...type" takes any number
	Exact   bool   // surplus arguments are an error
	Result  string
	Guarded bool     // needs [services.Registry.Guard]
	Blocks  bool     // may wait for a disk or the network: runs on a goroutine of its own
	Doc     string   // one sentence
	Errors  []string // texts, apart from those about missing and mistyped arguments

	params []param
	// allow stands in for the guard where somebody else may call the function.
	allow   func(*host, *services.Call) error
	lenient bool // runs also with bad arguments, which it reports by itself
	run     func(*host, context.Context, *call) (value.Value, error)
	// start stands in for run where the function waits for time.
	start func(h *host, ctx context.Context, c *call, done func(value.Value, error))
}

// unit is the result of functions without one.
var unit = value.EmptyString

// host runs the functions of one peer.
type host struct {
	Config
	registry *services.Registry
}

// A call is a call whose arguments were checked.
type call struct {
	*services.Call
	function *Function
	grown    int64      // memory that was asked for
	args     []argument // one for each parameter of the row
	invalid  error      // what is wrong with them, for rows that are lenient
}

// Table lists all functions, service by service in the order of the documentation.
func Table() []Function {
	all := slices.Concat(
		peerFunctions, kadFunctions, srvFunctions, distFunctions, opFunctions, debugFunctions, consoleFunctions,
		statFunctions, mathFunctions, cmpFunctions, arrayFunctions, jsonFunctions, sigFunctions, vaultFunctions,
	)
	for i := range all {
		all[i].params = parseParams(all[i].Args)
	}
	return all
}

// Signature is the row in one line: op.concat_strings(strings: ...string) -> string.
func (f *Function) Signature() string {
	s := fmt.Sprintf("%s.%s(%s)", f.Service, f.Name, f.Args)
	if f.Result != "" {
		s += " -> " + f.Result
	}
	return s
}

// Register adds the built-in functions to a registry, for every scope.
func Register(r *services.Registry, c Config) error {
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &host{Config: c, registry: r}
	byService := map[string]map[string]Function{}
	for _, f := range Table() {
		if byService[f.Service] == nil {
			byService[f.Service] = map[string]Function{}
		}
		byService[f.Service][f.Name] = f
	}
	for id, fns := range byService {
		err := r.Register(id, &service{h, fns}, services.Concurrent(), services.In(services.Everywhere))
		if err != nil {
			return err
		}
	}
	return nil
}

// A service is the functions of one service id by name. It is a [services.Starter]: but for
// those that block, functions are answered by the goroutine that starts the call.
type service struct {
	host      *host
	functions map[string]Function
}

// Functions are the names of the functions.
func (s *service) Functions() []string { return slices.Collect(maps.Keys(s.functions)) }

// Start answers calls that need no goroutine.
func (s *service) Start(ctx context.Context, c *services.Call, done func(value.Value, error)) bool {
	f := s.functions[c.Function]
	switch {
	case f.Blocks:
		return false
	case f.start == nil:
		done(s.Call(ctx, c))
		return true
	}
	checked, err := s.check(&f, c)
	if err != nil {
		done(value.Value{}, err)
	} else {
		f.start(s.host, ctx, checked, done)
	}
	return true
}

// Call answers a call.
func (s *service) Call(ctx context.Context, c *services.Call) (value.Value, error) {
	f := s.functions[c.Function]
	checked, err := s.check(&f, c)
	if err != nil {
		return value.Value{}, err
	}
	defer checked.release()
	return f.run(s.host, ctx, checked)
}

func (h *host) mayCall(f *Function, c *services.Call) error {
	switch {
	case f.allow != nil:
		return f.allow(h, c)
	case f.Guarded:
		return h.registry.Guard(c)
	}
	return nil
}

// check looks at the permission and the arguments.
func (s *service) check(f *Function, c *services.Call) (*call, error) {
	if err := s.host.mayCall(f, c); err != nil {
		return nil, err
	}
	if args := canonical(c.Args); len(args) > 0 && &args[0] != &c.Args[0] {
		read := *c
		read.Args = args
		c = &read
	}
	args, err := f.check(c.Args)
	if err != nil && !f.lenient {
		return nil, err
	}
	return &call{Call: c, function: f, args: args, invalid: err}, nil
}

// plain is an error with exactly this text.
func plain(format string, args ...any) error { return services.Errorf(format, args...) }

// typed is an error of the second form.
func typed(format string, args ...any) error { return services.Errorf("Error: "+format, args...) }

// disabled refuses a function whose capability this peer does not have.
func disabled(c *call, what string) error {
	return plain("%s.%s is disabled: this peer has no %s", c.Service, c.Function, what)
}

// strs makes an array of strings.
func strs(list []string) value.Value {
	vs := make([]value.Value, len(list))
	for i, s := range list {
		vs[i] = value.String(s)
	}
	return value.Array(vs)
}

// object makes an object of keys and values in turn.
func object(pairs ...any) value.Value {
	fields := make([]value.Field, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, value.Field{Key: pairs[i].(string), Value: pairs[i+1].(value.Value)})
	}
	return value.Object(fields)
}
