package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/value"
)

func compileCommand() *cli.Command {
	return &cli.Command{Name: "compile", Usage: "compile Aqua to AIR", ArgsUsage: "FILE", Flags: []cli.Flag{formatFlag}, Action: compile}
}

func compile(c *cli.Context) error {
	return errors.New("not built yet")
}

func compileProgram(src source, data map[string]value.Value) (*program, error) {
	return nil, errors.New("not built yet")
}
