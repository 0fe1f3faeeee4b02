// Package aqua compiles Aqua, a language for programs that run over several
// peers, to AIR, the language peers execute.
//
//	r, err := aqua.Compile(aqua.Source{Path: "hello.aqua", Text: text}, aqua.Options{})
//
// A compilation goes through packages of their own, each usable alone:
//
//	syntax    text to tree
//	check     names and types; imports; what is wrong, in words
//	inline    functions, closures and abilities disappear; expressions become steps
//	topology  places become hops between peers
//	emit      AIR, and the definitions clients interpret
//
// # Contract with the host
//
// The script of a function fetches its arguments by calls of service
// "getDataSrv" at the initiating peer (function = name of the argument, and
// "-relay-" for the peer id of the relay), hands results over by one call of
// ("callbackSrv" "response") and an error by ("errorHandlingSrv" "error") with the
// error object and a number. Arguments that are functions are called as
// ("callbackSrv" name). [Function].Def says so to programs.
//
// # Scripts
//
// With [Options].Script set, a file may lack the "aqua" header and may hold
// statements outside of functions: together they are a function called main.
// What it returns is described at package check: in short, an explicit return
// or else what the last statement yields. Names of [Options].Peers stand for peer
// ids, and a function that is not declared belongs to the one service of
// [Options].Services that has it; nothing is known about its types.
//
// # Deviations
//
// The compiler accepts what aqua-api 0.14.6 accepts and generates the same code,
// except where that code is wrong; README.md beside this file has the list.
package aqua

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aquanode/aquanode/aqua/check"
	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/emit"
	"github.com/aquanode/aquanode/aqua/inline"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/topology"
	"github.com/aquanode/aquanode/aqua/types"
	"github.com/aquanode/aquanode/interpreter/air"
)

// Source is a program: its text and the path it is known under. Imports resolve
// relative to the directory of the path.
type Source struct {
	Path string
	Text string
}

// Options of a compilation. The zero value compiles like the published compiler
// with its defaults, with all imports unresolved.
type Options struct {
	Imports   Resolver // finds imported files; [Files] is one that reads the disk
	Constants []string // further constants, as `NAME = literal`

	NoRelay       bool // the initiator has no relay
	NoXor         bool // no error handling around on and if
	EmptyResponse bool // respond even when a function has no results
	Tracing       bool // call tracingSrv when functions are entered and left

	Script   bool              // accept scripts
	Peers    map[string]string // scripts: names that stand for peer ids
	Services []ServiceInfo     // scripts: where undeclared functions are looked for

	// Call is a call of one of the functions, as `greet("bob", n)`. Its arguments
	// are literals, lists of literals, and names of Data. The result says which
	// function to run with which arguments.
	Call string
	Data map[string]json.RawMessage
}

// ServiceInfo names the functions of a service.
type ServiceInfo struct {
	ID        string
	Functions []string
}

// Result is what a compilation gives.
type Result struct {
	Functions []Function // exported functions, in the order of the export lines
	Services  []Service  // exported services
	Main      *Function  // of a script with top-level statements; also the last of Functions
	Call      *Call      // answer to Options.Call
	Warnings  diag.List
}

// Function is an exported function.
type Function struct {
	Name string
	AIR  string    // the script
	Tree air.Instr // the script as a tree, without spans
	Args []Arg     // in order
	Type *types.Arrow
	Def  emit.FunctionDef // as clients take it; marshals to its JSON form
}

// Arg is an argument of a function. Callback is set for arguments that are
// functions: the host serves them, nothing is passed.
type Arg struct {
	Name     string
	Type     types.Type
	Callback bool
}

// Service is an exported service.
type Service struct {
	Name string
	Def  emit.ServiceDef
}

// Function finds an exported function by name.
func (r *Result) Function(name string) (*Function, bool) {
	for i := range r.Functions {
		if r.Functions[i].Name == name {
			return &r.Functions[i], true
		}
	}
	return nil, false
}

// Compile compiles a program. The error is a [diag.List] if something is wrong
// with the program.
func Compile(src Source, opts Options) (*Result, error) {
	entry := diag.NewSource(src.Path, src.Text)
	program, diags := check.Check(entry, opts.checkConfig())
	if errs := diags.Errors(); len(errs) > 0 {
		return nil, diags
	}
	r := &Result{Warnings: diags.Warnings()}
	for _, fn := range program.Functions {
		f, err := generate(fn, opts)
		if err != nil {
			return nil, diag.List{{Kind: diag.Other, Source: fn.Place.Source, Span: fn.Place.Span, Message: []string{fmt.Sprintf("function '%s': %v", fn.Name, err)}}}
		}
		r.Functions = append(r.Functions, f)
	}
	for _, s := range program.Services {
		r.Services = append(r.Services, service(s))
	}
	if program.Main != nil {
		r.Main = &r.Functions[len(r.Functions)-1]
	}
	if opts.Call != "" {
		call, errs := resolveCall(r, opts)
		if len(errs) > 0 {
			return nil, errs
		}
		r.Call = call
	}
	return r, nil
}

func (o Options) checkConfig() check.Config {
	cfg := check.Config{NoRelay: o.NoRelay, Constants: o.Constants, Script: o.Script, Peers: o.Peers}
	for _, s := range o.Services {
		cfg.Services = append(cfg.Services, check.KnownService(s))
	}
	if o.Imports != nil {
		cfg.Load = func(from *diag.Source, path string) (*diag.Source, []string) {
			src, tried, ok := o.Imports(from.Name, path)
			if !ok {
				return nil, tried
			}
			return diag.NewSource(src.Path, src.Text), tried
		}
	}
	return cfg
}

func generate(fn check.Function, opts Options) (Function, error) {
	root, start, err := inline.Export(fn.Func, inline.Options{
		NoRelay: opts.NoRelay, NoXor: opts.NoXor, EmptyResponse: opts.EmptyResponse, Tracing: opts.Tracing,
	})
	if err != nil {
		return Function{}, err
	}
	tree := emit.AIR(topology.Resolve(root, start))
	f := Function{Name: fn.Name, AIR: air.Format(tree), Tree: tree, Type: fn.Func.Type, Def: emit.Function(fn.Name, fn.Func.Type)}
	for _, a := range fn.Func.Type.Args {
		f.Args = append(f.Args, Arg{a.Name, a.Type, types.IsArrow(a.Type)})
	}
	return f, nil
}

func service(s ir.Service) Service {
	return Service{Name: s.Name, Def: emit.Service(s.ID, s.Type)}
}

// Diagnostics are the problems in an error of [Compile].
func Diagnostics(err error) diag.List {
	var list diag.List
	if errors.As(err, &list) {
		return list
	}
	return nil
}
