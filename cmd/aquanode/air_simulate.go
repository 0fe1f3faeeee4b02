package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/simulate"
)

func airSimulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "run one particle over simulated peers", Action: airSimulate,
		ArgsUsage: "SCENARIO.json",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "stats", Usage: "print only the sums, as one line of JSON"},
			&cli.BoolFlag{Name: "cold", Usage: "decode and encode the data in each step, retain no state"},
			&cli.BoolFlag{Name: "full", Usage: "print the steps as JSON"},
		},
		Description: "Example: aquanode air simulate --stats join.json",
	}
}

func airSimulate(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	text, err := readInput(name)
	if err != nil {
		return err
	}
	var s simulate.Scenario
	if err := json.Unmarshal(text, &s); err != nil {
		return hint(fmt.Errorf("%s: %w", name, err),
			"a scenario is a JSON object with air, peers, init, services and order")
	}
	ctx, stop := untilInterrupt(c)
	defer stop()
	o, err := simulate.Run(ctx, &s, simulate.Options{Cold: c.Bool("cold"), Stats: c.Bool("stats")})
	switch {
	case err != nil:
		return err
	case c.Bool("stats"):
		return printJSON(os.Stdout, o.Stats)
	case c.Bool("full"):
		return printJSON(os.Stdout, o.Steps)
	}
	return o.Write(os.Stdout)
}
