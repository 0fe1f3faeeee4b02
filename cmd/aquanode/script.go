package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/types"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/runs"
)

// loadScript compiles a file, or reads it if it is AIR.
func loadScript(s source) (runs.Script, error) {
	if filepath.Ext(s.file) == ".air" {
		return loadAIR(s)
	}
	r, err := compileFile(s)
	if err != nil {
		return runs.Script{}, err
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	script, err := runs.Of(r)
	switch {
	case errors.Is(err, runs.ErrNothing), errors.Is(err, runs.ErrNoCall):
		return script, noFunction(s, r)
	case err == nil:
		script.Callbacks = callbacks(script.Function())
	}
	return script, err
}

func loadAIR(s source) (runs.Script, error) {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return runs.Script{}, err
	}
	script := runs.Script{AIR: string(text), Data: map[string]any{}}
	for name, raw := range s.data {
		if script.Data[name], err = value.Parse(string(raw)); err != nil {
			return script, fmt.Errorf("--data: %s: %w", name, err)
		}
	}
	return script, nil
}

func noFunction(s source, r *aqua.Result) error {
	if len(r.Functions) == 0 {
		return hint(usagef("%s has nothing to run", s.file),
			"write statements outside of functions, or export a function")
	}
	err := usagef("%s exports several functions, or one with arguments: choose one with -f", s.file)
	return hint(err, "-f '%s(...)'", r.Functions[0].Name)
}

// callbacks returns the arguments of f that are functions. They print their arguments, one JSON
// array a line, and return the zero value of their type.
func callbacks(f *aqua.Function) map[string]runs.Callback {
	all := map[string]runs.Callback{}
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
			fmt.Println(value.Array(args).Text())
			return zero, nil
		}
	}
	return all
}
