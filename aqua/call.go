package aqua

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// Call is a function with the values of its arguments.
type Call struct {
	Function *Function
	Args     []CallArg // without callbacks
}

// CallArg is an argument by name, as the host passes it.
type CallArg struct {
	Name string
	JSON json.RawMessage
}

// resolveCall reads Options.Call and checks it against the functions.
func resolveCall(r *Result, opts Options) (*Call, diag.List) {
	src := diag.NewSource("call", opts.Call)
	c := &callReader{src: src, data: opts.Data}
	x, diags := syntax.ParseExpr(src)
	if len(diags) > 0 {
		return nil, diags
	}
	apply, ok := x.(*syntax.Apply)
	if !ok {
		c.fail(x.At(), "Missing braces '()' after the function call", `write a call, as in greet("bob")`)
		return nil, c.diags
	}
	name, ok := apply.Fn.(*syntax.Ident)
	if !ok {
		c.fail(apply.Fn.At(), "Only functions of the file can be called", "")
		return nil, c.diags
	}
	fn, ok := r.Function(name.Name.Text)
	if !ok {
		c.fail(name.Name.Span, fmt.Sprintf("There is no function '%s' or it is not exported. Check the spelling.", name.Name.Text), exported(r))
		return nil, c.diags
	}
	call := &Call{Function: fn, Args: c.args(fn, apply)}
	return call, c.diags
}

func exported(r *Result) string {
	var names []string
	for _, f := range r.Functions {
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return "no functions are exported"
	}
	return "exported are " + strings.Join(names, ", ")
}

// callReader turns the arguments of a call into JSON.
type callReader struct {
	src   *diag.Source
	data  map[string]json.RawMessage
	diags diag.List
}

func (c *callReader) fail(span diag.Span, message, hint string) {
	d := diag.New(diag.Error, c.src, span, message)
	d.Hint = hint
	c.diags = append(c.diags, d)
}

// args pairs the values with the arguments. Arguments that are functions are
// served by the host and are not written.
func (c *callReader) args(fn *Function, x *syntax.Apply) (list []CallArg) {
	var want []Arg
	for _, a := range fn.Args {
		if !a.Callback {
			want = append(want, a)
		}
	}
	if len(want) != len(x.Args) {
		c.fail(x.Span, fmt.Sprintf("Number of arguments for the function is incorrect. Expected: %d. Actual: %d", len(want), len(x.Args)),
			fn.Name+"("+signature(want)+")")
		return nil
	}
	for i, a := range want {
		text, t, ok := c.value(x.Args[i])
		if !ok {
			continue
		}
		if t != nil && !types.Accepts(a.Type, t) {
			c.fail(x.Args[i].At(), fmt.Sprintf("Type of the field '%s' is incorrect. Expected: '%s' Actual: '%s'", a.Name, a.Type, t), "")
			continue
		}
		list = append(list, CallArg{a.Name, text})
	}
	return list
}

func signature(args []Arg) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.Name + ": " + a.Type.String()
	}
	return strings.Join(parts, ", ")
}

// value is the JSON of an argument and its type, nil for values of Data.
func (c *callReader) value(x syntax.Expr) (json.RawMessage, types.Type, bool) {
	switch x := x.(type) {
	case *syntax.Literal:
		text, t := literalJSON(x)
		if t == nil {
			break
		}
		return text, t, true
	case *syntax.Ident:
		text, ok := c.data[x.Name.Text]
		if !ok {
			c.fail(x.Name.Span, "Argument '"+x.Name.Text+"' has no value", "give it as data: {\""+x.Name.Text+"\": ...}")
		} else if !json.Valid(text) {
			c.fail(x.Name.Span, "The value of '"+x.Name.Text+"' is not JSON", "")
			ok = false
		}
		return text, nil, ok
	case *syntax.Collection:
		return c.list(x)
	case *syntax.Apply:
		c.fail(x.Span, "Function calls as arguments are not supported.", "")
		return nil, nil, false
	}
	c.fail(x.At(), "Unsupported argument.", "arguments are literals, lists of literals, and names given as data")
	return nil, nil, false
}

// list is [a, b] or ?[a] of literals of one type.
func (c *callReader) list(x *syntax.Collection) (json.RawMessage, types.Type, bool) {
	var elem types.Type = types.Bottom{}
	var parts []string
	for i, item := range x.Items {
		lit, ok := item.(*syntax.Literal)
		var text json.RawMessage
		var t types.Type
		if ok {
			text, t = literalJSON(lit)
		}
		if t == nil {
			c.fail(item.At(), "Array elements can only be numbers, strings, or booleans.", "")
			return nil, nil, false
		}
		switch both := types.Union(elem, t).(type) {
		case types.Top:
			c.fail(item.At(), "If the argument is an array, then it must contain elements of the same type.", "")
			return nil, nil, false
		default:
			elem = both
		}
		if x.Kind == syntax.Option && i > 0 {
			continue // the first is taken
		}
		parts = append(parts, string(text))
	}
	text := json.RawMessage("[" + strings.Join(parts, ",") + "]")
	if x.Kind == syntax.Option {
		return text, types.Option{Elem: elem}, true
	}
	return text, types.Array{Elem: elem}, true
}

// literalJSON is the JSON form and the type of a literal; the type is nil for
// %init_peer_id%, which has no value before the script runs.
func literalJSON(x *syntax.Literal) (json.RawMessage, types.Type) {
	switch x.Kind {
	case syntax.String:
		text, _ := json.Marshal(x.Text[1 : len(x.Text)-1]) // strings always marshal
		return text, types.StringLit
	case syntax.Bool:
		return json.RawMessage(x.Text), types.BoolLit
	case syntax.Unsigned:
		return json.RawMessage(x.Text), types.UnsignedLit
	case syntax.Signed:
		return json.RawMessage(x.Text), types.SignedLit
	case syntax.Float:
		return json.RawMessage(x.Text), types.FloatLit
	}
	return nil, nil
}
