// Package client lets a Go program take part in a network as a client peer.
//
// A client does not listen. It connects to relays, starts particles, runs its own part of them
// with the same engine as any peer, and answers calls that come to it through the relay:
//
//	c, err := client.Connect(ctx, client.Config{Relays: []string{addr}})
//	defer c.Close()
//	result, err := c.Run(ctx, client.Script{Aqua: `peer.identify()`})
//
// Package runs describes scripts, results and errors. Services that all particles may call are
// registered with [Client.Services]; the built-in functions of peers are there already.
//
// # Life
//
// Connect starts a client, Close ends it. A second Close returns the error of the first one. Run
// after Close returns [ErrClosed], and so does a Run that Close ends.
package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aquanode/aquanode/internal/engine"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/runs"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/builtin"
)

// What a client runs and returns.
type (
	Script       = runs.Script
	Result       = runs.Result
	Error        = runs.Error
	TimeoutError = runs.TimeoutError
	Callback     = runs.Callback
)

// DefaultTTL is how long scripts may take unless configured.
const DefaultTTL = runs.DefaultTTL

// ErrClosed is the error of a client that is closed.
var ErrClosed = engine.ErrClosed

// Config configures a Client.
type Config struct {
	// Key is the client's identity; a new one is made when it is nil.
	Key ed25519.PrivateKey
	// Relays are full multiaddrs of peers. The client stays connected to all of them; the first is
	// the one that scripts know as the relay.
	Relays []string
	// TTL is how long scripts may take that do not set theirs; DefaultTTL when 0.
	TTL time.Duration
	// Agent is the agent version that identify sends to peers.
	Agent string
}

// Client is a client peer. It is safe for concurrent use.
type Client struct {
	cfg    Config
	engine *engine.Engine
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
	e, err := engine.New(engine.Config{
		Key:         cfg.Key,
		Network:     p2p.Config{Client: true, AgentVersion: cfg.Agent, AllowLocal: true, Hold: relayPatience},
		Limits:      dispatch.Limits{Memory: maxMemory},
		FramesApart: true,
		TTL:         cfg.TTL,
		Grace:       closeGrace,
	})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c := &Client{cfg: cfg, engine: e}
	if err := c.start(ctx); err != nil {
		return nil, fmt.Errorf("client: %w", errors.Join(err, c.Close()))
	}
	return c, nil
}

func (c *Client) start(ctx context.Context) error {
	err := builtin.Register(c.engine.Services, builtin.Config{Identity: c.identity})
	if err != nil {
		return err
	}
	restoreNothing := func() error { return nil }
	return c.engine.Start(restoreNothing, func() error { return c.connect(ctx) })
}

func (c *Client) connect(ctx context.Context) error {
	for i, addr := range c.cfg.Relays {
		peer, err := c.engine.Host.Dial(ctx, addr)
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
		if i == 0 {
			c.engine.Relay(peer)
		}
		if err := c.engine.Host.Keep(addr); err != nil {
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

// closeGrace is how long Close waits for branches that have something to do and for frames that
// are still to be sent.
const closeGrace = time.Second

// Close ends all scripts and connections. Data that was sent before is on its way. A second Close
// returns the error of the first one.
func (c *Client) Close() error { return c.engine.Close() }

// ID is the client's peer id.
func (c *Client) ID() string { return c.engine.ID }

// Relay is the peer id of the first relay.
func (c *Client) Relay() string { return c.engine.RelayID() }

// Services are the services that other peers can call at the client.
func (c *Client) Services() *services.Registry { return c.engine.Services }

// Journal records what happened to particles at the client.
func (c *Client) Journal() *journal.Journal { return c.engine.Journal }

// Run starts a particle with the script and waits for its end. Package runs has the rules.
func (c *Client) Run(ctx context.Context, s Script) (*Result, error) { return c.engine.Run(ctx, s) }
