package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command before its other arguments: the library stops to
// parse flags at the first argument that is not one, and people write "run FILE --ttl 5s".
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

// subcommand finds the subcommand in the arguments of a command: the first argument that is
// neither a flag nor the value of one.
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

// takesValue reports whether arg is a flag whose value is the next argument.
func takesValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				d, ok := f.(cli.DocGenerationFlag)
				return ok && d.TakesValue()
			}
		}
	}
	return false
}

// oneFile returns the only argument of a command, a file.
func oneFile(c *cli.Context) (string, error) { return oneArg(c, "file") }

// oneDir returns the only argument of a command, a data directory.
func oneDir(c *cli.Context) (string, error) { return oneArg(c, "data directory") }

func oneArg(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		name := c.Command.HelpName // as in "aquanode key show"
		return "", hint(usagef("%s takes one %s, got %d arguments",
			strings.TrimPrefix(name, "aquanode "), what, c.NArg()), "run '%s --help' for usage", name)
	}
	return c.Args().First(), nil
}
