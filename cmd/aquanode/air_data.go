package main

import (
	"encoding/base64"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

func airDataCommand() *cli.Command {
	return &cli.Command{
		Name: "data", Usage: "print the data of a particle", ArgsUsage: "FILE", Action: airData,
		Flags: []cli.Flag{formatFlag, &cli.StringFlag{
			Name: "particle", Usage: "verify the signatures for the particle with this `ID`",
		}},
		Description: "FILE has the data as bytes or in base64; - is standard input. A value is printed as signed\n" +
			"only if its signature was verified.\n\n" +
			"Example: aquanode air data --particle 7f2c... particle.data",
	}
}

func airData(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	b, err := readInput(name)
	if err != nil {
		return err
	}
	if text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b))); err == nil {
		b = text
	}
	if isJSON(c) {
		human, err := data.Human(b)
		if err != nil {
			return notData(name, err)
		}
		_, err = os.Stdout.Write(append(human, '\n'))
		return err
	}
	d, err := data.Decode(b)
	if err != nil {
		return notData(name, err)
	}
	return simulate.WriteData(os.Stdout, d, c.String("particle"))
}

func notData(name string, err error) error {
	return hint(err, "is %s the data of a particle, as bytes or in base64?", name)
}
