// Package node is a peer of the network: it puts together what the packages below do.
//
//	p2p ──frames──> dispatch ──calls──> services
//	 ^                 │ steps
//	 └──next peers─────┴──> interpreter
//
// [New] checks the configuration and loads the services, [Node.Start] begins to listen and
// to keep contact with the bootstrap peers, [Node.Close] lets running particles go on for
// the grace time, then ends everything and waits for all goroutines. What happened to
// particles is in the [Node.Journal].
//
// # Goroutine ownership
//
//	p2p       a goroutine per inbound stream, per peer that is sent to, per bootstrap address
//	dispatch  a goroutine per particle with something to do, and per running call
//	store     one that writes, for a durable peer
//	node      one per bootstrap address without a peer id, until the id is known
//
// Close goes from the outside in: the network ends first, so that nothing new arrives, then
// the particles, then the services and files they used. In a durable peer the particles end
// before the network: their calls must not fail for the lack of it, since results are kept.
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

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node/admin"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/node/spill"
	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/vault"
)

var log = logging.Logger("node")

// Version of this program, as peers and users see it. A variable, so that release builds can stamp
// it: -ldflags "-X github.com/aquanode/aquanode/node.Version=1.2.3".
var Version = "0.1.0"

// Node is a peer. It is safe for concurrent use.
type Node struct {
	cfg      config.Config
	id       string
	journal  *journal.Journal
	services *services.Registry
	dispatch *dispatch.Dispatcher
	host     *p2p.Host
	vault    *vault.Store
	store    *store.Store // nil without a data directory
	logs     *store.Logs  // nil unless durable
	found    []store.Kept // particles of an earlier process, until Start
	spill    *spill.Store
	scratch  string // the vault's directory, when it does not outlive the node
	metrics  *metrics
	admin    *admin.Server // nil when there is none
	loaded   atomic.Bool   // aliases are back from the store
	draining atomic.Bool
	refusing atomic.Bool // what arrives is for the next process: it is not acknowledged
	stopping atomic.Bool // the network ends
	close    sync.Once

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	learned sync.Map // full addresses of bootstrap peers by those that lack the id
}

