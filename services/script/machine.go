package script

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

//go:embed prelude.js
var preludeText string

var prelude = goja.MustCompile("prelude.js", preludeText, true)

// matchTimeout ends a step of a regular expression with lookaround or backreferences, which may take
// time exponential in the text; then it has found nothing. Others take linear time.
const matchTimeout = 10 * time.Second

func init() { regexp2.DefaultMatchTimeout = matchTimeout } // goja has no other way to it

// A machine is a JavaScript runtime in which a file was run.
type machine struct {
	service   *Service
	rt        *goja.Runtime
	exports   goja.Value // "this" of the functions; undefined for declared ones
	functions map[string]goja.Callable
	job       *job   // what runs now
	growth    uint64 // of memory that ends a job
	reset     func() // takes the runtime out of a call that failed

	signatures []services.Signature

	// Taken before the file runs, which may replace them.
	parse, stringify, describe, functionText, match goja.Callable
}

// start makes a runtime and runs the file in it.
func start(ctx context.Context, s *Service) (*machine, error) {
	rt := goja.New()
	m := &machine{service: s, rt: rt, functions: map[string]goja.Callable{}, growth: maxGrowth, reset: resetter(rt)}
	m.rt.SetMaxCallStackSize(maxCallDepth)
	if err := m.defineGlobals(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.file, err)
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	err := m.during(ctx, nil, func(*job) error {
		err := m.try(func() error {
			if _, err := m.rt.RunProgram(s.source.program); err != nil {
				return err
			}
			return m.findFunctions()
		})
		return m.loadError(err)
	})
	if err != nil {
		return nil, s.located(err)
	}
	return m, nil
}

// loadError says where the top level of the file failed. It shows what was thrown.
func (m *machine) loadError(err error) error {
	var ex *goja.Exception
	if !errors.As(err, &ex) {
		return err
	}
	e := &Error{File: m.service.file, Line: 1, Column: 1, Message: m.show(ex.Value())}
	for _, frame := range ex.Stack() {
		if p := frame.Position(); p.Line > 0 {
			e.Line, e.Column = p.Line, p.Column
			break
		}
	}
	return e
}

// located names the file in an error, unless it does so itself.
func (s *Service) located(err error) error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return errEndless(s.file)
	}
	return &Error{File: s.file, Line: 1, Column: 1, Message: interruption(err).Error()}
}

func errEndless(file string) error {
	return &Error{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("its top level did not end within %v", loadTime)}
}

// show is a value as text, for an error.
func (m *machine) show(v goja.Value) string {
	text := "an exception that cannot be shown"
	_ = m.try(func() error { text = services.Cut(v.String()); return nil })
	return text
}

// findFunctions takes the exported functions, or else the declared ones.
func (m *machine) findFunctions() error {
	// Not by way of the global object: the file may have removed or replaced "module".
	m.exports = goja.Undefined()
	if module, ok := m.rt.Get("module").(*goja.Object); ok {
		m.exports = module.Get("exports")
	}
	if exported, ok := m.exports.(*goja.Object); ok {
		if _, isFunction := goja.AssertFunction(exported); isFunction {
			return errors.New("module.exports is a function: export an object of functions, or exports.name = function")
		}
		for _, name := range exported.Keys() {
			m.take(name, exported.Get(name))
		}
	}
	if len(m.functions) == 0 {
		m.exports = goja.Undefined()
		for _, name := range m.service.source.declared {
			m.take(name, m.rt.Get(name))
		}
	}
	if len(m.functions) == 0 {
		return errors.New("the service has no functions: write exports.name = function")
	}
	m.service.source.describe(m.signatures)
	return nil
}

// take keeps a value if it is a function, and not a class, which looks like one.
func (m *machine) take(name string, v goja.Value) {
	f, ok := goja.AssertFunction(v)
	if !ok {
		return
	}
	text := m.sourceOf(v)
	if strings.HasPrefix(text, "class") {
		return
	}
	m.functions[name] = f
	length := v.ToObject(m.rt).Get("length").ToInteger()
	m.signatures = append(m.signatures, signatureOf(name, text, int(max(0, min(length, maxParameters)))))
}

// maxParameters of a function are described; its length may be any number.
const maxParameters = 256

// sourceOf is the text of a function, by the method that the runtime had before the file ran.
func (m *machine) sourceOf(f goja.Value) string {
	text, err := m.functionText(f)
	if err != nil { // a proxy
		return ""
	}
	return text.String()
}

