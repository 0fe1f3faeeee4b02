package services

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Funcs is a service with a handler for each function:
//
//	services.Funcs{"greet": services.Func(greet, "name"), "forget": services.HandlerFunc(forget)}
type Funcs map[string]Handler

// Functions returns the names of the functions.
func (f Funcs) Functions() []string { return slices.Sorted(maps.Keys(f)) }

// Signatures describes the functions that are typed.
func (f Funcs) Signatures() (all []Signature) {
	for _, name := range f.Functions() {
		if t, ok := f[name].(*typed); ok {
			all = append(all, t.signature(name))
		}
	}
	return all
}

// Call calls a function.
func (f Funcs) Call(ctx context.Context, c *Call) (value.Value, error) {
	if h := f[c.Function]; h != nil {
		return h.Call(ctx, c)
	}
	return value.Value{}, Errorf("Service '%s' has no function '%s', it has: %s",
		Cut(c.Service), Cut(c.Function), strings.Join(f.Functions(), ", "))
}

func (f Funcs) check() error {
	if len(f) == 0 {
		return errors.New("it has no functions")
	}
	var errs []error
	for _, name := range f.Functions() {
		if t, ok := f[name].(*typed); ok && t.wrong != nil {
			errs = append(errs, fmt.Errorf("function %q: %w", name, t.wrong))
		} else if f[name] == nil {
			errs = append(errs, fmt.Errorf("function %q is nil", name))
		}
	}
	return errors.Join(errs...)
}

// Func makes a handler of a Go function, for [Funcs]. Its shape is
//
//	func([context.Context,] [*Call,] arguments...) ([result,] [error])
//
// Arguments and result are JSON, by the rules of encoding/json. The last argument may be variadic.
// A call with another number of arguments, or with one that does not fit its type, is answered
// with an error that names the argument. names are those of the arguments, for these errors and
// for the description of the service.
//
// A function of another shape is refused when it is registered.
func Func(f any, names ...string) Handler {
	t := &typed{f: reflect.ValueOf(f), names: names}
	t.wrong = t.inspect()
	return t
}

// typed is a Go function and its shape.
type typed struct {
	f       reflect.Value
	wrong   error // why it is not a handler
	ctx     bool
	call    bool
	args    []reflect.Type // the last one is the element type of a variadic argument
	weights []int64        // bytes that an element of JSON may take in an argument of that type
	names   []string
	more    bool // the last argument is variadic
	result  bool
	err     bool
}

var (
	contextType = reflect.TypeFor[context.Context]()
	callType    = reflect.TypeFor[*Call]()
	errorType   = reflect.TypeFor[error]()
	valueType   = reflect.TypeFor[value.Value]()
)

// check refuses a function that is registered without a name.
func (t *typed) check() error {
	if t.wrong != nil {
		return t.wrong
	}
	return errors.New(`the function has no name; write services.Funcs{"name": services.Func(f)}`)
}

func (t *typed) inspect() error {
	if !t.f.IsValid() || t.f.Kind() != reflect.Func {
		return errors.New("what was given to services.Func is not a function")
	}
	if t.f.IsNil() {
		return errors.New("the function is nil")
	}
	shape := t.f.Type()
	in := slices.Collect(shape.Ins())
	if len(in) > 0 && in[0] == contextType {
		t.ctx, in = true, in[1:]
	}
	if len(in) > 0 && in[0] == callType {
		t.call, in = true, in[1:]
	}
	if t.args = in; shape.IsVariadic() {
		t.more = true
		in[len(in)-1] = in[len(in)-1].Elem()
	}
	if len(t.names) > len(t.args) {
		return fmt.Errorf("%s has %d arguments, but names for %d", shape, len(t.args), len(t.names))
	}
	for i, arg := range t.args {
		if err := carried(arg, false, nil); err != nil {
			return fmt.Errorf("%s of %s: %w", t.argument(i), shape, err)
		}
		t.weights = append(t.weights, weight(arg, nil))
	}
	return t.inspectResults(shape)
}

func (t *typed) inspectResults(shape reflect.Type) error {
	out := slices.Collect(shape.Outs())
	if n := len(out); n > 0 && out[n-1] == errorType {
		t.err, out = true, out[:n-1]
	}
	switch len(out) {
	case 0:
		return nil
	case 1:
		t.result = true
	default:
		return fmt.Errorf("%s returns more than a result and an error; return a struct", shape)
	}
	if err := carried(out[0], true, nil); err != nil {
		return fmt.Errorf("result of %s: %w", shape, err)
	}
	return nil
}

// carried reports why values of a type do not travel as JSON.
func carried(t reflect.Type, out bool, inside []reflect.Type) error {
	if t == valueType || custom(t, out) || slices.Contains(inside, t) {
		return nil
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("JSON cannot carry a %s", t)
	case reflect.Interface:
		if !out && t.NumMethod() > 0 {
			return fmt.Errorf("nothing says what to decode into for the interface %s", t)
		}
	case reflect.Map:
		if !keyed(t.Key()) {
			return fmt.Errorf("JSON has no keys of type %s", t.Key())
		}
		return carried(t.Elem(), out, inside)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return carried(t.Elem(), out, inside)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			if err := carried(f.Type, out, inside); err != nil {
				return fmt.Errorf("field %s: %w", f.Name, err)
			}
		}
	}
	return nil
}

