package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/emit"
	"github.com/aquanode/aquanode/interpreter/value"
)

// sourceFlags say what a script is compiled with. They are common to run and compile.
var sourceFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "on", Usage: "`NAME=PEERID` binds a peer's name in the script, repeatable"},
	&cli.StringSliceFlag{Name: "import", Usage: "`DIR` in which imports are looked for besides the script's own, repeatable"},
	&cli.StringFlag{Name: "services", Usage: "`DIR` with services, NAME.js is service NAME (default: services/ beside the script)"},
	&cli.StringFlag{Name: "data", Usage: "`JSON` object with values for the arguments of the call"},
	formatFlag,
}

func compileCommand() *cli.Command {
	return &cli.Command{
		Name: "compile", Usage: "compile Aqua to AIR", ArgsUsage: "FILE", Flags: sourceFlags, Action: compile,
		Description: "Prints the AIR of each exported function. The names peer1, peer2, peer3 stand for the peers of\n" +
			"aquanode dev, unless --on binds them.",
	}
}

// source is what a script is made from.
type source struct {
	file     string
	call     string                     // -f
	data     map[string]json.RawMessage // --data
	names    map[string]string          // peer ids by the names that the script may use
	imports  []string
	services string // directory of services the script may call by function name
}

// sourceOf reads the flags. peers is the number of peers that have names without --on.
func sourceOf(c *cli.Context, peers int) (source, error) {
	file, err := oneFile(c)
	if err != nil {
		return source{}, err
	}
	s := source{file: file, call: c.String("f"), imports: c.StringSlice("import"), services: servicesDir(c, file)}
	if s.names, err = boundNames(c.StringSlice("on"), peers); err != nil {
		return source{}, err
	}
	if text := c.String("data"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.data); err != nil {
			return source{}, hint(usagef("--data: %w", err), `a JSON object is expected, as in --data '{"name": "value"}'`)
		}
	}
	s.data = withPeers(s.data, s.names)
	return s, nil
}

// withPeers lets the call name peers as the script does; data comes first.
func withPeers(given map[string]json.RawMessage, peers map[string]string) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(given)+len(peers))
	for name, id := range peers {
		all[name] = json.RawMessage(strconv.Quote(id)) // base58
	}
	maps.Copy(all, given)
	return all
}

// servicesDir is the folder of services, if there is one.
func servicesDir(c *cli.Context, file string) string {
	if dir := c.String("services"); dir != "" {
		return dir
	}
	dir := filepath.Join(filepath.Dir(file), "services")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

func compileFile(s source) (*aqua.Result, error) {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, err
	}
	known, err := knownServices(s.services)
	if err != nil {
		return nil, err
	}
	return aqua.Compile(aqua.Source{Path: s.file, Text: string(text)}, aqua.Options{
		Imports:       aqua.Files(aqua.Dirs(append(s.imports, "node_modules")...)),
		EmptyResponse: true, // a function without results ends too, and somebody waits for it
		Script:        true,
		Peers:         s.names,
		Services:      known,
		Call:          s.call,
		Data:          s.data,
	})
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
	for i, f := range r.Functions {
		if len(r.Functions) > 1 {
			fmt.Printf("%s; %s\n", map[bool]string{true: "\n"}[i > 0], f.Name)
		}
		fmt.Println(f.AIR)
	}
	return nil
}

// compiledJSON is the form that clients of this network take.
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
	out := compiledJSON{map[string]functionJSON{}, map[string]emit.ServiceDef{}, []string{}, []string{}}
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
		return said{err}
	}
	return nil
}

// program is a script ready to run.
type program struct {
	air    string
	data   map[string]value.Value
	silent bool // the script has no result to print
}

// loadProgram compiles a file, or takes it as it is if it is AIR.
func loadProgram(s source) (*program, error) {
	if filepath.Ext(s.file) == ".air" {
		return loadAIR(s)
	}
	r, err := compileFile(s)
	if err != nil {
		return nil, err
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	switch {
	case r.Call != nil:
		p := newProgram(r.Call.Function)
		for _, arg := range r.Call.Args {
			if p.data[arg.Name], err = value.Parse(string(arg.JSON)); err != nil {
				return nil, fmt.Errorf("argument %s: %w", arg.Name, err)
			}
		}
		return p, nil
	case r.Main != nil:
		return newProgram(r.Main), nil
	case len(r.Functions) == 1 && len(r.Functions[0].Args) == 0:
		return newProgram(&r.Functions[0]), nil
	}
	return nil, noFunction(s, r)
}

func newProgram(f *aqua.Function) *program {
	return &program{air: f.AIR, data: map[string]value.Value{}, silent: len(f.Type.Results) == 0}
}

func noFunction(s source, r *aqua.Result) error {
	if len(r.Functions) == 0 {
		return hint(usagef("%s has nothing to run", s.file), "write statements outside of functions, or export a function")
	}
	f := r.Functions[0]
	return hint(usagef("%s has several functions, or one with arguments; say which to run", s.file), "-f '%s(...)'", f.Name)
}

func loadAIR(s source) (*program, error) {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, err
	}
	p := &program{air: string(text), data: map[string]value.Value{}}
	for name, id := range s.names {
		p.data[name] = value.String(id)
	}
	for name, raw := range s.data {
		if p.data[name], err = value.Parse(string(raw)); err != nil {
			return nil, fmt.Errorf("--data: %s: %w", name, err)
		}
	}
	return p, nil
}
