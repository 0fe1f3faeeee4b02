package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/particle"
)

// Kind is the type of a setting's value.
type Kind uint8

// The kinds of values, and how they are written in files, in the environment and as flags.
const (
	Text     Kind = iota // "text"
	List                 // ["a", "b"]; in the environment a,b; flags are repeated
	Bool                 // true or false
	Number               // 200000
	Duration             // "1m 30s", and all that Go reads
	Size                 // bytes: 1048576 or "1 MiB", "4.0 MB"
)

// A Setting is something that can be set on a peer. Its name is its key in files; the flag is
// the same with dashes, the environment variable the same in capitals after AQUANODE_.
type Setting struct {
	Name  string
	Kind  Kind
	Usage string
	Short string // flag of one letter
	// Default is the value when nothing is said: "", nil, false, 0 or one of the kind.
	Default any
	// Also are the keys that other peers of the network have for it; their environment
	// variables begin with FLUENCE_, with __ for dots.
	Also []string
	// FileOnly settings have no flag.
	FileOnly bool
	// Secret values are not shown.
	Secret bool
	// derived settings are shown by what they make of others.
	derived bool

	check func(v any) error // besides the kind
	apply func(c *Config, v any)
}

// Flag is the name of the setting's flag, without dashes.
func (s *Setting) Flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

// Env is the name of the setting's environment variable.
func (s *Setting) Env() string { return "AQUANODE_" + envName(s.Name) }

func envName(key string) string { return strings.ToUpper(strings.ReplaceAll(key, ".", "__")) }

