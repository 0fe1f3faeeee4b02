// Package aqua compiles Aqua, a language for programs that run over several
// peers, to AIR, the language peers execute.
//
//	r, err := aqua.Compile(aqua.Source{Path: "hello.aqua", Text: text}, aqua.Options{})
//
// A compilation is a pipeline of packages, each usable alone:
//
//	syntax    text to a syntax tree
//	check     names, types, imports and diagnostics; a syntax tree to package ir
//	inline    functions, closures and abilities disappear: package ir to package step
//	topology  places become hops between peers, within package step
//	emit      package step to AIR, and the definitions that clients interpret
//
// # Contract with the host
//
// The script of a function fetches its arguments by calls of service "getDataSrv" at
// the initiating peer: the function is the name of the argument, or "-relay-" for the
// peer ID of the relay. It returns results by one call of ("callbackSrv" "response"),
// and an error by ("errorHandlingSrv" "error") with the error object and a number. It
// calls arguments that are functions as ("callbackSrv" name). [Function].Def describes
// this to clients.
//
// # Scripts
//
// With [Options].Script set, a file needs no "aqua" header and may have statements
// outside of functions: together they are a function called main. It returns the
// value of its return statement, or else of its last statement; see package check.
// Names of [Options].Peers stand for peer IDs. A function that is not declared
// belongs to the one service of [Options].Services that has it, with unknown types.
//
// # Deviations
//
// The compiler accepts the programs that aqua-api 0.14.6 accepts and generates the same
// code, except where that code is wrong. README.md in this folder lists the exceptions.
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

// Source is a program: its text and its path. Imports resolve relative to the
// directory of the path.
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
	Services []ServiceInfo     // scripts: services whose functions need no declaration

	// Call is a call of one of the functions, as `greet("bob", n)`. Its arguments
	// are literals, lists of literals, and names of Data. Result.Call has the function
	// and the arguments.
	Call string
	Data map[string]json.RawMessage
}

// ServiceInfo names the functions of a service.
type ServiceInfo struct {
	ID        string
	Functions []string
}

// Result is the result of a compilation.
type Result struct {
	Functions []Function // exported functions, in the order of the export lines
	Services  []Service  // exported services
	Main      *Function  // of a script with top-level statements; also the last of Functions
	Call      *Call      // for Options.Call
	Warnings  diag.List
}

// Function is an exported function.
type Function struct {
	Name string
	AIR  string    // the script
	Tree air.Instr // the script as a tree, without spans
	Args []Arg     // in order
	Type *types.Arrow
	Def  emit.FunctionDef // for clients; marshals to its JSON form
}

// Arg is an argument of a function. Callback is set for an argument that is a
// function: the host serves it, and passes no value.
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

// Compile compiles a program. The error is a [diag.List] if the program is wrong.
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
			return nil, diag.List{{
				Kind: diag.Other, Source: fn.Place.Source, Span: fn.Place.Span,
				Message: []string{fmt.Sprintf("function '%s': %v", fn.Name, err)},
			}}
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
	cfg := check.Config{
		NoRelay: o.NoRelay, Constants: o.Constants, Script: o.Script, Peers: o.Peers,
	}
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
		NoRelay: opts.NoRelay, NoXor: opts.NoXor,
		EmptyResponse: opts.EmptyResponse, Tracing: opts.Tracing,
	})
	if err != nil {
		return Function{}, err
	}
	tree := emit.AIR(topology.Resolve(root, start))
	f := Function{
		Name: fn.Name, AIR: air.Format(tree), Tree: tree, Type: fn.Func.Type,
		Def: emit.Function(fn.Name, fn.Func.Type),
	}
	for _, a := range fn.Func.Type.Args {
		f.Args = append(f.Args, Arg{a.Name, a.Type, types.IsArrow(a.Type)})
	}
	return f, nil
}

func service(s ir.Service) Service {
	return Service{Name: s.Name, Def: emit.Service(s.ID, s.Type)}
}

// Diagnostics returns the diagnostics in an error of [Compile].
func Diagnostics(err error) diag.List {
	var list diag.List
	if errors.As(err, &list) {
		return list
	}
	return nil
}
