package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/node/memory"
)

var daemonFlags = append(settingFlags(),
	&cli.StringSliceFlag{
		Name: "config", Aliases: []string{"c"},
		Usage: "TOML `FILE` with settings, repeatable; see 'aquanode config --help'",
	},
	logFlag, formatFlag,
)

// daemon runs a peer until a signal stops it.
func daemon(c *cli.Context) error {
	if c.Bool("version") {
		return printVersion(c)
	}
	if c.NArg() > 0 {
		return hint(usagef("unknown command %q", c.Args().First()),
			"run 'aquanode --help' for the commands")
	}
	cfg, err := daemonConfig(c)
	if err != nil {
		return err
	}
	stopped, ended := stopSignal(c.Context, cfg.Grace)
	defer ended()
	manager, err := findSupervisor(os.Getenv)
	if err != nil {
		return err
	}
	defer manager.close()
	if cfg.MemoryLimit == 0 {
		if cfg.MemoryLimit, err = memory.Limit(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(c.Context)
	defer cancel()
	go memory.Keep(ctx, cfg.MemoryLimit)
	// While all of Go's processors are busy, the scheduler polls the network every 10 ms only. With
	// one more processor than slots for steps, the median of other calls beside five particles of a
	// million calls fell from 8 to 4.6 ms on two cores.
	cfg.Parallel = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(cfg.Parallel + 1)
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return errors.Join(err, n.Close())
	}
	if live := n.Live(); live > 0 {
		say("%d particles of an earlier run continue", live)
	}
	ready := peerLine{n.ID(), n.Addrs()}
	if err := ready.print(isJSON(c)); err != nil {
		return errors.Join(err, n.Close())
	}
	if addr := n.AdminAddr(); addr != "" {
		say("admin endpoint at http://%s", addr)
	}
	serve(n, manager, stopped)
	return n.Close()
}

// serve returns when a signal stops the peer.
func serve(n *node.Node, manager *supervisor, stopped func()) {
	manager.notify("READY=1")
	end := make(chan struct{})
	var watch sync.WaitGroup
	// Counting live particles and peers takes the locks of the dispatcher and of the network.
	watch.Go(func() { manager.watch(func() { n.Live(); n.Peers() }, end) })
	stopped()
	close(end)
	watch.Wait()
	manager.notify("STOPPING=1")
}

func daemonConfig(c *cli.Context) (config.Config, error) {
	s, err := settings(c)
	if err != nil {
		return config.Config{}, err
	}
	cfg := s.Config()
	cfg.Described = s.TOML()
	if file := s.AdminToken(); file != "" {
		if cfg.AdminToken, err = identity.Token(file); err != nil {
			return config.Config{}, err
		}
	}
	if cfg.Key, err = peerKey(s); err == nil && devnet.IsKey(cfg.Key) {
		say("this key is a development key, which is public: use it for local networks only")
	}
	return cfg, err
}

// peerLine is the output of a peer that is ready.
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