// Table lists all settings.
var Table = []*Setting{
	{
		Name: "listen", Kind: List, Short: "l", Default: DefaultListen, check: each(multiaddr),
		Usage: "`ADDR` to listen on, repeatable: /ip4/0.0.0.0/tcp/7777, .../tcp/9999/ws, .../udp/7777/quic-v1",
		apply: func(c *Config, v any) { c.Listen = v.([]string) },
	},
	{
		Name: "bootstrap", Kind: List, Short: "b", Also: []string{"bootstrap_nodes"}, check: each(multiaddr),
		Usage: "`ADDR` of a peer to join the network through, repeatable; with /p2p/PEERID at the end its id is verified",
		apply: func(c *Config, v any) { c.Bootstrap = v.([]string) },
	},
	{
		Name: "external", Kind: List, Short: "x", Also: []string{"external_multiaddresses"}, check: each(multiaddr),
		Usage: "`ADDR` to announce in addition to the listen addresses, repeatable",
		apply: func(c *Config, v any) { c.External = v.([]string) },
	},
	{
		Name: "external_only", Kind: Bool, Usage: "announce external addresses only, for peers behind a proxy",
		apply: func(c *Config, v any) { c.ExternalOnly = v.(bool) },
	},
	{
		Name: "over", Kind: List, check: each(fullAddr),
		Usage: "full `ADDR` of a relay (circuit relay v2) through which this peer is reached, repeatable; for peers that cannot be dialled",
		apply: func(c *Config, v any) { c.Over = v.([]string) },
	},
	{
		Name: "circuits", Kind: Bool, Usage: "be a relay (circuit relay v2) for peers that cannot be dialled: 64 MiB and an hour for each connection",
		apply: func(c *Config, v any) { c.Circuits = v.(bool) },
	},
	{
		Name: "hole_punching", Kind: Bool, Usage: "try to replace relayed connections by direct ones",
		apply: func(c *Config, v any) { c.HolePunching = v.(bool) },
	},
	{
		Name: "tls_cert", Usage: "certificate `FILE` (PEM) for addresses that end in /tls/ws, reloaded when it changes",
		apply: func(c *Config, v any) { c.TLSCert = v.(string) },
	},
	{
		Name: "tls_key", Usage: "key `FILE` (PEM) of the certificate",
		apply: func(c *Config, v any) { c.TLSKey = v.(string) },
	},
	{
		Name: "key", Short: "k", Also: []string{"root_key_pair.path"},
		Usage: "key `FILE`, created if absent (default: peer.key in the data directory)",
	},
	{
		Name: "key_value", Also: []string{"root_key_pair.value", "root_key_pair.secret_key"}, FileOnly: true, Secret: true,
		Usage: "the key itself, as in a key file",
	},
	{
		Name: "key_format", Default: "ed25519", Also: []string{"root_key_pair.format"}, FileOnly: true, check: oneOf("ed25519"),
		Usage: "kind of the key",
	},
	{
		Name: "key_create", Kind: Bool, Default: true, Also: []string{"root_key_pair.generate_on_absence"}, FileOnly: true,
		Usage: "create the key file if it does not exist",
	},
	{
		Name: "data_dir", Default: ".aquanode", Also: []string{"base_dir"}, Usage: "`DIR` for the key, aliases and durable particles",
		apply: func(c *Config, v any) { c.DataDir = v.(string) },
	},
	{
		Name: "durable", Kind: Bool, Usage: "keep running particles over a restart, in the data directory; a call that was running is repeated",
		apply: func(c *Config, v any) { c.Durable = v.(bool) },
	},
	{
		Name: "services", Usage: "`DIR` with services to offer: NAME.js is service NAME",
		apply: func(c *Config, v any) { c.ServicesDir = v.(string) },
	},
	{
		Name: "skip_broken_services", Kind: Bool, Usage: "start without the files in services that are not services, and log their names",
		apply: func(c *Config, v any) { c.SkipBrokenServices = v.(bool) },
	},
	{
		Name: "management", Kind: List, Short: "m", Also: []string{"management_peer_id"}, check: each(peerID),
		Usage: "`PEERID` that may manage this peer, repeatable",
		apply: func(c *Config, v any) { c.Management = v.([]string) },
	},
	{
		Name: "network", Default: "dar", Also: []string{"network.custom"}, Usage: "`NAME` of the Kademlia network, none for no discovery",
		apply: func(c *Config, v any) { c.Network = v.(string) },
	},
	{
		Name: "allow_private_ips", Kind: Bool, Short: "a", Also: []string{"allow_local_addresses"},
		Usage: "accept private addresses from other peers (default: if this peer has no public address)",
		apply: func(c *Config, v any) {
			if v.(bool) {
				c.AllowLocal = On
			}
		},
	},
	{
		Name: "admin", check: hostPort,
		Usage: "`HOST:PORT` of the endpoint for /health, /metrics, /particles and /peers (default: none)",
		apply: func(c *Config, v any) { c.Admin = v.(string) },
	},
	{
		Name: "admin_token", Usage: "`FILE` with the token for /particles, /peers, /config and profiles; without one they are served on loopback only",
	},
	{
		Name: "admin_hosts", Kind: List, FileOnly: true,
		Usage: "host names accepted by an admin endpoint on loopback, in addition to addresses and localhost",
		apply: func(c *Config, v any) { c.AdminHosts = v.([]string) },
	},
	{
		Name: "admin_profiling", Kind: Bool, FileOnly: true, Usage: "serve profiles at /debug/pprof/ of the admin endpoint",
		apply: func(c *Config, v any) { c.Profiling = v.(bool) },
	},
	{
		Name: "max_ttl", Kind: Duration, Default: 24 * time.Hour, Usage: "maximum remaining `TIME` of a particle",
		apply: func(c *Config, v any) { c.Dispatch.MaxTTL = v.(time.Duration) },
	},
	{
		Name: "skew", Kind: Duration, Usage: "`TIME` after its deadline for which a particle is accepted, for clients whose clocks lag",
		apply: func(c *Config, v any) { c.Dispatch.Skew = v.(time.Duration) },
	},
	{
		Name: "max_particles", Kind: Number, Default: dispatch.DefaultParticles, check: between(1, math.MaxInt32),
		Usage: "maximum `NUMBER` of particles that run or have calls; at most half for one address range, a quarter for one init peer",
		apply: func(c *Config, v any) { c.Dispatch.Particles = v.(int) },
	},
	{
		Name: "grace", Kind: Duration, Default: 5 * time.Second, Usage: "`TIME` to finish for running particles when the peer is stopped",
		apply: func(c *Config, v any) { c.Grace = v.(time.Duration) },
	},
	{
		Name: "particle_time", Kind: Duration, FileOnly: true,
		Usage: "processor time of one particle (default: 10s)",
		apply: func(c *Config, v any) { c.Dispatch.Time = v.(time.Duration) },
	},
	{
		Name: "range_time", Kind: Duration, FileOnly: true,
		Usage: "processor time of one address range in a second (default: three quarters of all processors)",
		apply: func(c *Config, v any) { c.Dispatch.RangeTime = v.(time.Duration) },
	},
	{
		Name: "max_steps", Kind: Number, Default: 20_000_000, FileOnly: true, check: between(1000, math.MaxInt32),
		Usage: "maximum number of instructions in one run of a script",
		apply: func(c *Config, v any) { c.Interpreter.Steps = v.(int) },
	},
	{
		Name: "max_rate", Kind: Number, FileOnly: true, check: between(1, math.MaxInt32),
		Usage: "new particles per second of one init peer behind one remote (default: 10000)",
		apply: func(c *Config, v any) { c.Dispatch.Rate = v.(int) },
	},
	{
		Name: "max_byte_rate", Kind: Size, FileOnly: true, check: atLeast(1 << 10),
		Usage: "bytes per second of new particles of one init peer behind one remote (default: 256 MiB)",
		apply: func(c *Config, v any) { c.Dispatch.ByteRate = int(v.(uint64)) },
	},
	{
		Name: "max_frame", Kind: Size, FileOnly: true, check: atLeast(1 << 10),
		Usage: "maximum size of a message from the network (default: 100 MiB)",
		apply: func(c *Config, v any) { c.MaxFrame = int(v.(uint64)) },
	},
	{
		Name: "max_memory", Kind: Size, FileOnly: true, check: atLeast(1 << 20),
		Usage: "bytes of particles and frames; at most half for one address range, a quarter for one remote or init peer (default: half of memory_limit)",
		apply: func(c *Config, v any) { c.Dispatch.Memory = int64(min(v.(uint64), math.MaxInt64)) },
	},
	{
		Name: "memory_limit", Kind: Size, check: zeroOr(atLeast(64 << 20)),
		Usage: "memory limit of the process in `BYTES`; 0: GOMEMLIMIT, the limit of the control group, or three quarters of the machine's memory",
		apply: func(c *Config, v any) { c.MemoryLimit = int64(v.(uint64)) },
	},
	{
		Name: "max_spill", Kind: Size, FileOnly: true, check: atLeast(1 << 20),
		Usage: "bytes on disk for states of idle particles while memory is short (default: 1 GiB)",
		apply: func(c *Config, v any) { c.MaxSpill = int64(v.(uint64)) },
	},
	{
		Name: "state_memory", Kind: Size, FileOnly: true, check: atLeast(1 << 20),
		Usage: "memory for retained states; above it, idle states are encoded (default: 64 MiB)",
		apply: func(c *Config, v any) { c.Dispatch.StateBytes = int64(v.(uint64)) },
	},
	{
		Name: "max_durable", Kind: Size, FileOnly: true, check: atLeast(1 << 20),
		Usage: "bytes on disk for durable particles; above it, new particles are refused (default: 4 GiB)",
		apply: func(c *Config, v any) { c.MaxDurable = int64(v.(uint64)) },
	},
	{
		Name: "max_vault", Kind: Size, FileOnly: true, check: atLeast(1 << 20),
		Usage: "bytes of all vault files (default: 4 GiB)",
		apply: func(c *Config, v any) { c.MaxVault = int64(v.(uint64)) },
	},
	{
		Name: "journal_size", Kind: Number, FileOnly: true, check: between(1, 10_000_000),
		Usage: "number of entries in the journal (default: 8192)",
		apply: func(c *Config, v any) { c.JournalSize = v.(int) },
	},

	// Keys of other peers that say in another way what settings above say.
	{
		Name: "listen_ip", Default: "0.0.0.0", FileOnly: true, derived: true, Also: []string{"listen_ip"}, check: ip,
		Usage: "IP address for tcp_port and websocket_port, unless listen is set",
	},
	{Name: "tcp_port", Kind: Number, Default: 7777, FileOnly: true, derived: true, Also: []string{"tcp_port"}, check: port, Usage: "see listen_ip"},
	{Name: "websocket_port", Kind: Number, Default: 9999, FileOnly: true, derived: true, Also: []string{"websocket_port"}, check: port, Usage: "see listen_ip"},
	{
		Name: "http_port", Kind: Number, FileOnly: true, derived: true, Also: []string{"http_port"}, check: port,
		Usage: "port of the admin endpoint at listen_ip, unless admin is set",
	},
	{
		Name: "external_address", FileOnly: true, derived: true, Also: []string{"external_address"}, check: ip,
		Usage: "address to announce with tcp_port and websocket_port",
	},
	{
		Name: "local", Kind: Bool, FileOnly: true, derived: true, Also: []string{"local"}, Usage: "do not use bootstrap",
	},
	{
		Name: "avm_config.air_size_limit", Kind: Size, FileOnly: true, Also: []string{"avm_config.air_size_limit"},
		Usage: "size of a script above which a step is marked, or refused if hard_limit_enabled; 0: no limit",
		apply: func(c *Config, v any) { c.Interpreter.AirSize = v.(uint64) },
	},
	{
		Name: "avm_config.particle_size_limit", Kind: Size, FileOnly: true, Also: []string{"avm_config.particle_size_limit"},
		Usage: "the same for arriving data",
		apply: func(c *Config, v any) { c.Interpreter.ParticleSize = v.(uint64) },
	},
	{
		Name: "avm_config.call_result_size_limit", Kind: Size, FileOnly: true, Also: []string{"avm_config.call_result_size_limit"},
		Usage: "the same for results of calls",
		apply: func(c *Config, v any) { c.Interpreter.CallResultSize = v.(uint64) },
	},
	{
		Name: "avm_config.hard_limit_enabled", Kind: Bool, FileOnly: true, Also: []string{"avm_config.hard_limit_enabled"},
		Usage: "refuse steps above these limits",
		apply: func(c *Config, v any) { c.Interpreter.Hard = v.(bool) },
	},
}

