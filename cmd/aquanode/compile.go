package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/emit"
)

func compileCommand() *cli.Command {
	return &cli.Command{
		Name: "compile", Usage: "compile Aqua to AIR", ArgsUsage: "FILE", Action: compile,
		Flags: append([]cli.Flag{
			switchFlag("no-relay", "reach the initiator directly, without a relay"),
			switchFlag("no-xor", "generate no error handling around on and if"),
			switchFlag("tracing", "call tracingSrv when a function begins and ends"),
			switchFlag("no-empty-response", "send no response of functions without results"),
		}, sourceFlags...),
		Description: "Prints the AIR of each exported function. The names peer1, peer2, peer3 stand for the peers\n" +
			"of aquanode dev, unless --on defines them.\n\nExample: aquanode compile hello.aqua",
	}
}

func switchFlag(name, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, DisableDefaultText: true}
}

func compile(c *cli.Context) error {
	s, err := sourceOf(c, 3)
	if err != nil {
		return err
	}
	r, err := compileFile(s)
	if isJSON(c) {
		return printCompiled(r, err)
	}
	if err != nil {
		return err
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	if len(r.Functions)+len(r.Services) == 0 {
		say("warning: %s exports nothing", s.file)
		fmt.Fprintln(os.Stderr, "hint: add a header line with functions, such as: export f, g")
	}
	for i, f := range r.Functions {
		if len(r.Functions) > 1 {
			fmt.Printf("%s; %s\n", map[bool]string{true: "\n"}[i > 0], f.Name)
		}
		fmt.Println(f.AIR)
	}
	return nil
}

// compiledJSON is the output for client libraries.
type compiledJSON struct {
	Functions map[string]functionJSON    `json:"functions"`
	Services  map[string]emit.ServiceDef `json:"services"`
	Errors    []string                   `json:"errors"`
	Warnings  []string                   `json:"warnings"`
}

type functionJSON struct {
	FuncDef emit.FunctionDef `json:"funcDef"`
	Script  string           `json:"script"`
}

func printCompiled(r *aqua.Result, err error) error {
	out := compiledJSON{
		Functions: map[string]functionJSON{}, Services: map[string]emit.ServiceDef{},
		Errors: []string{}, Warnings: []string{},
	}
	for _, d := range aqua.Diagnostics(err) {
		out.Errors = append(out.Errors, d.String())
	}
	if err != nil && len(out.Errors) == 0 {
		return err
	}
	if r != nil {
		for _, f := range r.Functions {
			out.Functions[f.Name] = functionJSON{f.Def, f.AIR}
		}
		for _, s := range r.Services {
			out.Services[s.Name] = s.Def
		}
		for _, w := range r.Warnings {
			out.Warnings = append(out.Warnings, w.String())
		}
	}
	if failed := printJSON(os.Stdout, out); failed != nil {
		return failed
	}
	if err != nil {
		return printed{err}
	}
	return nil
}
