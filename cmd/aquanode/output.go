package main

// Rules for all output:
//
//   - results go to standard output, messages to standard error;
//   - a message begins with a small letter and ends without a full stop;
//   - an error names the cause and the place; the hint below it says what to do;
//   - with --format json, results and errors are JSON documents, one a line;
//   - there is no colour.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "aquanode: "+format+"\n", args...)
}

// indent indents all lines but the first.
func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }

func onTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// printJSON writes one document and a newline.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

var formatFlag = &cli.StringFlag{
	Name: "format", Value: "text", Usage: "`FORMAT` of the output, text or json",
	Action: func(_ *cli.Context, v string) error {
		if v != "text" && v != "json" {
			return usagef("--format is text or json, not %q", v)
		}
		return nil
	},
}

func isJSON(c *cli.Context) bool { return c.String("format") == "json" }