// call runs a function of the service.
func (m *machine) call(ctx context.Context, c *services.Call) (v value.Value, err error) {
	f := m.functions[c.Function]
	if f == nil {
		return value.Value{}, m.service.errNoFunction(c.Function)
	}
	err = m.during(ctx, c, func(j *job) error {
		var err error
		v, err = m.run(j, f)
		return m.callError(c, err)
	})
	if err != nil {
		m.reset()
	}
	return v, interruption(err)
}

// run calls a function with the arguments of the call in hand.
func (m *machine) run(j *job, f goja.Callable) (v value.Value, err error) {
	err = m.try(func() error {
		args, err := m.arguments(j.call)
		if err != nil {
			return err
		}
		result, err := f(m.exports, args...)
		if err != nil {
			return err
		}
		if result, err = j.await(result); err != nil {
			return err
		}
		v, err = m.result(result)
		return err
	})
	return v, err
}

func (m *machine) arguments(c *services.Call) ([]goja.Value, error) {
	size := 0
	for _, a := range c.Args {
		size += len(a.Text())
	}
	if size > maxJSON {
		return nil, services.Errorf("the arguments have %d bytes, service '%s' takes at most %d", size, m.service.id, maxJSON)
	}
	args := make([]goja.Value, len(c.Args))
	for i, a := range c.Args {
		var err error
		if args[i], err = m.parse(goja.Undefined(), m.rt.ToValue(a.Text())); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (m *machine) result(v goja.Value) (value.Value, error) {
	if goja.IsUndefined(v) {
		return value.Null, nil
	}
	text, err := m.stringify(goja.Undefined(), v)
	if err != nil {
		return value.Value{}, err
	}
	if goja.IsUndefined(text) {
		return value.Value{}, services.Errorf("the result is a %s, which is not JSON", typeOf(v))
	}
	s := text.String()
	if len(s) > maxJSON {
		return value.Value{}, services.Errorf("the result has %d bytes, at most %d are allowed", len(s), maxJSON)
	}
	parsed, err := value.Parse(s)
	if err != nil {
		return value.Value{}, services.Errorf("the result is not JSON: %v", err)
	}
	return parsed, nil
}

func typeOf(v goja.Value) string {
	if _, ok := goja.AssertFunction(v); ok {
		return "function"
	}
	return "symbol"
}

// callError makes of what ended a call the error that its caller sees.
func (m *machine) callError(c *services.Call, err error) error {
	var ex *goja.Exception
	var overflow *goja.StackOverflowError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &overflow):
		return services.Errorf("function '%s' of service '%s' calls deeper than %d levels", c.Function, m.service.id, maxCallDepth)
	case errors.As(err, &ex):
		return m.thrownError(ex.Value())
	}
	return interruption(err)
}

// interruption is the reason why code was interrupted, without the stack; other errors stay.
func interruption(err error) error {
	var interrupted *goja.InterruptedError
	if errors.As(err, &interrupted) {
		if cause := interrupted.Unwrap(); cause != nil {
			return cause
		}
	}
	return err
}

// thrownError makes the error of a call from what a function threw.
func (m *machine) thrownError(thrown goja.Value) error {
	described, err := m.describe(goja.Undefined(), thrown)
	var ex *goja.Exception
	switch {
	case errors.As(err, &ex): // a getter or toJSON of the thrown object throws
		return services.Errorf("an exception that cannot be shown: %s", m.show(ex.Value()))
	case err != nil:
		return interruption(err)
	}
	// {message} or {json}, see prelude.js
	fields := described.ToObject(m.rt)
	text := fields.Get("json")
	if text == nil {
		return services.Errorf("%s", fields.Get("message").String())
	}
	v, err := value.Parse(text.String())
	if err != nil {
		return services.Errorf("an exception that is not JSON: %v", err)
	}
	return &services.Error{JSON: v.Text()}
}

var promiseType = reflect.TypeFor[*goja.Promise]()

// await waits for a promise; other values are ready.
func (j *job) await(v goja.Value) (goja.Value, error) {
	if v.ExportType() != promiseType {
		return v, nil
	}
	p := v.Export().(*goja.Promise)
	for p.State() == goja.PromiseStatePending {
		if err := j.runNextTimer(); err != nil {
			return nil, err
		}
	}
	if p.State() == goja.PromiseStateRejected {
		return nil, j.machine.thrownError(p.Result())
	}
	return p.Result(), nil
}
