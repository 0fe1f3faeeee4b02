package main

import (
	"os"

	"github.com/urfave/cli/v2"
)

// verbs are the subcommands, each in a file of its name.
var verbs = []func() *cli.Command{
	devCommand,
	runCommand,
	compileCommand,
	airCommand,
	keyCommand,
	stateCommand,
	configCommand,
	builtinsCommand,
	healthcheckCommand,
	versionCommand,
}

func run(args []string) int {
	app := newApp()
	return report(app.Run(flagsFirst(app, args)))
}

func newApp() *cli.App {
	app := &cli.App{
		Name:            "aquanode",
		Usage:           "peers, services and scripts of a particle network",
		Flags:           append(daemonFlags, versionFlag),
		Action:          daemon,
		Suggest:         true,
		HideVersion:     true,
		HideHelpCommand: true,
		Writer:          os.Stdout,
		ErrWriter:       os.Stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // see report
		OnUsageError:    usageError,
	}
	for _, verb := range verbs {
		c := verb()
		c.OnUsageError = usageError
		app.Commands = append(app.Commands, c)
	}
	return app
}

func usageError(c *cli.Context, err error, _ bool) error {
	name := "aquanode"
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	return hint(usage{err}, "run '%s --help' for usage", name)
}
