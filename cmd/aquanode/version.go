package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node"
)

func versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "tell the versions", Flags: []cli.Flag{formatFlag}, Action: func(c *cli.Context) error {
		if isJSON(c) {
			return printJSON(os.Stdout, map[string]string{"node": node.Version, "air": data.InterpreterVersion, "data": data.Version})
		}
		_, err := fmt.Printf("%s; AIR version %s\n", node.Version, data.InterpreterVersion)
		return err
	}}
}
