package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/emit"
	"github.com/aquanode/aquanode/aqua/types"
	"github.com/aquanode/aquanode/interpreter/value"
)

// sourceFlags say what a script is compiled with. They are common to run and compile.
var sourceFlags = []cli.Flag{
	&cli.StringSliceFlag{Name: "on", Usage: "`NAME=PEERID` binds a peer's name in the script, repeatable"},
	&cli.StringSliceFlag{Name: "import", Usage: "`DIR` in which imports are looked for besides the script's own and node_modules, repeatable"},
	&cli.StringSliceFlag{Name: "const", Usage: "constant for the script, repeatable: `'NAME = literal'`"},
	&cli.StringFlag{Name: "services", Usage: "`DIR` with services, NAME.js is service NAME (default: services/ beside the script)"},
	&cli.StringFlag{Name: "data", Usage: "`JSON` object with values for the arguments of the call"},
	formatFlag,
}

func compileCommand() *cli.Command {
	return &cli.Command{
		Name: "compile", Usage: "compile Aqua to AIR", ArgsUsage: "FILE", Action: compile,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "no-relay", Usage: "the initiator is reached directly", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-xor", Usage: "no error handling around on and if", DisableDefaultText: true},
			&cli.BoolFlag{Name: "tracing", Usage: "call tracingSrv when functions are entered and left", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-empty-response", Usage: "functions without results do not respond", DisableDefaultText: true},
		}, sourceFlags...),
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
	options  aqua.Options
}

// sourceOf reads the flags. peers is the number of peers that have names without --on.
func sourceOf(c *cli.Context, peers int) (source, error) {
	file, err := oneFile(c)
	if err != nil {
		return source{}, err
	}
	s := source{file: file, call: c.String("f"), imports: c.StringSlice("import"), services: servicesDir(c, file)}
	s.options = aqua.Options{
		NoRelay: c.Bool("no-relay"), NoXor: c.Bool("no-xor"), Tracing: c.Bool("tracing"), Constants: c.StringSlice("const"),
		EmptyResponse: !c.Bool("no-empty-response"), // a function without results ends too, and somebody waits for it
	}
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
	opts := s.options
	opts.Imports = aqua.Files(aqua.Dirs(append(s.imports, moduleDirs(s.file)...)...))
	opts.Script, opts.Peers, opts.Call, opts.Data = true, s.names, s.call, s.data
	src := aqua.Source{Path: s.file, Text: string(text)}
	r, err := aqua.Compile(src, opts)
	if err == nil || s.services == "" {
		return r, err
	}
	// Services are read only by a script that does not compile without them: a folder beside it may
	// hold other things.
	known, failed := knownServices(s.services)
	if opts.Services = known; len(known) > 0 {
		r, err = aqua.Compile(src, opts)
	}
	if err != nil && failed != nil && lacksFunction(err) {
		return nil, hint(errors.Join(err, fmt.Errorf("services in %s: %w", s.services, failed)), "another folder of services is named with --services")
	}
	return r, err
}

// lacksFunction reports whether a program may fail for want of a service.
func lacksFunction(err error) bool {
	return slices.ContainsFunc(aqua.Diagnostics(err), func(d diag.Diagnostic) bool {
		return strings.HasPrefix(d.Message[0], "Function '") || strings.HasPrefix(d.Message[0], "Name '")
	})
}

// moduleDirs are the node_modules of the folder of a file and of all around it, then that of the working
// directory.
func moduleDirs(file string) (dirs []string) {
	const name = "node_modules"
	if abs, err := filepath.Abs(file); err == nil {
		for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(dir, name))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return append(dirs, name)
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
		fmt.Fprintln(os.Stderr, "hint: name functions in a header line like: export f, g")
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

	callbacks map[string]callback
	results   []types.Type // nil if they are not known
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
	case len(r.Functions) == 1 && onlyCallbacks(&r.Functions[0]):
		return newProgram(&r.Functions[0]), nil
	}
	return nil, noFunction(s, r)
}

func newProgram(f *aqua.Function) *program {
	return &program{
		air: f.AIR, data: map[string]value.Value{}, silent: len(f.Type.Results) == 0,
		callbacks: callbacks(f), results: f.Type.Results,
	}
}

type callback = func(context.Context, []value.Value) (value.Value, error)

// callbacks serve the arguments of a function that are functions: they print their arguments, one
// JSON array a line, and return the simplest value of their type.
func callbacks(f *aqua.Function) map[string]callback {
	all := map[string]callback{}
	for _, a := range f.Args {
		t, ok := a.Type.(*types.Arrow)
		if !ok {
			continue
		}
		zero := value.Array(nil)
		if len(t.Results) > 0 {
			if v, err := value.Parse(string(aqua.Zero(t.Results[0]))); err == nil {
				zero = v
			}
		}
		all[a.Name] = func(_ context.Context, args []value.Value) (value.Value, error) {
			for i := range args {
				if i < len(t.Args) {
					args[i] = fromAqua(t.Args[i].Type, args[i])
				}
			}
			fmt.Println(value.Array(args).Text())
			return zero, nil
		}
	}
	return all
}

// fromAqua is a value as clients return it.
func fromAqua(t types.Type, v value.Value) value.Value {
	text, err := aqua.FromAqua(t, []byte(v.Text()))
	if err != nil {
		return v
	}
	out, err := value.Parse(string(text))
	if err != nil {
		return v
	}
	return out
}

// onlyCallbacks reports whether a function can be run without arguments.
func onlyCallbacks(f *aqua.Function) bool {
	return !slices.ContainsFunc(f.Args, func(a aqua.Arg) bool { return !a.Callback })
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
