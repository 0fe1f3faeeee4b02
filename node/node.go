// Package node is a peer of the network.
//
//	p2p ──frames──> dispatch ──calls──> services
//	 ^                 │ steps
//	 └──next peers─────┴──> interpreter
//
// [New] checks the configuration and loads the services, [Node.Start] begins to listen and
// connects to the bootstrap peers, [Node.Run] runs a script of the peer itself. [Node.Close] lets
// running particles end within the grace time, then ends everything and waits for all goroutines. What
// happened to particles is in the [Node.Journal].
//
// A second Start returns [ErrStarted], a second Close the error of the first one. Run before Start
// returns [ErrNotStarted]; Start, Run and Meet after Close return [ErrClosed], and so does a Run
// that Close ends. Services may be registered from New on.
//
// Package engine owns what a node shares with a client, and the order in which it starts and
// ends. The node adds what only it has: durable particles, vault, capabilities of the built-in
// functions, bootstrap peers, metrics and the admin endpoint.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/internal/engine"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node/admin"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/spill"
	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/runs"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/vault"
)

var log = logging.Logger("node")

// Version of this program, as peers and users see it. A variable, so that release builds can stamp
// it: -ldflags "-X github.com/aquanode/aquanode/node.Version=1.2.3".
var Version = "0.1.0"

// What a peer is configured with, runs and returns.
type (
	Config       = config.Config
	Script       = runs.Script
	Result       = runs.Result
	Error        = runs.Error
	TimeoutError = runs.TimeoutError
	Callback     = runs.Callback
)

// What is wrong with a call at the wrong time of a peer's life.
var (
	ErrNotStarted = engine.ErrNotStarted
	ErrStarted    = engine.ErrStarted
	ErrClosed     = engine.ErrClosed
)

// Node is a peer. It is safe for concurrent use.
type Node struct {
	cfg      Config
	engine   *engine.Engine
	vault    *vault.Store
	store    *store.Store // nil without a data directory
	logs     *store.Logs  // nil unless durable
	found    []store.Kept // particles of an earlier process, until Start
	spill    *spill.Store
	scratch  string // the vault's directory, when it does not outlive the node
	metrics  *metrics
	admin    *admin.Server // nil when there is none
	loaded   atomic.Bool   // aliases are back from the store
	starting sync.Mutex    // held by Start
	close    func() error

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	learned sync.Map // full addresses of bootstrap peers by those that lack the id
}

