// Package client lets a Go program take part in a network as a client peer.
//
// A client listens nowhere. It connects to relays, starts particles, runs its own part of
// them with the same interpreter and services as any peer, and answers calls that come
// back to it through the relay:
//
//	c, err := client.Connect(ctx, client.Config{Relays: []string{addr}})
//	defer c.Close()
//	result, err := c.Run(ctx, client.Script{AIR: script, Data: map[string]value.Value{"n": value.Int(1)}})
//
// # What a script can ask of its initiator
//
//	getDataSrv "-relay-"          the relay's peer id
//	getDataSrv NAME               Script.Data[NAME]
//	callbackSrv NAME              Script.Callbacks[NAME]
//	callbackSrv "response"        ends Run with the arguments as result
//	errorHandlingSrv "error"      ends Run with an [*Error]
//
// These names belong to one particle: another one cannot reach them. Services that all
// particles may call are registered with [Client.Services]; the built-in functions of
// peers are there already.
//
// # Endings
//
// Run returns at the first response or error, when the interpreter refuses the script, when
// the relay cannot be reached, or at the particle's deadline with a [*TimeoutError] that
// says what was waited for. Other branches of the script may go on until the client is
// closed.
package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/builtin"
)

// DefaultTTL is how long scripts may take when nothing is said.
const DefaultTTL = 10 * time.Second

// Config configures a Client.
type Config struct {
	// Key is the client's identity; a fresh one is made when it is nil.
	Key ed25519.PrivateKey
	// Relays are full multiaddrs of peers. The client stays connected to all of them; the
	// first is the one that scripts know as the relay.
	Relays []string
	// TTL is how long scripts may take that do not say it themselves; DefaultTTL when 0.
	TTL time.Duration
	// Agent is told to peers by identify.
	Agent string
}

// Client is a client peer. It is safe for concurrent use.
type Client struct {
	cfg      Config
	id       string
	relay    string
	journal  *journal.Journal
	services *services.Registry
	dispatch *dispatch.Dispatcher
	host     *p2p.Host

	mu   sync.Mutex
	runs map[string]*run // by signature
}

// Connect makes a client and waits for the connection to its relays.
func Connect(ctx context.Context, cfg Config) (*Client, error) {
	if len(cfg.Relays) == 0 {
		return nil, errors.New("client: no relay given")
	}
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.Key == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		cfg.Key = key
	}
	c := &Client{cfg: cfg, id: particle.PeerID(cfg.Key.Public().(ed25519.PublicKey)), runs: make(map[string]*run)}
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("client: %w", err)
	}
	return c, nil
}

func (c *Client) open(ctx context.Context) (err error) {
	c.journal = journal.New(c.id, 0)
	c.services = services.New(services.Config{Host: c.id, Observe: c.observe})
	if err := builtin.Register(c.services, builtin.Config{Identity: c.identity}); err != nil {
		return err
	}
	c.dispatch = dispatch.New(dispatch.Config{
		Host:    dispatch.Scope{Peer: c.id, Key: c.cfg.Key},
		Journal: c.journal,
		Open:    dispatch.Interpret(interpreter.Limits{}),
		Call:    c.services.Start,
		Send:    c.send,
		Stepped: c.stepped,
		Ended:   c.ended,
		Limits:  dispatch.Limits{Memory: maxMemory},
	})
	c.host, err = p2p.New(p2p.Config{
		Key: c.cfg.Key, Client: true, AgentVersion: c.cfg.Agent, AllowLocal: true,
		Receive: c.receive, Refused: c.refused, Sent: c.sent, Held: c.held, Hold: relayPatience,
	})
	if err != nil {
		return err
	}
	if err := c.host.Start(); err != nil {
		return err
	}
	return c.connect(ctx)
}

func (c *Client) connect(ctx context.Context) error {
	for i, addr := range c.cfg.Relays {
		peer, err := c.host.Dial(ctx, addr)
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
		if i == 0 {
			c.relay = peer
		}
		if err := c.host.Keep(addr); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) identity() builtin.Identity {
	return builtin.Identity{NodeVersion: c.cfg.Agent, AirVersion: data.InterpreterVersion}
}

// maxMemory bounds what relays and other peers can make a client keep of particles. A quarter is
// for its own ones, a quarter for those of one other peer. Frames of one relay that are being
// read have 128 MiB besides.
const maxMemory = 512 << 20

// relayPatience is how long a script waits for a relay that is gone to come back.
const relayPatience = 3 * time.Second

// closeGrace is how long Close waits for branches that have something to do and for what
// is still to be sent.
const closeGrace = time.Second

// Close ends all scripts and connections. What was sent before is on its way.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	var err error
	if c.host != nil && c.dispatch != nil {
		c.dispatch.Drain(ctx)
		c.host.Flush(ctx)
		err = c.host.Close()
	}
	if c.dispatch != nil {
		c.dispatch.Close()
	}
	c.services.Close()
	return err
}

// ID is the client's peer id.
func (c *Client) ID() string { return c.id }

