// Command aquanode is a peer of the network and the tools around it.
//
//	aquanode --listen ADDR      be a peer until stopped
//	aquanode dev                a local network in one process
//	aquanode run FILE           run a script, embedded or over a running network
//	aquanode compile FILE       Aqua to AIR
//	aquanode key new|show       key files
//	aquanode builtins           the functions every peer has
//
// Standard output carries results and nothing else; everything said to a person goes to
// standard error. The exit status is 0 for a result, 1 for a failure, 2 for wrong usage.
package main

import (
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// verbs are the subcommands, each made in a file of its own.
var verbs = []func() *cli.Command{
	devCommand,
	runCommand,
	compileCommand,
	airCommand,
	keyCommand,
	builtinsCommand,
	versionCommand,
}

func main() {
	if os.Getenv("GOGC") == "" {
		// A step makes little that stays. With the default of 100 the collector takes a third of
		// its time, as the heap of a peer is small (2026-11, 2 cores); GOGC sets another value.
		debug.SetGCPercent(400)
	}
	os.Exit(run(os.Args))
}

func run(args []string) int {
	app := newApp()
	return report(app.Run(flagsFirst(app, args)))
}

func newApp() *cli.App {
	app := &cli.App{
		Name:            "aquanode",
		Usage:           "peers, services and scripts of a particle network",
		Flags:           daemonFlags,
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

// flagsFirst moves flags in front of the other arguments of a command, for the library
// stops to look for flags at the first argument that is none, and people write
// "run FILE --ttl 5s".
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	c := app.Command(args[1])
	if c == nil {
		return args
	}
	flags, rest := []string{args[0], args[1]}, []string{}
	for i := 2; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return append(append(append(flags, "--"), rest...), args[i+1:]...)
		case len(a) < 2 || a[0] != '-':
			rest = append(rest, a)
		default:
			flags = append(flags, a)
			if takesValue(c.Flags, a) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	if len(c.Subcommands) > 0 && len(rest) > 0 { // the subcommand's name comes first
		return append(append(append([]string{}, flags[:2]...), rest[0]), append(flags[2:], rest[1:]...)...)
	}
	return append(flags, rest...)
}
