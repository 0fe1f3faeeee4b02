package main

import (
	"context"
	"io"
	"os"
	"os/signal"

	"github.com/urfave/cli/v2"
)

func airCommand() *cli.Command {
	return &cli.Command{
		Name:  "air",
		Usage: "work with AIR scripts and the data of particles",
		Subcommands: []*cli.Command{
			airStepCommand(),
			airFmtCommand(),
			airDataCommand(),
			airSimulateCommand(),
			airBenchCommand(),
		},
	}
}

// scriptCache is the size in bytes of the cache of resolved scripts.
const scriptCache = 256 << 20

// untilInterrupt returns a context that ends with Ctrl-C.
func untilInterrupt(c *cli.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context, os.Interrupt)
}

// readInput reads a file, or standard input for -.
func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
