package script

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/aquanode/aquanode/interpreter/value"
)

// defineGlobals prepares the global object for the file.
func (m *machine) defineGlobals() error {
	rt, global := m.rt, m.rt.GlobalObject()
	json := global.Get("JSON").ToObject(rt)
	if err := m.boundNatives(json); err != nil {
		return err
	}
	var ok1, ok2, ok3 bool
	m.parse, ok1 = goja.AssertFunction(json.Get("parse"))
	m.stringify, ok2 = goja.AssertFunction(json.Get("stringify"))
	describe, err := rt.RunProgram(prelude)
	if err != nil {
		return err
	}
	m.describe, ok3 = goja.AssertFunction(describe)
	if !ok1 || !ok2 || !ok3 {
		panic("goja lacks JSON.parse or JSON.stringify")
	}

	text, ok4 := rt.Get("Function").ToObject(rt).Get("prototype").ToObject(rt).Get("toString").Export().(func(goja.FunctionCall) goja.Value)
	if !ok4 {
		panic("goja lacks Function.prototype.toString")
	}
	m.functionText = func(f goja.Value, _ ...goja.Value) (v goja.Value, err error) {
		err = m.try(func() error { v = text(goja.FunctionCall{This: f}); return nil })
		return v, err
	}

	module, exports := rt.NewObject(), rt.NewObject()
	if err := module.Set("exports", exports); err != nil {
		return err
	}
	for name, v := range map[string]any{
		"module": module, "exports": exports, "console": m.console(), "sleep": m.sleep,
		"setTimeout": m.setTimeout, "setInterval": m.setInterval,
		"clearTimeout": m.clearTimer, "clearInterval": m.clearTimer,
	} {
		if err := rt.Set(name, v); err != nil {
			return err
		}
	}
	return global.DefineAccessorProperty("call", rt.ToValue(m.callInfo), rt.ToValue(m.replaceCall), goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// sleep waits and holds the runtime.
func (m *machine) sleep(c goja.FunctionCall) goja.Value {
	_ = m.job.wait(milliseconds(c.Argument(0))) // the job was interrupted if it failed
	return goja.Undefined()
}

// milliseconds is a duration as JavaScript gives it; what is no number is 0.
func milliseconds(v goja.Value) time.Duration {
	ms := v.ToFloat()
	switch {
	case !(ms > 0): // also NaN
		return 0
	case ms > float64(math.MaxInt64/time.Millisecond):
		return math.MaxInt64
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func (m *machine) setTimeout(c goja.FunctionCall) goja.Value { return m.setTimer(c, 0) }

// setInterval repeats after 1 ms at the earliest.
func (m *machine) setInterval(c goja.FunctionCall) goja.Value {
	return m.setTimer(c, max(milliseconds(c.Argument(1)), time.Millisecond))
}

func (m *machine) setTimer(c goja.FunctionCall, interval time.Duration) goja.Value {
	f, ok := goja.AssertFunction(c.Argument(0))
	if !ok {
		panic(m.rt.NewTypeError("a timer needs a function"))
	}
	var args []goja.Value
	if len(c.Arguments) > 2 {
		args = slices.Clone(c.Arguments[2:]) // the runtime uses the slice again
	}
	id := m.job.timers.add(milliseconds(c.Argument(1)), interval, func() error {
		_, err := f(goja.Undefined(), args...)
		return err
	})
	return m.rt.ToValue(id)
}

func (m *machine) clearTimer(c goja.FunctionCall) goja.Value {
	delete(m.job.timers.pending, c.Argument(0).ToInteger())
	return goja.Undefined()
}

// callInfo is the getter of the global "call".
func (m *machine) callInfo(goja.FunctionCall) goja.Value {
	j := m.job
	if j == nil || j.call == nil {
		return goja.Undefined()
	}
	if j.info == nil {
		info, err := m.parse(goja.Undefined(), m.rt.ToValue(j.describeCall()))
		if err != nil {
			panic(m.rt.NewGoError(err))
		}
		j.info = info
	}
	return j.info
}

// replaceCall lets a file have a variable of its own named call.
func (m *machine) replaceCall(c goja.FunctionCall) goja.Value {
	err := m.rt.GlobalObject().DefineDataProperty("call", c.Argument(0), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
	if err != nil {
		panic(m.rt.NewGoError(err))
	}
	return goja.Undefined()
}

func (j *job) describeCall() string {
	c := j.call
	tetraplets := make([]value.Value, len(c.Tetraplets))
	for i, list := range c.Tetraplets {
		var ts []value.Value
		for _, t := range list {
			ts = append(ts, value.Raw(string(t.AppendJSON(nil))))
		}
		tetraplets[i] = value.Array(ts)
	}
	signature := make([]value.Value, len(c.Signature))
	for i, b := range c.Signature {
		signature[i] = value.Int(int64(b))
	}
	return value.Object([]value.Field{
		{Key: "particleId", Value: value.String(c.ParticleID)},
		{Key: "initPeerId", Value: value.String(c.InitPeerID)},
		{Key: "hostPeerId", Value: value.String(c.HostPeerID)},
		{Key: "timestamp", Value: value.Uint(c.Timestamp)},
		{Key: "ttl", Value: value.Uint(uint64(c.TTL))},
		{Key: "signature", Value: value.Array(signature)},
		{Key: "serviceId", Value: value.String(j.machine.service.id)},
		{Key: "fnName", Value: value.String(c.Function)},
		{Key: "tetraplets", Value: value.Array(tetraplets)},
	}).Text()
}

// maxLogged bounds the text of one log line.
const maxLogged = 2000

func (m *machine) console() *goja.Object {
	o := m.rt.NewObject()
	for name, logAt := range map[string]func(string, ...any){
		"debug": log.Debugw, "log": log.Infow, "info": log.Infow, "warn": log.Warnw, "error": log.Errorw,
	} {
		print := func(c goja.FunctionCall) goja.Value {
			keys := []any{"service", m.service.id}
			if m.job != nil && m.job.call != nil {
				keys = append(keys, "function", m.job.call.Function, "particle", m.job.call.ParticleID)
			}
			logAt(m.text(c.Arguments), keys...)
			return goja.Undefined()
		}
		if err := o.Set(name, print); err != nil {
			panic(fmt.Sprintf("console.%s: %v", name, err))
		}
	}
	return o
}

// text shows values as JSON and strings as they are.
func (m *machine) text(args []goja.Value) string {
	var words []string
	for _, a := range args {
		word := a.String()
		if _, isObject := a.(*goja.Object); isObject {
			if s, err := m.stringify(goja.Undefined(), a); err == nil && !goja.IsUndefined(s) {
				word = s.String()
			}
		}
		words = append(words, word)
	}
	text := strings.Join(words, " ")
	if len(text) > maxLogged {
		text = strings.ToValidUTF8(text[:maxLogged], "") + "..."
	}
	return text
}

// The bounds of native functions that the argument of a call could make end the process.
const (
	maxDepth  = 1000     // JSON.parse recurses on the Go stack, whose end is the end of the process
	maxString = 64 << 20 // of a string made in one step
)

// boundNatives wraps the native functions that take their time, stack, or memory from the
// values they are given.
func (m *machine) boundNatives(json *goja.Object) error {
	str := m.rt.Get("String").ToObject(m.rt).Get("prototype").ToObject(m.rt)
	if err := m.bound(json, "parse", m.checkDepth); err != nil {
		return err
	}
	if err := m.bound(str, "repeat", func(c goja.FunctionCall) {
		m.checkLength(float64(len(c.This.String())) * c.Argument(0).ToFloat())
	}); err != nil {
		return err
	}
	for _, name := range []string{"padStart", "padEnd"} {
		if err := m.bound(str, name, func(c goja.FunctionCall) { m.checkLength(c.Argument(0).ToFloat()) }); err != nil {
			return err
		}
	}
	return nil
}

// bound puts a check, which throws, before a native function.
func (m *machine) bound(o *goja.Object, name string, check func(goja.FunctionCall)) error {
	native, ok := o.Get(name).Export().(func(goja.FunctionCall) goja.Value)
	if !ok {
		panic("goja has no native " + name)
	}
	checked := m.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		check(c)
		return native(c)
	})
	return o.DefineDataProperty(name, checked, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

func (m *machine) checkLength(n float64) {
	if n > maxString {
		m.throw("RangeError", fmt.Sprintf("a string of %.0f characters is too long", n))
	}
}

func (m *machine) checkDepth(c goja.FunctionCall) {
	if depth(c.Argument(0).String()) > maxDepth {
		m.throw("SyntaxError", fmt.Sprintf("JSON is nested deeper than %d levels", maxDepth))
	}
}

// throw throws an exception of a built-in class.
func (m *machine) throw(class, message string) {
	ex, err := m.rt.New(m.rt.Get(class), m.rt.ToValue(message))
	if err != nil {
		panic(m.rt.NewGoError(err))
	}
	panic(ex)
}

// depth is how deep arrays and objects are nested in JSON text.
func depth(text string) int {
	depth, deepest := 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}
