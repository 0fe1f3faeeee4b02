package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
)

var daemonFlags = append(settingFlags(),
	&cli.StringSliceFlag{Name: "config", Aliases: []string{"c"}, Usage: "TOML `FILE` with settings, repeatable; aquanode config tells more"},
	logFlag, formatFlag,
)

// daemon is a peer that serves until it is told to stop.
func daemon(c *cli.Context) error {
	if c.NArg() > 0 {
		return hint(usagef("there is no command %q", c.Args().First()), "aquanode --help lists the commands")
	}
	cfg, err := daemonConfig(c)
	if err != nil {
		return err
	}
	stopped := stopSignal(c.Context)
	n, err := node.New(cfg)
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return errors.Join(err, n.Close())
	}
	if live := n.Live(); live > 0 {
		say("%d particles of an earlier run go on", live)
	}
	ready := peerLine{n.ID(), n.Addrs()}
	if err := ready.print(isJSON(c)); err != nil {
		return errors.Join(err, n.Close())
	}
	if addr := n.AdminAddr(); addr != "" {
		say("admin endpoint at http://%s", addr)
	}
	stopped()
	return n.Close()
}

func daemonConfig(c *cli.Context) (config.Config, error) {
	s, err := settings(c)
	if err != nil {
		return config.Config{}, err
	}
	cfg := s.Config()
	cfg.Described = s.TOML()
	cfg.Key, err = peerKey(s)
	return cfg, err
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

// stopSignal begins to listen for a signal to stop, which may come while a peer starts; wait returns when it is there. A second
// one, after that, ends the process at once.
func stopSignal(ctx context.Context) (wait func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	return func() {
		<-ctx.Done()
		stop()
	}
}
