// Command aquanode is a peer of the network and the tools around it.
//
//	aquanode --listen ADDR      be a peer until stopped
//	aquanode dev                a local network in one process
//	aquanode run FILE           run a script, embedded or over a running network
//	aquanode compile FILE       Aqua to AIR
//	aquanode key new|show       key files
//	aquanode state check|repair  the data directory of a peer
//	aquanode config             how a peer would be configured
//	aquanode builtins           the functions every peer has
//	aquanode healthcheck        whether a running peer is healthy
//
// Standard output carries results and nothing else; everything said to a person goes to
// standard error. The exit status is 0 for a result, 1 for a failure, 2 for wrong usage.
package main

import (
	"os"
	"runtime/debug"
	"slices"

	"github.com/urfave/cli/v2"
)

// verbs are the subcommands, each made in a file of its own.
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
	head, args := args[:2:2], args[2:]
	known := c.Flags
	if i, sub := subcommand(c, args); sub != nil {
		head, args = append(head, args[i]), slices.Delete(slices.Clone(args), i, i+1)
		known = slices.Concat(sub.Flags, known)
	}
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			rest = append(append([]string{"--"}, rest...), args[i+1:]...)
			return slices.Concat(head, flags, rest)
		case !isFlag(a):
			rest = append(rest, a)
		default:
			flags = append(flags, a)
			if takesValue(known, a) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return slices.Concat(head, flags, rest)
}

// subcommand finds the subcommand among a command's arguments: the first one that is neither a
// flag nor the value of one.
func subcommand(c *cli.Command, args []string) (at int, sub *cli.Command) {
	known := c.Flags
	for _, sub := range c.Subcommands {
		known = slices.Concat(known, sub.Flags)
	}
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		switch {
		case !isFlag(args[i]):
			for _, sub := range c.Subcommands {
				if sub.HasName(args[i]) {
					return i, sub
				}
			}
			return 0, nil
		case takesValue(known, args[i]):
			i++
		}
	}
	return 0, nil
}

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }
