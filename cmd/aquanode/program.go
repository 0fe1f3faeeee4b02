package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/types"
	"github.com/aquanode/aquanode/interpreter/value"
)

// program is a script ready to run.
type program struct {
	air    string
	data   map[string]value.Value
	silent bool // the script has no result

	callbacks map[string]callback
	results   []types.Type // nil if unknown
}

// loadProgram compiles a file, or reads it if it is AIR.
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

// onlyCallbacks reports whether a function can be run without arguments.
func onlyCallbacks(f *aqua.Function) bool {
	return !slices.ContainsFunc(f.Args, func(a aqua.Arg) bool { return !a.Callback })
}

func noFunction(s source, r *aqua.Result) error {
	if len(r.Functions) == 0 {
		return hint(usagef("%s has nothing to run", s.file),
			"write statements outside of functions, or export a function")
	}
	err := usagef("%s exports several functions, or one with arguments: choose one with -f", s.file)
	return hint(err, "-f '%s(...)'", r.Functions[0].Name)
}

type callback = func(context.Context, []value.Value) (value.Value, error)

// callbacks returns the arguments of f that are functions. They print their arguments, one JSON
// array a line, and return the zero value of their type.
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

// fromAqua converts a value of an Aqua type to the form that clients return.
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
