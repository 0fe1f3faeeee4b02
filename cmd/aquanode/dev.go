package main

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
)

func devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run a local network in one process, with fixed keys, on loopback",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "n", Value: 3, Usage: "`NUMBER` of peers"},
			&cli.StringFlag{
				Name: "services", Usage: "`DIR` with services that every peer offers, NAME.js is service NAME",
			},
			&cli.IntFlag{
				Name: "port-base", DefaultText: "any free ports",
				Usage: "first `PORT`; each peer uses two, for TCP and WebSocket",
			},
			logFlag, formatFlag,
		},
		Action: dev,
	}
}

func dev(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("dev takes no arguments, got %q", c.Args().First())
	}
	if n := c.Int("n"); n < 1 || n > 1000 {
		return usagef("-n must be a number of peers from 1 to 1000, not %d", n)
	}
	stopped, ended := stopSignal(c.Context, 0)
	defer ended()
	net, err := devnet.Start(devnet.Config{
		Peers:    c.Int("n"),
		PortBase: c.Int("port-base"),
		Edit:     func(_ int, cfg *config.Config) { cfg.ServicesDir = c.String("services") },
	})
	if err != nil {
		return err
	}
	if err := printNetwork(net, isJSON(c)); err != nil {
		return errors.Join(err, net.Close())
	}
	stopped()
	return net.Close()
}

func printNetwork(net *devnet.Network, asJSON bool) error {
	lines := []peerLine{}
	for _, p := range net.Peers {
		lines = append(lines, peerLine{p.ID(), p.Addrs()})
	}
	if asJSON {
		return printJSON(os.Stdout, map[string]any{"peers": lines})
	}
	for _, l := range lines {
		if err := l.print(false); err != nil {
			return err
		}
	}
	return nil
}
