package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/identity"
)

var daemonFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "listen", Aliases: []string{"l"}, Usage: "`ADDR` to listen on, repeatable: /ip4/0.0.0.0/tcp/7777, .../tcp/9999/ws, .../udp/7777/quic-v1", EnvVars: []string{"AQUANODE_LISTEN"}},
	&cli.StringSliceFlag{Name: "bootstrap", Aliases: []string{"b"}, Usage: "full `ADDR` of a peer to join the network through, repeatable", EnvVars: []string{"AQUANODE_BOOTSTRAP"}},
	&cli.StringSliceFlag{Name: "external", Aliases: []string{"x"}, Usage: "`ADDR` to announce besides those listened on, repeatable"},
	&cli.StringFlag{Name: "tls-cert", Usage: "certificate `FILE` (PEM) for addresses that end in /tls/ws, read again when it changes"},
	&cli.StringFlag{Name: "tls-key", Usage: "key `FILE` (PEM) of the certificate"},
	&cli.StringFlag{Name: "key", Aliases: []string{"k"}, Usage: "key `FILE`, created if absent (default: peer.key in the data directory)"},
	&cli.StringFlag{Name: "data-dir", Value: ".aquanode", Usage: "`DIR` for what outlives the peer", EnvVars: []string{"AQUANODE_DATA_DIR"}},
	&cli.BoolFlag{Name: "durable", Usage: "keep running particles over a restart, in the data directory; a call that was running is made again"},
	&cli.StringFlag{Name: "services", Usage: "`DIR` with services to offer: NAME.js is service NAME"},
	&cli.StringSliceFlag{Name: "management", Aliases: []string{"m"}, Usage: "`PEERID` that may manage this peer, repeatable"},
	&cli.StringFlag{Name: "network", Value: "dar", Usage: "`NAME` of the Kademlia network, none for no discovery"},
	&cli.BoolFlag{Name: "allow-private-ips", Aliases: []string{"a"}, Usage: "take addresses of private networks from other peers (default: if this peer has no public address itself)"},
	&cli.StringFlag{Name: "admin", Usage: "`HOST:PORT` of the endpoint for /health, /metrics, /particles and /peers; has no access control (default: none)", EnvVars: []string{"AQUANODE_ADMIN"}},
	&cli.DurationFlag{Name: "max-ttl", Value: 24 * time.Hour, Usage: "longest `TIME` that a particle may have left"},
	&cli.DurationFlag{Name: "skew", Usage: "`TIME` after their deadline that particles are still taken, for clients whose clocks lag"},
	&cli.IntFlag{Name: "max-particles", Value: 200_000, Usage: "`NUMBER` of particles that may live here; one init peer gets a quarter of it"},
	&cli.DurationFlag{Name: "grace", Value: 5 * time.Second, Usage: "`TIME` that running particles get when the peer is stopped"},
	logFlag, formatFlag,
}

// daemon is a peer that serves until it is told to stop.
func daemon(c *cli.Context) error {
	if c.NArg() > 0 {
		return hint(usagef("there is no command %q", c.Args().First()), "aquanode --help lists the commands")
	}
	cfg, err := daemonConfig(c)
	if err != nil {
		return err
	}
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return errors.Join(err, n.Close())
	}
	ready := peerLine{n.ID(), n.Addrs()}
	if err := ready.print(isJSON(c)); err != nil {
		return errors.Join(err, n.Close())
	}
	if addr := n.AdminAddr(); addr != "" {
		say("admin endpoint at http://%s", addr)
	}
	waitForSignal(c.Context)
	return n.Close()
}

func daemonConfig(c *cli.Context) (config.Config, error) {
	file := c.String("key")
	if file == "" {
		file = filepath.Join(c.String("data-dir"), "peer.key")
	}
	key, created, err := identity.LoadOrCreate(file)
	if err != nil {
		return config.Config{}, err
	}
	if created {
		say("made a new key, %s", file)
	}
	cfg := config.Config{
		Key:         key,
		Listen:      c.StringSlice("listen"),
		External:    c.StringSlice("external"),
		TLSCert:     c.String("tls-cert"),
		TLSKey:      c.String("tls-key"),
		Bootstrap:   c.StringSlice("bootstrap"),
		Network:     c.String("network"),
		DataDir:     c.String("data-dir"),
		Durable:     c.Bool("durable"),
		ServicesDir: c.String("services"),
		Management:  c.StringSlice("management"),
		Admin:       c.String("admin"),
		Dispatch:    dispatch.Limits{MaxTTL: c.Duration("max-ttl"), Skew: c.Duration("skew"), Particles: c.Int("max-particles")},
		Grace:       c.Duration("grace"),
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = config.DefaultListen
	}
	if c.Bool("allow-private-ips") {
		cfg.AllowLocal = config.On
	}
	return cfg, nil
}

// peerLine tells where a peer is, on standard output.
type peerLine struct {
	PeerID string   `json:"peerId"`
	Addrs  []string `json:"addrs"`
}

func (p peerLine) print(asJSON bool) error {
	if asJSON {
		return printJSON(os.Stdout, p)
	}
	say("peer %s is ready", p.PeerID)
	for _, a := range p.Addrs {
		if _, err := os.Stdout.WriteString(a + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// waitForSignal returns when the process is told to stop. A second signal ends it at once.
func waitForSignal(ctx context.Context) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