// custom reports whether a type encodes or decodes itself.
func custom(t reflect.Type, out bool) bool {
	if out {
		return t.Implements(reflect.TypeFor[json.Marshaler]()) ||
			t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func keyed(t reflect.Type) bool {
	switch k := t.Kind(); {
	case k == reflect.String, k >= reflect.Int && k <= reflect.Uintptr:
		return true
	}
	return custom(t, true) && custom(t, false)
}

// anyWeight is what a JSON value takes as an any, in a map: its header, its key, its box.
const anyWeight = 128

// weight is the most that one element of JSON makes of memory in a value of a type: [0,0] is an
// array of as many structs as it has elements, however large they are.
func weight(t reflect.Type, inside []reflect.Type) int64 {
	if slices.Contains(inside, t) {
		return 0
	}
	inside = append(inside, t)
	switch t.Kind() {
	case reflect.Interface:
		return anyWeight
	case reflect.Slice, reflect.Pointer:
		// A slice grows to twice its length.
		return max(2*int64(t.Elem().Size()), weight(t.Elem(), inside))
	case reflect.Array:
		return weight(t.Elem(), inside)
	case reflect.Map:
		return max(anyWeight+int64(t.Key().Size()+t.Elem().Size()), weight(t.Elem(), inside))
	case reflect.Struct:
		most := int64(0)
		for i := range t.NumField() {
			most = max(most, weight(t.Field(i).Type, inside))
		}
		return most
	}
	return 0
}

// memory bounds what decoding an argument takes.
func memory(text string, weight int64) int64 {
	n := int64(len(text))
	if weight > 0 {
		elements := strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{")
		n += int64(elements) * weight
	}
	return n
}

// Call decodes the arguments, calls the function and encodes its result.
func (t *typed) Call(ctx context.Context, c *Call) (value.Value, error) {
	if t.wrong != nil {
		return value.Value{}, t.wrong
	}
	in, err := t.decode(ctx, c)
	if err != nil {
		return value.Value{}, err
	}
	out := t.f.Call(in)
	if t.err {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return value.Value{}, err
		}
	}
	if !t.result {
		return value.EmptyString, nil // as built-in functions without a result
	}
	if out[0].Kind() == reflect.Slice && out[0].IsNil() {
		return value.Array(nil), nil
	}
	v, err := value.FromGo(out[0].Interface())
	if err != nil {
		return value.Value{}, fmt.Errorf("result of function '%s': %w", Cut(c.Function), err)
	}
	return v, nil
}

func (t *typed) decode(ctx context.Context, c *Call) ([]reflect.Value, error) {
	if len(c.Args) != len(t.args) && !(t.more && len(c.Args) >= len(t.args)-1) {
		return nil, Errorf("function '%s' takes %s, not %d", Cut(c.Function), t.count(), len(c.Args))
	}
	in := make([]reflect.Value, 0, len(c.Args)+2)
	if t.ctx {
		in = append(in, reflect.ValueOf(ctx))
	}
	if t.call {
		in = append(in, reflect.ValueOf(c))
	}
	for i, arg := range c.Args {
		shape := min(i, len(t.args)-1)
		if err := c.Grow(memory(arg.Text(), t.weights[shape])); err != nil {
			return nil, err
		}
		v := reflect.New(t.args[shape])
		if err := arg.Decode(v.Interface()); err != nil {
			return nil, Errorf("%s of function '%s': %s", t.argument(i), Cut(c.Function), err)
		}
		in = append(in, v.Elem())
	}
	return in, nil
}

func (t *typed) argument(i int) string {
	if i < len(t.names) {
		return fmt.Sprintf("argument '%s'", t.names[i])
	}
	return fmt.Sprintf("argument %d", i+1)
}

// count describes how many arguments the function takes.
func (t *typed) count() string {
	n, most := len(t.args), ""
	if t.more {
		n, most = n-1, "at least "
	}
	if n == 1 {
		return most + "1 argument"
	}
	return fmt.Sprintf("%s%d arguments", most, n)
}

func (t *typed) signature(name string) Signature {
	s := Signature{Name: name, Arguments: []Parameter{}, Outputs: []string{}}
	for i, arg := range t.args {
		p := Parameter{Name: fmt.Sprintf("arg%d", i+1), Type: interfaceType(arg)}
		if i < len(t.names) {
			p.Name = t.names[i]
		}
		s.Arguments = append(s.Arguments, p)
	}
	if t.result {
		s.Outputs = append(s.Outputs, interfaceType(t.f.Type().Out(0)))
	}
	return s
}

// interfaceType is a Go type as interfaces of services write it, "any" where they have no word.
func interfaceType(t reflect.Type) string {
	if custom(t, true) || custom(t, false) {
		return "any"
	}
	switch k := t.Kind(); k {
	case reflect.String, reflect.Bool:
		return k.String()
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strings.Replace(k.String(), "int", "s", 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strings.Replace(k.String(), "uint", "u", 1)
	case reflect.Int:
		return "s64"
	case reflect.Uint:
		return "u64"
	case reflect.Float32:
		return "f32"
	case reflect.Float64:
		return "f64"
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // those are base64 in JSON
			return "[]" + interfaceType(t.Elem())
		}
	}
	return "any"
}
