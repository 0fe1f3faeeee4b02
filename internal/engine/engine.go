// Package engine puts the parts of a peer together: journal, service registry, dispatcher and
// network host. A node and a client are each an engine with something around it.
//
//	Host ──particles──> Dispatcher ──calls──> Services
//	  ^                     │ steps
//	  └──────next peers─────┴──> interpreter
//
// # Life
//
//	New     makes the parts; nothing runs, nothing listens
//	Start   restores kept particles, listens, connects, resumes the kept particles
//	Run     runs a script of this peer itself
//	Drain   refuses new work, and waits for particles with something to do, for the grace time
//	Close   drains, then ends everything and waits for all goroutines
//
// The network ends before the particles, so that nothing arrives meanwhile. With a [Keeper] the
// particles end first: their calls must not fail for want of the network, since results are kept.
package engine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// What is wrong with a call at the wrong time of life.
var (
	ErrNotStarted = errors.New("the peer is not started")
	ErrStarted    = errors.New("the peer was started before")
	ErrClosed     = errors.New("the peer is closed")
)

// Config configures an Engine. Only Key is required.
type Config struct {
	Key         ed25519.PrivateKey
	JournalSize int
	Services    services.Config // Host and Observe are set by the engine
	Network     p2p.Config      // Key, Receiver and Sender are set by the engine

	Interpreter interpreter.Limits
	Limits      dispatch.Limits
	Parallel    int
	Spill       dispatch.Spill
	Keeper      Keeper   // may be nil
	Observer    Observer // may be nil

	// FramesApart bounds frames by p2p.Config.MaxHeld, and not together with the memory of
	// particles: a client takes frames that are larger than its share of that.
	FramesApart bool
	// TTL is the time of scripts that do not set theirs.
	TTL time.Duration
	// Grace is how long Drain waits for particles that have something to do.
	Grace time.Duration
}

// A Keeper keeps particles on disk.
type Keeper interface {
	dispatch.Keeper
	// Sync waits until all that was taken is on disk.
	Sync(ctx context.Context) error
}

// An Observer counts events. It is called from many goroutines and must not
// wait.
type Observer interface {
	Arrived(p *particle.Particle)
	Stepped(code int64, took time.Duration)
	Called(o services.Observation)
	Sent(particleID string, err error)
	// Ended is called when a particle is gone for good.
	Ended(p *particle.Particle, scope dispatch.Scope)
}

// Engine is safe for concurrent use.
type Engine struct {
	ID         string
	Journal    *journal.Journal
	Services   *services.Registry
	Dispatcher *dispatch.Dispatcher
	Host       *p2p.Host

	cfg   Config
	relay atomic.Pointer[string]

	mu      sync.Mutex // held by Start
	started bool
	running atomic.Bool // Start has succeeded
	closed  atomic.Bool // Drain or Close was called

	refusing atomic.Bool // what arrives is for the next process: it is not acknowledged
	stopping atomic.Bool // the network ends
	drain    func()
	close    func() error
}

// New makes an engine. It has to be closed.
func New(cfg Config) (*Engine, error) {
	id := particle.PeerID(cfg.Key.Public().(ed25519.PublicKey))
	e := &Engine{ID: id, cfg: cfg, Journal: journal.New(id, cfg.JournalSize)}
	e.drain, e.close = sync.OnceFunc(e.waitForParticles), sync.OnceValue(e.shutdown)
	w := wiring{e}
	cfg.Services.Host, cfg.Services.Observe = id, w.called
	e.Services = services.New(cfg.Services)
	particles := dispatch.Config{
		Host:        dispatch.Scope{Peer: id, Key: cfg.Key},
		Journal:     e.Journal,
		Interpreter: dispatch.Interpret(cfg.Interpreter),
		Services:    e.Services,
		Network:     w,
		Spill:       cfg.Spill,
		Parallel:    cfg.Parallel,
		Limits:      cfg.Limits,
	}
	if cfg.Keeper != nil {
		particles.Keeper = cfg.Keeper
	}
	if cfg.Observer != nil {
		particles.Observer = w
	}
	e.Dispatcher = dispatch.New(particles)
	cfg.Network.Key, cfg.Network.Receiver, cfg.Network.Sender = cfg.Key, w, w
	var err error
	if e.Host, err = p2p.New(cfg.Network); err != nil {
		e.Dispatcher.Close()
		e.Services.Close()
		return nil, err
	}
	return e, nil
}

// Start begins to listen, between two steps of its owner: restore restores particles of an earlier
// process, and connect makes the first connections. Nothing expires, arrives or resumes before, so
// all parts have to exist by now. After an error the engine has to be closed.
func (e *Engine) Start(restore, connect func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed.Load():
		return ErrClosed
	case e.started:
		return ErrStarted
	}
	e.started = true
	for _, step := range []func() error{restore, e.Host.Start, connect} {
		if err := step(); err != nil {
			return err
		}
	}
	e.Dispatcher.Resume()
	e.running.Store(true)
	if e.closed.Load() { // meanwhile
		return ErrClosed
	}
	return nil
}

// Ready is nil between Start and Drain or Close.
func (e *Engine) Ready() error {
	switch {
	case e.closed.Load():
		return ErrClosed
	case !e.running.Load():
		return ErrNotStarted
	}
	return nil
}

// Closed reports whether Drain or Close was called.
func (e *Engine) Closed() bool { return e.closed.Load() }

// Relay sends to peers without a connection through a peer, which scripts know as the relay.
func (e *Engine) Relay(peer string) { e.relay.Store(&peer) }

// RelayID is the peer that scripts know as the relay: this one, unless Relay was called.
func (e *Engine) RelayID() string {
	if relay := e.relay.Load(); relay != nil {
		return *relay
	}
	return e.ID
}

// Drain refuses new particles, or with a Keeper keeps them for the next process, and waits for those
// with something to do, for the grace time. It is done once.
func (e *Engine) Drain() {
	e.closed.Store(true)
	e.drain()
}

func (e *Engine) waitForParticles() {
	if e.cfg.Grace <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.Grace)
	defer cancel()
	e.Dispatcher.Drain(ctx)
	if e.cfg.Keeper != nil {
		_ = e.cfg.Keeper.Sync(ctx) // the keeper's owner reports its errors
	}
	e.Host.Flush(ctx)
}

// Close drains and ends everything. A second call waits for the first one and returns its error.
func (e *Engine) Close() error {
	e.Drain()
	return e.close()
}

func (e *Engine) shutdown() error {
	e.mu.Lock() // a Start that runs comes to its end first
	defer e.mu.Unlock()
	if e.cfg.Keeper != nil {
		e.refusing.Store(true)
		e.Dispatcher.Close()
	}
	e.stopping.Store(true)
	err := e.Host.Close()
	e.Dispatcher.Close()
	e.Services.Close()
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}
