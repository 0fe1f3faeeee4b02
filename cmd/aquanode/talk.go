package main

// How the program talks to people:
//
//   - results go to standard output, everything else to standard error;
//   - what is said begins with a small letter and ends without a full stop;
//   - an error says what went wrong, and where; a hint below it says what to do;
//   - --format json gives one JSON document a line, for errors too;
//   - there is no colour.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	logging "github.com/ipfs/go-log/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// hinted is an error with advice.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func hint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// usage is an error in how the program was called.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

func usageError(c *cli.Context, err error, _ bool) error {
	name := "aquanode"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != name {
		name += " " + c.Command.Name
	}
	return hint(usage{err}, "%s --help tells what there is", name)
}

// said is an error that has been shown already.
type said struct{ error }

// report shows an error and gives the exit status.
func report(err error) int {
	var shown said
	if err == nil {
		return 0
	}
	if !errors.As(err, &shown) {
		say("%s", indent(err.Error()))
		var h hinted
		if errors.As(err, &h) {
			fmt.Fprintln(os.Stderr, "hint: "+h.hint)
		}
	}
	var u usage
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailure
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "aquanode: "+format+"\n", args...)
}

// indent sets the lines after the first one in.
func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }

func onTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// printJSON writes one document and a line end.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

var formatFlag = &cli.StringFlag{Name: "format", Value: "text", Usage: "`text` or json", Action: func(_ *cli.Context, v string) error {
	if v != "text" && v != "json" {
		return usagef("--format is text or json, not %q", v)
	}
	return nil
}}

func isJSON(c *cli.Context) bool { return c.String("format") == "json" }

var logFlag = &cli.StringFlag{
	Name: "log-level", Value: "error", EnvVars: []string{"AQUANODE_LOG_LEVEL"},
	Usage:  "debug, info, warn or `error`; NAME=LEVEL,... for single subsystems",
	Action: func(_ *cli.Context, v string) error { return setLogLevel(v) },
}

func setLogLevel(levels string) error {
	cfg := logging.Config{Format: logging.PlaintextOutput, Stderr: true, Level: logging.LevelError, SubsystemLevels: map[string]logging.LogLevel{}}
	for _, part := range strings.Split(levels, ",") {
		name, level, single := strings.Cut(part, "=")
		if !single {
			name, level = "", part
		}
		l, err := logging.Parse(level)
		if err != nil {
			return usagef("--log-level: %q is not a level", level)
		}
		if single {
			cfg.SubsystemLevels[name] = l
		} else {
			cfg.Level = l
		}
	}
	logging.SetupLogging(cfg)
	return nil
}

// takesValue reports whether the argument is a flag whose value is the next argument.
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

// oneFile is the single file argument of a command.
func oneFile(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", hint(usagef("%s takes one file, not %d", c.Command.Name, c.NArg()), "aquanode %s --help tells more", c.Command.Name)
	}
	return c.Args().First(), nil
}