// sections are headers under which other peers' files have keys that belong to the root.
var sections = []string{
	"node_config", "listen_config", "transport_config", "http_config", "metrics_config", "health_config", "dir_config", "network_config",
}

// elsewhere are keys of other peers that mean nothing here: what they configure does not exist, or
// needs no configuration. What is under them means nothing either.
var elsewhere = strings.Fields(`
	allowed_binaries allowed_effectors aquavm_pool_size avm_base_dir avm_config.aquavm_heap_size_limit avm_config.wasm_backend bootstrap_config bootstrap_frequency
	builtins_key_pair cc_events_dir chain_config chain_listener_config connection_idle_timeout core_state_path cpus_range
	default_service_memory_limit dev_mode effectors effects_queue_buffer ephemeral_base_dir external_api_multiaddr health_check_enabled
	kademlia keypairs_base_dir max_builtin_metrics_storage_size max_established max_established_incoming
	max_established_outgoing max_established_per_peer max_pending_incoming max_pending_outgoing max_spell_particle_ttl
	metrics_enabled metrics_timer_resolution no_banner particle_execution_timeout particle_processor_parallelism
	particle_queue_buffer persistent_base_dir print_config protocol_config root_weights services_envs
	services_ephemeral_dir services_persistent_dir socket_timeout spell_base_dir system_cpu_count system_services
	tokio_metrics_enabled tokio_metrics_poll_histogram_enabled tracing transport vm workers_base_dir
	workers_queue_buffer air_interpreter_path log_format log_display_span_list config max_particles_per_peer max_held`)

