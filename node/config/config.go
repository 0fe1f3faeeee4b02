// Package config says what can be set on a peer, and to what it is set when nothing is
// said.
package config

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/node/dispatch"
)

// DefaultListen is where a peer listens when nothing is said: the ports that documents and
// local networks of this protocol have always used, TCP and WebSocket.
var DefaultListen = []string{"/ip4/0.0.0.0/tcp/7777", "/ip4/0.0.0.0/tcp/9999/ws"}

// Config configures one peer. All but Key may be left out, and for node.New also Key.
type Config struct {
	// Key is the root key: the peer's identity, and what signs its part of particles.
	Key ed25519.PrivateKey

	// Listen are multiaddrs: /ip4/.../tcp/N, /tcp/N/ws or /udp/N/quic-v1. None: the peer
	// only dials.
	Listen []string
	// External are addresses to announce besides those listened on, for peers behind a
	// proxy or a port mapping.
	External []string
	// ExternalOnly keeps the addresses listened on to ourselves: all that is announced is
	// External.
	ExternalOnly bool
	// Over are full addresses of peers with Circuits over which this one is reached, for peers
	// that nobody can dial.
	Over []string
	// Circuits makes the peer carry connections for those that nobody can dial.
	Circuits bool
	// HolePunching tries to replace connections over other peers by direct ones.
	HolePunching bool
	// TLSCert and TLSKey are PEM files for /tls/ws addresses; they are read again when they
	// change.
	TLSCert, TLSKey string
	// Bootstrap are multiaddrs of peers to stay connected to. The peer's own is skipped, so
	// one list can serve all peers of a network. The id at the end may be left out: then the
	// first peer that answers there is trusted to be the right one.
	Bootstrap []string
	// Network is the name of the Kademlia network; "dar" when empty. "none" turns
	// discovery off.
	Network string
	// AllowLocal lets addresses of private networks and of loopback into the address
	// book. [Auto] allows them when the peer itself listens on no public address.
	AllowLocal Switch

	// DataDir is where the peer keeps what outlives it; nothing is kept when empty.
	DataDir string
	// Durable keeps particles that live when the peer ends, by a crash or not: its next
	// process goes on with them. It needs a DataDir. See [dispatch.Keeper] for what it means.
	Durable bool
	// MaxDurable bounds the bytes of kept particles on disk; 4 GiB when 0. Beyond it nothing is
	// taken from the network.
	MaxDurable int64
	// MaxVault bounds the bytes of all files of particles; 4 GiB when 0.
	MaxVault int64
	// ServicesDir is a directory of .js files to serve, NAME.js as service NAME. Empty:
	// none.
	ServicesDir string
	// SkipBrokenServices starts without the files of ServicesDir that are not services, and logs
	// an error that names them.
	SkipBrokenServices bool
	// Management are peers that may call the guarded functions besides the host.
	Management []string

	// Admin is the host:port of the HTTP endpoint at which the peer can be looked into;
	// none when empty.
	Admin string
	// AdminToken is what the private pages of the endpoint ask for. When it is empty, they are
	// there on loopback only and show no arguments of calls.
	AdminToken string
	// AdminHosts are names under which the endpoint is asked, besides localhost.
	AdminHosts []string
	// Profiling adds profiles of the process to the endpoint.
	Profiling bool

	// Described is the text of the admin endpoint's /config, TOML; there is none when empty.
	Described string

	// AgentVersion is told to other peers by identify and peer.identify; the version of
	// this program when empty.
	AgentVersion string

	// MaxFrame is the largest frame taken from the network, in bytes; 100 MiB when 0.
	MaxFrame int
	// MemoryLimit is what the process may take, in bytes. A half of it is Dispatch.Memory, unless that
	// is set. 0: not known.
	MemoryLimit int64
	// MaxSpill bounds the bytes of states that go to disk while memory is short; 1 GiB when 0.
	MaxSpill int64
	// JournalSize is how many entries the journal keeps; 8192 when 0.
	JournalSize int
	// Grace is how long Close lets running particles go on; 0 ends them at once.
	Grace time.Duration

	// Parallel is how many steps of the interpreter run at once; GOMAXPROCS when 0.
	Parallel    int
	Dispatch    dispatch.Limits
	Interpreter interpreter.Limits
}

// Switch is a setting that decides by itself unless told.
type Switch uint8

// The positions of a Switch.
const (
	Auto Switch = iota
	On
	Off
)

// Check tells what is wrong with the configuration and fills in what was left open.
func (c *Config) Check() error {
	if len(c.Key) != ed25519.PrivateKeySize {
		return errors.New("config: no key")
	}
	if c.Network == "" {
		c.Network = "dar"
	}
	if c.MaxSpill == 0 {
		c.MaxSpill = 1 << 30
	}
	if c.Dispatch.Memory == 0 {
		c.Dispatch.Memory = c.MemoryLimit / 2
	}
	if c.Durable && c.DataDir == "" {
		return errors.New("config: a durable peer needs a data directory")
	}
	for _, list := range []struct {
		name  string
		addrs []string
	}{{"listen", c.Listen}, {"external", c.External}, {"bootstrap", c.Bootstrap}, {"over", c.Over}} {
		for _, a := range list.addrs {
			if _, err := ma.NewMultiaddr(a); err != nil {
				return fmt.Errorf("config: %s address %q: %w (example: %s)", list.name, a, err, DefaultListen[0])
			}
		}
	}
	if c.AllowLocal == Auto {
		c.AllowLocal = Off
		if !c.public() {
			c.AllowLocal = On
		}
	}
	return nil
}

// public reports whether one of the peer's addresses can be reached from everywhere.
func (c *Config) public() bool {
	addrs := []ma.Multiaddr{}
	for _, a := range append(c.External, c.Listen...) {
		addrs = append(addrs, ma.StringCast(a)) // checked before
	}
	if resolved, err := manet.InterfaceMultiaddrs(); err == nil {
		for _, a := range addrs {
			if manet.IsIPUnspecified(a) {
				addrs = append(addrs, resolved...)
			}
		}
	}
	return len(ma.FilterAddrs(addrs, manet.IsPublicAddr)) > 0
}

// VaultDir is where files of particles are kept.
func (c *Config) VaultDir() string {
	if c.DataDir == "" {
		return ""
	}
	return filepath.Join(c.DataDir, "vault")
}