// New makes a peer that does not listen before Start. It has to be closed.
func New(cfg config.Config) (*Node, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	id := particle.PeerID(publicKey(cfg.Key))
	n := &Node{cfg: cfg, id: id, journal: journal.New(id, cfg.JournalSize)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.services = services.New(services.Config{Host: id, Management: cfg.Management, Observe: n.observe, Keep: n.keep})
	n.spill = spill.New(cfg.DataDir, cfg.MaxSpill)
	n.dispatch = dispatch.New(dispatch.Config{
		Host:    dispatch.Scope{Peer: id, Key: cfg.Key},
		Journal: n.journal,
		Open:    dispatch.Interpret(cfg.Interpreter),
		Call:    n.services.Start,
		Send:    n.send,
		Stepped: n.stepped,
		Ended:   n.ended,
		Keeper:  n.keeper(),
		Spill:   n.spill,
		Limits:  cfg.Dispatch,

		Parallel: cfg.Parallel,
	})
	n.metrics = newMetrics(n)
	err := n.open()
	if err != nil {
		err = errors.Join(err, n.Close())
	}
	return n, err
}

// open makes the parts that can fail. The store is first: with it the data directory belongs
// to this process.
func (n *Node) open() (err error) {
	if n.host, err = p2p.New(n.network()); err != nil {
		return err
	}
	if n.cfg.DataDir != "" {
		if n.store, err = store.Open(n.cfg.DataDir); err != nil {
			return err
		}
		if err = spill.Clean(n.cfg.DataDir); err != nil {
			return err
		}
	}
	if err := n.openLogs(); err != nil {
		return err
	}
	if err := n.openVault(); err != nil {
		return err
	}
	if err := n.loadServices(); err != nil {
		return err
	}
	return n.loadAliases()
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
		Key:          n.cfg.Key,
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
		Receive:      n.receive,
		Account:      n.account,
		Taken:        n.taken(),
		Refused:      n.refused,
		Sent:         n.sent,
		Held:         n.held,
		Resolved:     n.metrics.contact,
		Kept:         n.metrics.kept,
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
// anything expire, resume or arrive: all parts exist, and so do services that were added after New.
func (n *Node) Start() error {
	if err := n.restore(); err != nil {
		return err
	}
	if err := n.host.Start(); err != nil {
		return err
	}
	if err := n.keepContact(); err != nil {
		return err
	}
	n.dispatch.Resume()
	if n.cfg.Admin == "" {
		return nil
	}
	var err error
	n.admin, err = admin.Start(n.adminConfig())
	return err
}

// Close ends the peer. Particles with something to do get the grace time first, during
// which new ones are refused, or kept by a durable peer for its next life.
func (n *Node) Close() error {
	var err error
	n.close.Do(func() { err = n.shutdown() })
	return err
}

func (n *Node) shutdown() error {
	n.draining.Store(true)
	n.cancel()
	n.work.Wait()
	if n.cfg.Grace > 0 && n.host != nil {
		ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Grace)
		defer cancel()
		n.dispatch.Drain(ctx)
		n.syncLogs(ctx)
		n.host.Flush(ctx)
	}
	var errs []error
	if n.admin != nil {
		errs = append(errs, n.admin.Close())
	}
	if n.logs != nil { // particles that are kept must not see the network end
		n.refusing.Store(true)
		n.dispatch.Close()
	}
	n.stopping.Store(true)
	if n.host != nil {
		errs = append(errs, n.host.Close())
	}
	n.dispatch.Close()
	n.services.Close()
	errs = append(errs, n.spill.Close())
	if n.logs != nil {
		errs = append(errs, n.logs.Close())
	}
	if n.vault != nil {
		errs = append(errs, n.vault.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.scratch != "" {
		errs = append(errs, os.RemoveAll(n.scratch))
	}
	return errors.Join(errs...)
}

// ID is the peer id.
func (n *Node) ID() string { return n.id }

// Addrs are the full multiaddrs of the peer, once it is started.
func (n *Node) Addrs() []string { return n.host.Addrs() }

// Journal tells what happened to particles.
func (n *Node) Journal() *journal.Journal { return n.journal }

// Services are the services that the peer offers, to be looked at and added to.
func (n *Node) Services() *services.Registry { return n.services }

// Peers lists the connected peers.
func (n *Node) Peers() []p2p.PeerInfo { return n.host.Peers() }

// Live is the number of particles that live here.
func (n *Node) Live() int { return n.dispatch.Live() }

// Meet tells the peer where another one can be found.
func (n *Node) Meet(addrs []string) error { return n.host.Meet(addrs) }

func (n *Node) receive(from p2p.Remote, p *particle.Particle) {
	n.metrics.arrived(p, n.cfg.Dispatch.Skew)
	n.dispatch.Deliver(share.Owner{Range: from.Range, Remote: from.Peer}, p)
}

// account is where frames of a remote are booked while they are read.
func (n *Node) account(from p2p.Remote) p2p.Account {
	return share.Part{Ledger: n.dispatch.Ledger(), Owner: share.Owner{Range: from.Range, Remote: from.Peer}, Kind: share.FramesIn}
}

func (n *Node) stepped(_ *particle.Particle, _ dispatch.Scope, out *interpreter.Outcome, took time.Duration) {
	n.metrics.stepped(out.RetCode, took)
}

// send passes a particle on to other peers. It is encoded once.
func (n *Node) send(p *particle.Particle, of share.Owner, to []string, handed func(string)) {
	m := p2p.Outgoing{Particle: p.ID, Frame: wire.Frame(p), Deadline: n.deadline(p), Handed: handed}
	m.Account = share.Part{Ledger: n.dispatch.Ledger(), Owner: of, Kind: share.FramesOut}
	for _, peer := range to {
		n.host.Send(peer, m)
	}
}

// deadline is until when a particle is of use here: with clocks that lag, longer than it says.
func (n *Node) deadline(p *particle.Particle) time.Time {
	now := time.Now()
	return now.Add(p.Left(now.Add(-n.cfg.Dispatch.Skew)))
}

// sent notes what became of a frame.
func (n *Node) sent(to string, m p2p.Outgoing, err error) {
	if m.Handed != nil {
		if n.stopping.Load() && err != nil { // it is sent again by the next process
			n.journal.AddError(journal.Entry{Kind: journal.Kept, Particle: m.Particle, Peer: to}, err)
			return
		}
		m.Handed(to)
	}
	n.metrics.sent(m.Particle, err)
	e := journal.Entry{At: time.Now(), Kind: journal.Sent, Particle: m.Particle, Peer: to}
	if err != nil {
		e.Kind = journal.Lost
		n.journal.AddError(e, err)
		log.Debugw("particle not sent", "particle_id", m.Particle, "to", to, "error", err)
		return
	}
	n.journal.Add(e)
}

// held notes a frame that waits for its peer.
func (n *Node) held(to string, m p2p.Outgoing, err error) {
	n.journal.AddError(journal.Entry{Kind: journal.Held, Particle: m.Particle, Peer: to}, err)
}

// refused notes a frame or a connection that was not taken.
func (n *Node) refused(from string, err error) {
	n.journal.AddError(journal.Entry{Kind: journal.Refused, Peer: from}, err)
}

// observe notes a finished service call.
func (n *Node) observe(o services.Observation) {
	n.metrics.called(o)
	n.journal.Add(journal.CalledEntry(o))
}

// ended cleans up after a particle. The name of its vault costs a signature, which is
// spared as long as nobody has put anything into one.
func (n *Node) ended(p *particle.Particle, scope dispatch.Scope, _ []interpreter.Wait) {
	if vaults, _ := n.vault.Usage(); vaults == 0 {
		return
	}
	if err := n.vault.Remove(n.vaultOf(p, scope)); err != nil {
		log.Warnw("vault not removed", "particle_id", p.ID, "error", err)
	}
}

// versions are what /versions tells, in the order that clients of the endpoint know.
type versions struct {
	Node string `json:"node"`
	AVM  string `json:"avm"`
	Data string `json:"data"`
}

func (n *Node) adminConfig() admin.Config {
	return admin.Config{
		Addr:      n.cfg.Admin,
		PeerID:    n.id,
		Versions:  versions{Version, data.InterpreterVersion, data.Version},
		Journal:   n.journal,
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

// health checks what a peer needs to be of use.
func (n *Node) health() []admin.Check {
	checks := []admin.Check{{Name: "accepting"}, {Name: "bootstrap_nodes"}}
	if n.logs != nil {
		checks = append(checks, admin.Check{Name: "durable", Err: n.logs.Err()})
	}
	checks = append(checks, admin.Check{Name: "processors", Err: n.busy()}, admin.Check{Name: "services", Err: n.stuck()})
	if n.draining.Load() {
		checks[0].Err = errors.New("shutting down")
	}
	if addrs, ok := n.host.Conflict(); ok {
		checks = append(checks, admin.Check{Name: "key", Err: fmt.Errorf("two processes run with the key of this peer: this one at %s, another one at %s", addrs[0], addrs[1])})
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
	if waited := n.dispatch.Waited(); waited > mostWait {
		return fmt.Errorf("a particle has waited for its turn for %s", waited.Round(time.Second))
	}
	return nil
}

// stuck names calls that did not end with their particle.
func (n *Node) stuck() error {
	var all []error
	for _, c := range n.services.Stuck() {
		if len(all) == mostNamed {
			break
		}
		all = append(all, fmt.Errorf("service %s, function %s: a call runs since %s and did not end with its particle %s",
			c.Service, c.Function, c.Since.Format(time.RFC3339), c.ParticleID))
	}
	return errors.Join(all...)
}

// mostNamed bounds how many things of a kind a health check names.
const mostNamed = 5