// New makes a peer that does not listen before Start. It has to be closed. Without a key the peer
// gets a new one; one with a data directory needs a key that lasts as long.
func New(cfg Config) (*Node, error) {
	if cfg.Key == nil && cfg.DataDir == "" {
		cfg.Key = identity.Generate()
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, spill: spill.New(cfg.DataDir, cfg.MaxSpill)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.close = sync.OnceValue(n.shutdown)
	n.metrics = newMetrics(&n.cfg)
	var err error
	n.engine, err = engine.New(engine.Config{
		Key:         cfg.Key,
		JournalSize: cfg.JournalSize,
		Services:    services.Config{Management: cfg.Management, Keep: n.keep},
		Network:     n.network(),
		Interpreter: cfg.Interpreter,
		Limits:      cfg.Dispatch,
		Parallel:    cfg.Parallel,
		Spill:       n.spill,
		Keeper:      n.keeper(),
		Observer:    observer{n.metrics, n},
		TTL:         runs.DefaultTTL,
		Grace:       cfg.Grace,
	})
	if err != nil {
		n.cancel()
		return nil, err
	}
	n.metrics.watch(n)
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open makes the parts that only a node has. The store is first: with it the data directory
// belongs to this process.
func (n *Node) open() (err error) {
	if n.cfg.DataDir != "" {
		if n.store, err = store.Open(n.cfg.DataDir); err != nil {
			return err
		}
		if err = spill.Clean(n.cfg.DataDir); err != nil {
			return err
		}
	}
	for _, open := range []func() error{n.openLogs, n.openVault, n.loadServices, n.loadAliases} {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) network() p2p.Config {
	agent := n.cfg.AgentVersion
	if agent == "" {
		agent = Version
	}
	network := n.cfg.Network
	if network == "none" {
		network = ""
	}
	return p2p.Config{
		Listen:       n.cfg.Listen,
		External:     n.cfg.External,
		ExternalOnly: n.cfg.ExternalOnly,
		Over:         n.cfg.Over,
		Circuits:     n.cfg.Circuits,
		HolePunching: n.cfg.HolePunching,
		TLSCert:      n.cfg.TLSCert,
		TLSKey:       n.cfg.TLSKey,
		AgentVersion: agent,
		Network:      network,
		AllowLocal:   n.cfg.AllowLocal == config.On,
		MaxMessage:   n.cfg.MaxFrame,
		Observer:     n.metrics,
	}
}

func (n *Node) openVault() (err error) {
	dir := n.cfg.VaultDir()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "aquanode-vault-"); err != nil {
			return fmt.Errorf("vault: %w", err)
		}
		n.scratch = dir
	}
	limits := vault.Limits{TotalBytes: n.cfg.MaxVault}
	if n.cfg.Durable {
		n.vault, err = vault.OpenDurable(dir, limits, n.liveVaults)
	} else {
		n.vault, err = vault.Open(dir, limits)
	}
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// Start brings the particles of an earlier process to life and begins to listen. Only here does
// anything expire, go on or arrive: all parts exist, and so do services that were registered after
// New. After an error the node has to be closed.
func (n *Node) Start() error {
	n.starting.Lock()
	defer n.starting.Unlock()
	if err := n.engine.Start(n.restore, n.keepContact); err != nil {
		return err
	}
	if n.cfg.Admin == "" {
		return nil
	}
	var err error
	n.admin, err = admin.Start(n.adminConfig())
	return err
}

// Run starts a particle of this peer with the script and waits for its end. Package runs has the
// rules.
func (n *Node) Run(ctx context.Context, s Script) (*Result, error) { return n.engine.Run(ctx, s) }

// Close ends the peer. Particles with something to do get the grace time first, during which new
// ones are refused, or kept by a durable peer for its next process. A second Close waits for the
// first one and returns its error.
func (n *Node) Close() error { return n.close() }

// shutdown ends the network, then the particles, then what they used.
func (n *Node) shutdown() error {
	n.cancel()
	n.work.Wait()
	n.engine.Drain()
	n.starting.Lock() // a Start that runs comes to its end first
	defer n.starting.Unlock()
	var errs []error
	closeAll := func(parts ...func() error) {
		for _, close := range parts {
			errs = append(errs, close())
		}
	}
	if n.admin != nil {
		closeAll(n.admin.Close)
	}
	closeAll(n.engine.Close, n.spill.Close)
	if n.logs != nil {
		closeAll(n.logs.Close)
	}
	if n.vault != nil {
		closeAll(n.vault.Close)
	}
	if n.store != nil {
		closeAll(n.store.Close)
	}
	if n.scratch != "" {
		errs = append(errs, os.RemoveAll(n.scratch))
	}
	return errors.Join(errs...)
}

// ID is the peer id.
func (n *Node) ID() string { return n.engine.ID }

// Addrs are the full multiaddrs of the peer, once it is started.
func (n *Node) Addrs() []string { return n.engine.Host.Addrs() }

// Journal records what happened to particles.
func (n *Node) Journal() *journal.Journal { return n.engine.Journal }

// Services are the services that the peer offers.
func (n *Node) Services() *services.Registry { return n.engine.Services }

// Peers lists the connected peers.
func (n *Node) Peers() []p2p.PeerInfo { return n.engine.Host.Peers() }

// Live is the number of particles that live here.
func (n *Node) Live() int { return n.engine.Dispatcher.Live() }

// Meet adds full multiaddrs of other peers to the address book.
func (n *Node) Meet(addrs []string) error {
	if n.engine.Closed() {
		return ErrClosed
	}
	return n.engine.Host.Meet(addrs)
}

// observer counts what happens, and cleans up behind particles.
type observer struct {
	*metrics
	node *Node
}

// Ended removes the vault of a particle. Its name costs a signature, which is spared as long as
// there are no vaults.
func (o observer) Ended(p *particle.Particle, scope dispatch.Scope) {
	n := o.node
	if vaults, _ := n.vault.Usage(); vaults == 0 {
		return
	}
	if err := n.vault.Remove(n.vaultOf(p, scope)); err != nil {
		log.Warnw("vault not removed", "particle_id", p.ID, "error", err)
	}
}

// versions is the answer of /versions, in the order that clients of the endpoint know.
type versions struct {
	Node string `json:"node"`
	AVM  string `json:"avm"`
	Data string `json:"data"`
}

func (n *Node) adminConfig() admin.Config {
	return admin.Config{
		Addr:      n.cfg.Admin,
		PeerID:    n.ID(),
		Versions:  versions{Version, data.InterpreterVersion, data.Version},
		Journal:   n.engine.Journal,
		Metrics:   n.metrics.registry,
		Described: n.cfg.Described,
		Token:     n.cfg.AdminToken,
		Hosts:     n.cfg.AdminHosts,
		Profiling: n.cfg.Profiling,
		Health:    n.health,
		Peers:     func() any { return append([]p2p.PeerInfo{}, n.Peers()...) },
	}
}

// AdminAddr is the host:port of the admin endpoint, empty when there is none.
func (n *Node) AdminAddr() string {
	if n.admin == nil {
		return ""
	}
	return n.admin.Addr()
}

// health checks whether a peer can serve.
func (n *Node) health() []admin.Check {
	checks := []admin.Check{{Name: "accepting"}, {Name: "bootstrap_nodes"}}
	if n.logs != nil {
		checks = append(checks, admin.Check{Name: "durable", Err: n.logs.Err()})
	}
	checks = append(checks, admin.Check{Name: "processors", Err: n.busy()},
		admin.Check{Name: "services", Err: n.stuck()})
	if n.engine.Closed() {
		checks[0].Err = errors.New("shutting down")
	}
	if addrs, ok := n.engine.Host.Conflict(); ok {
		const text = "two processes run with the key of this peer: this one at %s, another one at %s"
		checks = append(checks, admin.Check{Name: "key", Err: fmt.Errorf(text, addrs[0], addrs[1])})
	}
	for _, addr := range n.cfg.Bootstrap {
		if ok, err := n.reached(addr); !ok && checks[1].Err == nil {
			checks[1].Err = errors.Join(fmt.Errorf("not connected to %s", addr), err)
		}
	}
	return checks
}

// mostWait is how long a step may wait for a slot before the peer counts as overloaded. Slots change
// hands every 2 ms, and turns go to those who have used least: only very many owners at once make
// anybody wait for this long.
const mostWait = 5 * time.Second

// busy reports that particles wait too long for their turn.
func (n *Node) busy() error {
	if waited := n.engine.Dispatcher.Waited(); waited > mostWait {
		return fmt.Errorf("a particle has waited for its turn for %s", waited.Round(time.Second))
	}
	return nil
}

// stuck names calls that did not end with their particle.
func (n *Node) stuck() error {
	var all []error
	for _, c := range n.engine.Services.Stuck() {
		if len(all) == mostNamed {
			break
		}
		const text = "service %s, function %s: a call runs since %s and did not end with its particle %s"
		all = append(all, fmt.Errorf(text, c.Service, c.Function, c.Since.Format(time.RFC3339), c.ParticleID))
	}
	return errors.Join(all...)
}

// mostNamed bounds how many things of a kind a health check names.
const mostNamed = 5
