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

// CallArg is the value of an argument, in the form that the host passes.
type CallArg struct {
	Name string
	JSON json.RawMessage
}

// resolveCall parses Options.Call and checks it against the functions.
func resolveCall(r *Result, opts Options) (*Call, diag.List) {
	src := diag.NewSource("call", opts.Call)
	c := &callReader{src: src, data: opts.Data}
	x, diags := syntax.ParseCall(src)
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
		c.fail(name.Name.Span, fmt.Sprintf(
			"There is no function '%s' or it is not exported. Check the spelling.", name.Name.Text),
			exported(r))
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
		return "the file exports no functions"
	}
	return "the file exports " + strings.Join(names, ", ")
}

// callReader converts the arguments of a call to JSON.
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

// args pairs values with arguments. The host serves arguments that are functions: the call leaves
// them out, or has names in their places.
func (c *callReader) args(fn *Function, x *syntax.Apply) (list []CallArg) {
	var want []Arg
	for _, a := range fn.Args {
		if !a.Callback {
			want = append(want, a)
		}
	}
	given := x.Args
	if len(given) == len(fn.Args) && len(want) < len(given) {
		given = nil
		for i, a := range fn.Args {
			if !a.Callback {
				given = append(given, x.Args[i])
			} else if _, ok := x.Args[i].(*syntax.Ident); !ok {
				c.fail(x.Args[i].At(), "Argument '"+a.Name+"' is a function, which the caller serves",
					"leave it out, or write a name")
				return nil
			}
		}
	}
	if len(want) != len(given) {
		c.fail(x.Span, fmt.Sprintf(
			"Number of arguments for the function is incorrect. Expected: %d. Actual: %d",
			len(want), len(given)), fn.Name+"("+signature(want)+")")
		return nil
	}
	for i, a := range want {
		if text, ok := c.arg(a, given[i]); ok {
			list = append(list, CallArg{a.Name, text})
		}
	}
	return list
}

// arg converts a value to the form that the script takes for an argument.
func (c *callReader) arg(a Arg, x syntax.Expr) (json.RawMessage, bool) {
	text, t, ok := c.value(x)
	if !ok {
		return nil, false
	}
	o, isOption := a.Type.(types.Option)
	_, written := t.(types.Option)
	if isOption && t != nil && !written && types.Accepts(o.Elem, t) {
		t = nil // a value for ?T
	}
	if t != nil && !types.Accepts(a.Type, t) {
		c.fail(x.At(), fmt.Sprintf("Type of the field '%s' is incorrect. Expected: '%s' Actual: '%s'",
			a.Name, a.Type, t), "")
		return nil, false
	}
	out, err := ToAqua(a.Type, text)
	if isOption && written {
		out, err = optionToAqua(o, text)
	}
	if err != nil {
		c.fail(x.At(), "Argument '"+a.Name+"': "+err.Error(), "it is declared as "+a.Name+": "+a.Type.String())
		return nil, false
	}
	return out, true
}

func signature(args []Arg) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.Name + ": " + a.Type.String()
	}
	return strings.Join(parts, ", ")
}

// value returns the JSON of an argument and its type, nil for values of Data.
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
		if !ok && x.Name.Text == "nil" {
			return json.RawMessage("[]"), types.Option{Elem: types.Bottom{}}, true
		}
		if !ok {
			c.fail(x.Name.Span, "Argument '"+x.Name.Text+"' has no value",
				"add it to the data: {\""+x.Name.Text+"\": ...}")
		} else if !json.Valid(text) {
			c.fail(x.Name.Span, "The value of '"+x.Name.Text+"' is not JSON", "")
			ok = false
		}
		return text, nil, ok
	case *syntax.Collection:
		return c.list(x)
	case *syntax.Apply:
		c.fail(x.Span, "Function calls as arguments are not supported.", argumentForms)
		return nil, nil, false
	}
	c.fail(x.At(), "Unsupported argument.", argumentForms)
	return nil, nil, false
}

const argumentForms = "an argument is a literal, a list of literals, or a name in the data"

// list is [a, b] or ?[a] of values of one type.
func (c *callReader) list(x *syntax.Collection) (json.RawMessage, types.Type, bool) {
	var elem types.Type = types.Bottom{}
	var parts []string
	for i, item := range x.Items {
		text, t, ok := c.item(item)
		if !ok {
			return nil, nil, false
		}
		switch both := types.Union(elem, t).(type) {
		case types.Top:
			c.fail(item.At(),
				"If the argument is an array, then it must contain elements of the same type.", "")
			return nil, nil, false
		default:
			elem = both
		}
		if x.Kind == syntax.Option && i > 0 {
			continue // an option has the first
		}
		parts = append(parts, string(text))
	}
	text := json.RawMessage("[" + strings.Join(parts, ",") + "]")
	if x.Kind == syntax.Option {
		return text, types.Option{Elem: elem}, true
	}
	return text, types.Array{Elem: elem}, true
}

// item is an element of a list: a literal, nil or a list.
func (c *callReader) item(x syntax.Expr) (json.RawMessage, types.Type, bool) {
	switch x := x.(type) {
	case *syntax.Literal:
		if text, t := literalJSON(x); t != nil {
			return text, t, true
		}
	case *syntax.Ident:
		if _, given := c.data["nil"]; x.Name.Text == "nil" && !given {
			return json.RawMessage("[]"), types.Option{Elem: types.Bottom{}}, true
		}
	case *syntax.Collection:
		return c.list(x)
	}
	c.fail(x.At(),
		"Array elements can only be numbers, strings, booleans, nil and arrays of these.", "")
	return nil, nil, false
}

// unescape replaces the escapes in strings of a call. Aqua itself has none.
var unescape = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// literalJSON returns the JSON form and the type of a literal. The type is nil for %init_peer_id%,
// which has no value before the script runs.
func literalJSON(x *syntax.Literal) (json.RawMessage, types.Type) {
	switch x.Kind {
	case syntax.String:
		text, _ := encode(unescape.Replace(x.Text[1 : len(x.Text)-1])) // strings always encode
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
