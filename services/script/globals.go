package script

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
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

// The bounds of what a service logs: the text of a line, and lines a second and at once. Those who call
// it decide how many there are.
const (
	maxLogged  = 2000
	logEvery   = 20 * time.Millisecond
	logsAtOnce = 500
)

func (m *machine) console() *goja.Object {
	o := m.rt.NewObject()
	for name, logAt := range map[string]func(string, ...any){
		"debug": log.Debugw, "log": log.Infow, "info": log.Infow, "warn": log.Warnw, "error": log.Errorw,
	} {
		print := func(c goja.FunctionCall) goja.Value {
			if !m.service.logged.Allow() {
				m.service.unlogged.Add(1)
				return goja.Undefined()
			}
			keys := []any{"service", m.service.id}
			if n := m.service.unlogged.Swap(0); n > 0 {
				keys = append(keys, "lines_not_logged_before", n)
			}
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

// The bounds of native functions. What one of them does cannot be interrupted, so it must not be
// more than a second of work, or more memory than the process has, whatever numbers it is given.
const (
	maxDepth    = 1000     // JSON.parse recurses on the Go stack, whose end is the end of the process
	maxString   = 64 << 20 // of a string made in one step
	maxBuffer   = 64 << 20 // bytes of an ArrayBuffer
	maxElements = 16 << 20 // of an array that a native function walks
	maxArgs     = 1 << 16  // of a call by an array of arguments
	maxCode     = 64 << 10 // of a text that is compiled by a script: the parser takes 2.5 kB of stack for a bracket
	maxBits     = 1 << 20  // of a BigInt made from text or cut
)

//go:embed bounds.js
var boundsText string

var bounds = goja.MustCompile("bounds.js", boundsText, true)

// boundNatives wraps the native functions that take their time, stack, or memory from the
// values they are given.
func (m *machine) boundNatives(json *goja.Object) error {
	if err := m.boundConstructors(); err != nil {
		return err
	}
	prototype := func(name string) *goja.Object {
		return m.rt.Get(name).ToObject(m.rt).Get("prototype").ToObject(m.rt)
	}
	text, array, regexp := prototype("String"), prototype("Array"), prototype("RegExp")
	typed := prototype("Uint8Array").Prototype()
	function, reflect := prototype("Function"), m.rt.Get("Reflect").ToObject(m.rt)
	var ok bool
	if m.match, ok = goja.AssertFunction(text.Get("match")); !ok {
		panic("goja has no String.prototype.match")
	}
	type wrapped struct {
		on    *goja.Object
		names string
		check func(goja.FunctionCall)
	}
	for _, w := range []wrapped{
		{json, "parse", m.checkDepth},
		{json, "stringify", m.checkJSON},
		{text, "repeat", func(c goja.FunctionCall) {
			m.checkLength(float64(len(c.This.String())) * c.Argument(0).ToFloat())
		}},
		{text, "padStart padEnd", func(c goja.FunctionCall) { m.checkLength(c.Argument(0).ToFloat()) }},
		{text, "concat", func(c goja.FunctionCall) { m.checkLength(lengths(append([]goja.Value{c.This}, c.Arguments...))) }},
		{text, "replace replaceAll", m.checkReplacement},
		{text, "match matchAll search", m.checkPattern},
		{regexp, "compile", m.checkPattern},
		{text, "split", func(c goja.FunctionCall) { m.checkElements(float64(len(c.This.String()))) }},
		{array, "fill indexOf lastIndexOf includes reverse sort slice splice copyWithin flatMap unshift shift map filter forEach " +
			"every some find findIndex findLast findLastIndex reduce reduceRight with toSorted toReversed toSpliced", m.checkThis},
		{array, "concat", m.checkConcat},
		{array, "flat", m.checkFlat},
		{array, "join toLocaleString", m.checkJoin},
		{typed, "join toLocaleString", m.checkJoin},
		{m.rt.Get("Array").ToObject(m.rt), "from", func(c goja.FunctionCall) { m.checkElements(m.lengthOf(c.Argument(0))) }},
		{function, "apply", func(c goja.FunctionCall) { m.checkArguments(c.Argument(1)) }},
		{reflect, "apply", func(c goja.FunctionCall) { m.checkArguments(c.Argument(2)) }},
		{reflect, "construct", func(c goja.FunctionCall) { m.checkArguments(c.Argument(1)) }},
	} {
		for _, name := range strings.Fields(w.names) {
			if err := m.bound(w.on, name, w.check); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *machine) boundConstructors() error {
	v, err := m.rt.RunProgram(bounds)
	if err != nil {
		return err
	}
	wrap, ok := goja.AssertFunction(v)
	if !ok {
		panic("bounds.js is not a function")
	}
	_, err = wrap(goja.Undefined(), m.rt.ToValue(maxBuffer), m.rt.ToValue(maxElements), m.rt.ToValue(maxCode), m.rt.ToValue(maxBits))
	return err
}

// bound puts a check, which throws, before a native function, if there is one of the name.
func (m *machine) bound(o *goja.Object, name string, check func(goja.FunctionCall)) error {
	old := o.Get(name)
	if old == nil {
		return nil
	}
	native, ok := old.Export().(func(goja.FunctionCall) goja.Value)
	if !ok {
		panic("goja has no native " + name)
	}
	checked := m.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		check(c)
		return native(c)
	}).ToObject(m.rt)
	for property, v := range map[string]any{"name": name, "length": old.ToObject(m.rt).Get("length")} {
		if err := checked.DefineDataProperty(property, m.rt.ToValue(v), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE); err != nil {
			return err
		}
	}
	return o.DefineDataProperty(name, checked, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// lengthOf is the length of an array, or of what looks like one; 0 for anything else.
func (m *machine) lengthOf(v goja.Value) float64 {
	o, ok := v.(*goja.Object)
	if !ok {
		return 0
	}
	n := o.Get("length")
	if n == nil {
		return 0
	}
	return n.ToFloat()
}

func (m *machine) checkElements(n float64) {
	if n > maxElements {
		m.throw("RangeError", fmt.Sprintf("an array of %.0f elements is too long: at most %d are allowed", n, maxElements))
	}
}

func (m *machine) checkThis(c goja.FunctionCall) { m.checkElements(m.lengthOf(c.This)) }

func (m *machine) checkConcat(c goja.FunctionCall) {
	n := m.lengthOf(c.This)
	for _, a := range c.Arguments {
		n += m.lengthOf(a)
	}
	m.checkElements(n)
}

func (m *machine) checkArguments(v goja.Value) {
	if n := m.lengthOf(v); n > maxArgs {
		m.throw("RangeError", fmt.Sprintf("%.0f arguments are too many: at most %d are allowed", n, maxArgs))
	}
}

// checkFlat counts what flat will make: one array may stand in another a thousand times.
func (m *machine) checkFlat(c goja.FunctionCall) {
	m.checkThis(c)
	levels := 1.0
	if d := c.Argument(0); !goja.IsUndefined(d) {
		levels = d.ToFloat()
	}
	z := sizer{machine: m, leaf: func(goja.Value) float64 { return 1 }}
	m.checkElements(z.size(c.This, int(min(levels, maxDepth))))
}

// checkJoin measures what join will make of strings, and of the strings of arrays inside.
func (m *machine) checkJoin(c goja.FunctionCall) {
	m.checkThis(c)
	separator := 1.0
	if s := c.Argument(0); goja.IsString(s) {
		separator = float64(len(s.String()))
	}
	o, ok := c.This.(*goja.Object)
	if ok && o.ClassName() != "Array" { // a typed array: numbers
		m.checkLength(m.lengthOf(o) * (separator + 4))
		return
	}
	z := sizer{machine: m, leaf: textLength, each: separator}
	m.checkLength(z.size(c.This, maxDepth))
}

// checkJSON measures what JSON.stringify will make of strings.
func (m *machine) checkJSON(c goja.FunctionCall) {
	z := sizer{machine: m, leaf: textLength, each: 1, objects: true}
	m.checkLength(z.size(c.Argument(0), maxDepth))
}

func textLength(v goja.Value) float64 {
	if goja.IsString(v) {
		return float64(len(v.String()))
	}
	return 1
}

// A sizer adds up what stands in arrays, and in objects if it is to. What stands in many places
// is looked at once and counts in each.
type sizer struct {
	machine *machine
	leaf    func(goja.Value) float64
	each    float64 // for each element
	objects bool
	known   map[*goja.Object]float64
}

func (z *sizer) size(v goja.Value, levels int) float64 {
	o, ok := v.(*goja.Object)
	isArray := ok && o.ClassName() == "Array"
	if !isArray && !(ok && z.objects && o.ClassName() == "Object") || levels < 0 {
		return z.leaf(v)
	}
	if n, ok := z.known[o]; ok {
		return n
	}
	if z.known == nil {
		z.known = map[*goja.Object]float64{}
	}
	z.known[o] = 0 // of a cycle
	sum := 0.0
	if isArray {
		n := z.machine.lengthOf(o)
		z.machine.checkElements(n)
		sum = n * z.each
		for i := range int(n) {
			if e := o.Get(strconv.Itoa(i)); e != nil {
				sum += z.size(e, levels-1)
			}
		}
	} else {
		for _, key := range o.Keys() {
			sum += float64(len(key)) + z.each
			if e := o.Get(key); e != nil {
				sum += z.size(e, levels-1)
			}
		}
	}
	z.known[o] = sum
	return sum
}

// lengths adds up the lengths of strings.
func lengths(list []goja.Value) (n float64) {
	for _, v := range list {
		if goja.IsString(v) {
			n += float64(len(v.String()))
		}
	}
	return n
}

// checkReplacement bounds what a string instead of each match can make.
func (m *machine) checkReplacement(c goja.FunctionCall) {
	if !goja.IsString(c.Argument(1)) {
		return
	}
	text, by := c.This.String(), c.Argument(1).String()
	// $` and $' are all of the text but the match, others a part of it, once for all matches.
	whole := float64(strings.Count(by, "$`") + strings.Count(by, "$'"))
	parts := float64(strings.Count(by, "$"))
	size := func(matches float64) float64 {
		return float64(len(text))*(1+parts) + matches*(float64(len(by))+whole*float64(len(text)))
	}
	if size(float64(len(text)+1)) > maxString {
		m.checkLength(size(m.matches(c.This, c.Argument(0))))
	}
}

// matches counts the matches of a string or a regular expression.
func (m *machine) matches(text, pattern goja.Value) float64 {
	o, ok := pattern.(*goja.Object)
	switch {
	case !ok:
		return float64(strings.Count(text.String(), pattern.String()))
	case o.Get("global") == nil || !o.Get("global").ToBoolean():
		return 1
	}
	found, err := m.match(text, pattern)
	if err != nil {
		panic(err)
	}
	return m.lengthOf(found)
}

func (m *machine) checkPattern(c goja.FunctionCall) {
	if p := c.Argument(0); goja.IsString(p) {
		if n := len(p.String()); n > maxCode {
			m.throw("RangeError", fmt.Sprintf("a regular expression of %d characters is too long", n))
		}
	}
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