// Relay is the peer id of the first relay.
func (c *Client) Relay() string { return c.relay }

// Services are the services that other peers can call at the client.
func (c *Client) Services() *services.Registry { return c.services }

// Journal tells what happened to particles at the client.
func (c *Client) Journal() *journal.Journal { return c.journal }

// Script is AIR together with what it asks of its initiator.
type Script struct {
	AIR       string
	Data      map[string]value.Value
	Callbacks map[string]func(ctx context.Context, args []value.Value) (value.Value, error)
	TTL       time.Duration
	// NoResult says that the script gives no response: Run then returns when the client has
	// nothing more to do for it.
	NoResult bool
}

// Result is the end of a script that went well.
type Result struct {
	ParticleID string
	Values     []value.Value // arguments of the response
}

// JSON is the result as one value: null for none, the value itself for one, an array of more.
func (r *Result) JSON() value.Value {
	switch len(r.Values) {
	case 0:
		return value.Value{}
	case 1:
		return r.Values[0]
	}
	return value.Array(r.Values)
}

// Run starts a particle with the script and waits for its end.
func (c *Client) Run(ctx context.Context, s Script) (*Result, error) {
	p, r := c.prepare(s)
	defer c.forget(p)
	if err := c.dispatch.Start(p, r); err != nil {
		return nil, fmt.Errorf("particle %s: %w", p.ID, err)
	}
	late := time.NewTimer(r.ttl + lateGrace)
	defer late.Stop()
	select {
	case end := <-r.end:
		return end.result, end.err
	case <-late.C:
		return nil, r.timeout(nil)
	case <-ctx.Done():
		return nil, fmt.Errorf("particle %s: %w", p.ID, ctx.Err())
	}
}

// lateGrace is how long after the deadline Run ends by itself. The particle's end does it
// before, and knows what was waited for, unless a step or callback goes on.
const lateGrace = time.Second

func (c *Client) prepare(s Script) (*particle.Particle, *run) {
	ttl := s.TTL
	if ttl == 0 {
		ttl = c.cfg.TTL
	}
	p := particle.New(c.cfg.Key, s.AIR, ttl, time.Now())
	r := &run{client: c, id: p.ID, ttl: ttl, script: s, end: make(chan ending, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[string(p.Signature)] = r
	return p, r
}

func (c *Client) forget(p *particle.Particle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs, string(p.Signature))
}

func (c *Client) runOf(signature []byte) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[string(signature)]
}

// send passes a particle on: to peers the client is connected to, and through the relay
// to all others.
func (c *Client) send(p *particle.Particle, _ share.Owner, to []string, _ func(string)) {
	m := p2p.Outgoing{Particle: p.ID, Frame: wire.Frame(p), Deadline: time.Now().Add(p.Left(time.Now()))}
	relayed := false
	for _, peer := range to {
		if near, _ := c.host.IsConnected(peer); !near {
			peer = c.relay
		}
		if peer == c.relay {
			if relayed {
				continue
			}
			relayed = true
		}
		c.host.Send(peer, m)
	}
}

func (c *Client) sent(to string, m p2p.Outgoing, err error) {
	e := journal.Entry{At: time.Now(), Kind: journal.Sent, Particle: m.Particle, Peer: to}
	if err == nil {
		c.journal.Add(e)
		return
	}
	e.Kind = journal.Lost
	c.journal.AddError(e, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.runs {
		if r.id == m.Particle {
			r.finish(nil, fmt.Errorf("particle %s: cannot send to the relay %s: %w", r.id, to, err))
		}
	}
}

func (c *Client) held(to string, m p2p.Outgoing, err error) {
	c.journal.AddError(journal.Entry{Kind: journal.Held, Particle: m.Particle, Peer: to}, err)
}

func (c *Client) receive(from p2p.Remote, p *particle.Particle) {
	c.dispatch.Deliver(share.Owner{Range: from.Range, Remote: from.Peer}, p)
}

func (c *Client) refused(from string, err error) {
	c.journal.AddError(journal.Entry{Kind: journal.Refused, Peer: from}, err)
}

func (c *Client) observe(o services.Observation) { c.journal.Add(journal.CalledEntry(o)) }

// stepped ends runs whose script the interpreter does not take, and those that expect no
// response.
func (c *Client) stepped(p *particle.Particle, _ dispatch.Scope, out *interpreter.Outcome, _ time.Duration) {
	r := c.runOf(p.Signature)
	switch {
	case r == nil:
	case len(out.Refused) > 0:
		r.refused.Store(&out.Refused[0].Message)
	case out.RetCode != 0:
		r.finish(nil, &Error{ParticleID: p.ID, PeerID: c.id, Code: out.RetCode, Message: out.ErrorMessage})
	case r.script.NoResult && len(out.CallRequests) == 0:
		r.finish(&Result{ParticleID: p.ID}, nil)
	}
}

func (c *Client) ended(p *particle.Particle, _ dispatch.Scope, waiting []interpreter.Wait) {
	if r := c.runOf(p.Signature); r != nil {
		r.finish(nil, r.timeout(waiting))
	}
}