func each(check func(string) error) func(any) error {
	return func(v any) error {
		for _, s := range v.([]string) {
			if err := check(s); err != nil {
				return err
			}
		}
		return nil
	}
}

func multiaddr(s string) error {
	if _, err := ma.NewMultiaddr(s); err != nil {
		return fmt.Errorf("%q is not a multiaddr: %w (example: %s)", s, err, DefaultListen[0])
	}
	return nil
}

func fullAddr(s string) error {
	if err := multiaddr(s); err != nil {
		return err
	}
	if _, id := peer.SplitAddr(ma.StringCast(s)); id == "" {
		return fmt.Errorf("%q does not end in /p2p/<peer id>", s)
	}
	return nil
}

func peerID(s string) error {
	if _, err := particle.ParsePeerID(s); err != nil {
		return fmt.Errorf("%q is not a peer id: %w", s, err)
	}
	return nil
}

func oneOf(allowed ...string) func(any) error {
	return func(v any) error {
		for _, s := range allowed {
			if v == s {
				return nil
			}
		}
		return fmt.Errorf("%q is not supported, only %s", v, strings.Join(allowed, ", "))
	}
}

func ip(v any) error {
	if _, err := netip.ParseAddr(v.(string)); err != nil && v != "" {
		return fmt.Errorf("%q is not an IP address", v)
	}
	return nil
}

func hostPort(v any) error {
	if _, _, err := net.SplitHostPort(v.(string)); err != nil && v != "" {
		return fmt.Errorf("%q is not HOST:PORT", v)
	}
	return nil
}

func port(v any) error { return between(0, math.MaxUint16)(v) }

func atLeast(least uint64) func(any) error {
	return func(v any) error {
		if n := v.(uint64); n < least || n > 1<<40 {
			return fmt.Errorf("%d is not a size from %d to 1 TiB", n, least)
		}
		return nil
	}
}

func zeroOr(check func(any) error) func(any) error {
	return func(v any) error {
		if v == uint64(0) {
			return nil
		}
		return check(v)
	}
}

func between(least, most int) func(any) error {
	return func(v any) error {
		if n := v.(int); n < least || n > most {
			return fmt.Errorf("%d is not a number from %d to %d", n, least, most)
		}
		return nil
	}
}
