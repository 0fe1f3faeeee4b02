package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/air"
)

func airFmtCommand() *cli.Command {
	return &cli.Command{
		Name: "fmt", Usage: "format a script", ArgsUsage: "FILE", Action: airFmt,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "write", Aliases: []string{"w"}, Usage: "write the result to the file"},
		},
		Description: "Example: aquanode air fmt -w script.air",
	}
}

func airFmt(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	src, err := readInput(name)
	if err != nil {
		return err
	}
	text, err := air.FormatSource(string(src))
	if err != nil {
		return airError(name, err)
	}
	if !c.Bool("write") || name == "-" {
		_, err = io.WriteString(os.Stdout, text)
		return err
	}
	if text == string(src) {
		return nil
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// airError prints a syntax error with its place in the script.
func airError(name string, err error) error {
	var parse *air.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	fmt.Fprint(os.Stderr, parse.Human(name))
	return printed{err}
}
