package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/services/builtin"
)

func builtinsCommand() *cli.Command {
	return &cli.Command{
		Name: "builtins", Usage: "list the functions that every peer offers", ArgsUsage: "[SERVICE]",
		Flags: []cli.Flag{formatFlag}, Action: builtins,
	}
}

// builtinJSON is a function as JSON.
type builtinJSON struct {
	Service   string   `json:"service"`
	Name      string   `json:"name"`
	Signature string   `json:"signature"`
	Guarded   bool     `json:"guarded,omitempty"`
	Doc       string   `json:"doc"`
	Errors    []string `json:"errors,omitempty"`
}

func builtins(c *cli.Context) error {
	found := false
	for _, f := range builtin.Table() {
		if c.NArg() > 0 && f.Service != c.Args().First() {
			continue
		}
		found = true
		if isJSON(c) {
			line := builtinJSON{f.Service, f.Name, f.Signature(), f.Guarded, f.Doc, f.Errors}
			if err := printJSON(os.Stdout, line); err != nil {
				return err
			}
			continue
		}
		guard := ""
		if f.Guarded {
			guard = " (guarded)"
		}
		fmt.Printf("%s%s\n    %s\n", f.Signature(), guard, f.Doc)
	}
	if !found {
		return hint(fmt.Errorf("no built-in service %q", c.Args().First()),
			"run 'aquanode builtins' for all of them")
	}
	return nil
}
