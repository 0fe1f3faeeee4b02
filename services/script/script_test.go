package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"
	logging "github.com/ipfs/go-log/v2"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

func TestMain(m *testing.M) {
	logging.SetAllLoggers(logging.LevelFatal)
	// The clock of regular expressions goes on for a second after their timeout.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/dlclark/regexp2/v2.runClock"), goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

func load(t testing.TB, text string) *Service {
	t.Helper()
	s, err := New("test", "test.js", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// registryOf holds services in the scope "host".
func registryOf(t testing.TB, list ...*Service) *services.Registry {
	t.Helper()
	r := services.New(services.Config{Host: "host"})
	for _, s := range list {
		if err := s.Register(r, "host"); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func callOf(t testing.TB, service, function, args string) *services.Call {
	t.Helper()
	return &services.Call{
		ParticleID: "particle", InitPeerID: "init", HostPeerID: "host", Timestamp: 17, TTL: 7000, Signature: []byte{1, 255},
		Service: service, Function: function, Args: parse(t, args).Elements(),
		Tetraplets: [][]value.Tetraplet{{{PeerPK: "p", ServiceID: "s", FunctionName: "f", Lens: ".$.x"}}, {}},
	}
}

func invoke(t testing.TB, s *Service, ctx context.Context, function, args string) services.Result {
	t.Helper()
	return registryOf(t, s).Invoke(ctx, callOf(t, s.ID(), function, args))
}

// A function f is called with args; want is its JSON, or the text of its error after "!".
func TestCalls(t *testing.T) {
	tests := []struct{ name, text, args, want string }{
		{"numbers", `exports.f = (a, b) => a + b`, `[1, 2]`, `3`},
		{"floats", `exports.f = (a) => a / 2`, `[1]`, `0.5`},
		{"whole floats are integers", `exports.f = (a) => a`, `[1.0]`, `1`},
		{"big floats", `exports.f = () => 1e21`, `[]`, `1e21`},
		{"2^53", `exports.f = (a) => a`, `[9007199254740992, -9007199254740992]`, `9007199254740992`},
		{"beyond 2^53 digits are lost", `exports.f = (a) => a`, `[9007199254740993]`, `9007199254740992`},
		{"as a string they stay", `exports.f = (a) => String(BigInt(a) + 1n)`, `["9007199254740993"]`, `"9007199254740994"`},
		{"objects", `exports.f = (o) => ({...o, z: [1, null, true]})`, `[{"b":"ü\n","a":{}}]`, `{"a":{},"b":"ü\n","z":[1,null,true]}`},
		{"unusual keys", `exports.f = (o) => o`, `[{"__proto__":{"x":1},"constructor":2,"":3}]`, `{"":3,"__proto__":{"x":1},"constructor":2}`},
		{"strings", `exports.f = (s) => s + s.length`, `["𝄞\u0000"]`, `"𝄞\u00003"`},
		{"undefined is null", `exports.f = () => {}`, `[]`, `null`},
		{"undefined in an object", `exports.f = () => ({a: undefined, b: [undefined]})`, `[]`, `{"b":[null]}`},
		{"NaN is null", `exports.f = () => [NaN, Infinity]`, `[]`, `[null,null]`},
		{"dates", `exports.f = () => new Date(0)`, `[]`, `"1970-01-01T00:00:00.000Z"`},
		{"missing and surplus arguments", `exports.f = (a, b) => [a, b === undefined]`, `[1]`, `[1,true]`},
		{"rest", `exports.f = (...a) => a.length`, `[1,2,3]`, `3`},
		{"a function is no JSON", `exports.f = () => () => 1`, `[]`, `!the result is a function, which is not JSON`},
		{"a symbol is no JSON", `exports.f = () => Symbol()`, `[]`, `!the result is a symbol, which is not JSON`},
		{"a BigInt is no JSON", `exports.f = () => 1n`, `[]`, `!Do not know how to serialize a BigInt`},
		{"a cycle is no JSON", `exports.f = () => { let a = []; a[0] = a; return a }`, `[]`, `!Converting circular structure to JSON`},
		{"half a surrogate pair", `exports.f = () => "\ud800"`, `[]`, `!the result is not JSON: ...`},
		{"deep results", `exports.f = () => { let a = []; for (let i = 0; i < 200; i++) a = [a]; return a }`, `[]`, `!the result is not JSON: ...`},

		{"module.exports", `module.exports = {f() { return this.g() }, g: () => 7}`, `[]`, `7`},
		{"this is exports", `exports.n = 1; exports.f = function () { return ++this.n }`, `[]`, `2`},
		{"declarations", `function f(x) { return x + 1 }`, `[1]`, `2`},
		{"replaced globals", `JSON.parse = JSON.stringify = String = Object = undefined; exports.f = (x) => { throw x }`, `[[1]]`, `![1]`},
		{"a function named call", `function call() { return 1 } function f() { return call() }`, `[]`, `1`},
		{"a variable named call", `var call = 5; exports.f = () => call`, `[]`, `5`},

		{"throw an error", `exports.f = () => { throw new Error("no luck") }`, `[]`, `!no luck`},
		{"throw a string", `exports.f = () => { throw "no luck" }`, `[]`, `!no luck`},
		{"throw a number", `exports.f = () => { throw 5 }`, `[]`, `!5`},
		{"throw an object", `exports.f = () => { throw {code: 5, why: "x"} }`, `[]`, `!{"code":5,"why":"x"}`},
		{"throw undefined", `exports.f = () => { throw undefined }`, `[]`, `!undefined`},
		{"throw a trap", `exports.f = () => { throw {get message() { throw 1 }} }`, `[]`, `!an exception that cannot be shown: 1`},
		{"throw a subclass", `class E extends Error {}; exports.f = () => { throw new E("mine") }`, `[]`, `!mine`},
		{"type error", `exports.f = (x) => x.y.z`, `[{}]`, `!Cannot read property 'z' of undefined`},
		{"recursion", `exports.f = function f() { return f() + 1 }`, `[]`, `!function 'f' of service 'test' calls deeper than 2048 levels`},
		{"recursion through natives", `exports.f = function f() { return [1].map(f) }`, `[]`, `!function 'f' of service 'test' calls deeper than 2048 levels`},

		{"async", `exports.f = async (x) => x + 1`, `[1]`, `2`},
		{"async throws", `exports.f = async () => { throw new Error("late") }`, `[]`, `!late`},
		{"a rejected promise", `exports.f = () => Promise.reject({a: 1})`, `[]`, `!{"a":1}`},
		{"a promise of a promise", `exports.f = async () => Promise.resolve((async () => 3)())`, `[]`, `3`},
		{"an async function without a result", `exports.f = async () => {}`, `[]`, `null`},
		{"a promise for ever", `exports.f = () => new Promise(() => {})`, `[]`, `!the promise is never settled: nothing is left to wait for`},
		{"an exception in a timer", `exports.f = () => new Promise(() => setTimeout(() => { throw "boom" }, 1))`, `[]`, `!boom`},
		{"a timer without a function", `exports.f = () => setTimeout("code")`, `[]`, `!a timer needs a function`},

		{"JSON.parse", `exports.f = (s) => JSON.parse(s, (k, v) => v === 1 ? 2 : v)`, `["{\"a\":[1]}"]`, `{"a":[2]}`},
		{"deep JSON.parse", `exports.f = () => JSON.parse("[".repeat(2e6))`, `[]`, `!JSON is nested deeper than 1000 levels`},
		{"brackets in strings", `exports.f = () => JSON.parse('"\\"' + "[".repeat(2000) + '"').length`, `[]`, `2001`},
		{"long repeat", `exports.f = () => "ab".repeat(1e9)`, `[]`, `!a string of 2000000000 characters is too long`},
		{"long padding", `exports.f = () => "ab".padEnd(1e9)`, `[]`, `!a string of 1000000000 characters is too long`},
		{"endless repeat", `exports.f = () => "ab".repeat(Infinity)`, `[]`, `!a string of +Inf characters is too long`},
		{"short repeat", `exports.f = () => "ab".repeat(2).padStart(6, "x")`, `[]`, `"xxabab"`},
		{"catch a bound", `exports.f = () => { try { "ab".repeat(1e9) } catch (e) { return e instanceof RangeError } }`, `[]`, `true`},

		{"call", `exports.f = () => ({...call, same: call === call})`, `[1,2]`, `{"fnName":"f","hostPeerId":"host","initPeerId":"init",` +
			`"particleId":"particle","same":true,"serviceId":"test","signature":[1,255],` +
			`"tetraplets":[[{"function_name":"f","lens":".$.x","peer_pk":"p","service_id":"s"}],[]],"timestamp":17,"ttl":7000}`},
		{"no call at loading", `const c = call; exports.f = () => c === undefined`, `[]`, `true`},
		{"console", `exports.f = () => { for (const k in console) console[k]("x", 1, {a: 1}, undefined, () => 1, "é".repeat(3000)) }`, `[]`, `null`},
		{"no such function", `exports.a = () => 1; exports.b = () => 1`, `[]`, `!Service 'test' has no function 'f', it has: a, b`},
		{"not even an inherited one", `exports.a = () => 1`, `[]`, `!Service 'test' has no function 'f', it has: a`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := invoke(t, load(t, tt.text), t.Context(), "f", tt.args)
			want, wantErr := strings.CutPrefix(tt.want, "!")
			got := r.Result
			if v := parse(t, got); wantErr {
				if s, ok := v.AsString(); ok {
					got = s
				}
			}
			start, open := strings.CutSuffix(want, "...")
			if (r.RetCode == 1) != wantErr || got != want && !(open && strings.HasPrefix(got, start)) {
				t.Errorf("want %s, got code %d, %s", tt.want, r.RetCode, r.Result)
			}
		})
	}
}

func TestStateStays(t *testing.T) {
	s := load(t, `let n = 10; var m = 0; exports.add = (x) => n += x; exports.inc = () => ++m`)
	r := registryOf(t, s)
	for i, want := range []string{"11", "12", "13"} {
		if got := r.Invoke(t.Context(), callOf(t, "test", "add", "[1]")); got.Result != want {
			t.Errorf("call %d: want %s, got %s", i, want, got.Result)
		}
		if got := r.Invoke(t.Context(), callOf(t, "test", "inc", "[]")); got.Result != fmt.Sprint(i+1) {
			t.Errorf("call %d: got %s", i, got.Result)
		}
	}
}

const stopped = `{1 "Service 'test' was stopped in function 'f' at the particle's deadline, after `

// oncePastLog is a context that ends with an error when a service has written a line, so that its
// call has begun on any machine.
func oncePastLog(t *testing.T, s *Service, err error) context.Context {
	s.logged = rate.NewLimiter(0, 0) // lines are counted instead
	c := calledContext{t.Context(), make(chan struct{}), err}
	go func() {
		for s.unlogged.Load() == 0 && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		close(c.done)
	}()
	return c
}

type calledContext struct {
	context.Context
	done chan struct{}
	err  error
}

func (c calledContext) Done() <-chan struct{} { return c.done }

func (c calledContext) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// However a function spends its time, its call ends at the deadline, and the next call works.
func TestDeadline(t *testing.T) {
	for name, body := range map[string]string{
		"loop":             `for (;;) {}`,
		"loop in try":      `try { for (;;) {} } catch (e) {} finally { for (;;) {} }`,
		"loop in a native": `[1].forEach(() => { for (;;) {} })`,
		"loop in a getter": `return {get a() { for (;;) {} }}`,
		"loop in toJSON":   `return {toJSON() { for (;;) {} }}`,
		"loop in a throw":  `throw {get message() { for (;;) {} }}`,
		"loop in a job":    `Promise.resolve().then(() => { for (;;) {} })`,
		"endless jobs":     `const again = () => Promise.resolve().then(again); return again()`,
		"endless await":    `for (;;) await null`,
		"loop in a timer":  `return new Promise(() => setTimeout(() => { for (;;) {} }, 1))`,
		"endless timers":   `return new Promise(() => { const again = () => setTimeout(again, 1); again() })`,
		"interval":         `return new Promise(() => setInterval(() => {}, 1))`,
		"late timer":       `return new Promise(() => setTimeout(() => {}, 1e12))`,
		"sleep":            `sleep(1e12)`,
		"sleep in try":     `try { sleep(1e12) } catch (e) { return 1 } finally { sleep(1e12) }`,
		"awaited sleep":    `await sleep(Infinity)`,
		"generator":        `function* g() { for (;;) yield 1 } for (const x of g()) {}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, "let n = 0; exports.f = async () => { n++; console.log(n); "+body+" }; exports.n = () => n")
			r := invoke(t, s, oncePastLog(t, s, context.DeadlineExceeded), "f", "[]")
			if got := fmt.Sprint(r); !strings.HasPrefix(got, stopped) {
				t.Errorf("got %s", got)
			}
			if r := invoke(t, s, t.Context(), "n", "[]"); r.RetCode != 0 || r.Result != "1" {
				t.Errorf("the next call gives %v", r)
			}
		})
	}
}

// Jobs and timers that a call leaves behind do not run in later calls.
func TestLeftovers(t *testing.T) {
	s := load(t, `let n = 0
		exports.f = () => { setTimeout(() => n++, 0); setInterval(() => n++, 1) }
		exports.g = () => { Promise.resolve().then(() => { for (;;) {} }).then(() => n++) }
		exports.n = async () => { await new Promise((r) => setTimeout(r, 20)); return n }`)
	invoke(t, s, t.Context(), "f", "[]")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	invoke(t, s, ctx, "g", "[]")
	if r := invoke(t, s, t.Context(), "n", "[]"); r.Result != "0" {
		t.Errorf("want 0, got %s", r.Result)
	}
}

func TestCancelledCall(t *testing.T) {
	s := load(t, `exports.f = () => { console.log("begun"); sleep(1e12) }`)
	ctx := oncePastLog(t, s, context.Canceled)
	want := "Service 'test' was stopped in function 'f' at the end of the particle, after "
	if r := invoke(t, s, ctx, "f", "[]"); !strings.HasPrefix(r.Result, `"`+want) {
		t.Errorf("got %v", r)
	}
}

func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := load(t, `
			exports.f = async () => {
				const seen = [], after = (ms, x) => new Promise((r) => setTimeout((y) => { seen.push(y); r() }, ms, x))
				const never = setTimeout(() => seen.push("never"), 250)
				let n = 0
				const beat = setInterval(() => { seen.push("beat"); if (++n == 2) clearInterval(beat) }, 150)
				clearTimeout(never); clearTimeout(77); clearTimeout()
				await Promise.all([after(300, "c"), after(100, "a"), after(100, "b"), after(-1, "now"), after("x", "too")])
				await sleep(1000)
				return seen
			}`)
		start := time.Now()
		r := invoke(t, s, t.Context(), "f", "[]")
		if want := `["now","too","a","b","beat","c"]`; r.Result != want {
			t.Errorf("want %s, got %s", want, r.Result)
		}
		if d := time.Since(start); d != 1300*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

// Two services that sleep do so at the same time; two calls of one do not.
func TestParallelism(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := `exports.f = (ms, x) => { sleep(ms); return x }`
		a, err := New("a", "a.js", text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New("b", "b.js", text)
		if err != nil {
			t.Fatal(err)
		}
		r := registryOf(t, a, b)
		took := func(ids ...string) time.Duration {
			start := time.Now()
			var wg sync.WaitGroup
			for i, id := range ids {
				answer := r.Enqueue(t.Context(), callOf(t, id, "f", fmt.Sprintf("[300,%d]", i)))
				wg.Go(func() {
					if got := answer(); got.Result != fmt.Sprint(i) {
						t.Errorf("call %d gave %v", i, got)
					}
				})
			}
			wg.Wait()
			return time.Since(start)
		}
		if d := took("a", "b"); d != 300*time.Millisecond {
			t.Errorf("two services took %v", d)
		}
		if d := took("a", "a", "b"); d != 600*time.Millisecond {
			t.Errorf("one service twice took %v", d)
		}
	})
}

// Many callers with deadlines of all lengths leave a service that works.
func TestManyCallers(t *testing.T) {
	s := load(t, `let n = 0; exports.f = (ms) => { n++; const end = Date.now() + ms; while (Date.now() < end) {} ; return n }; exports.n = () => n`)
	r := registryOf(t, s)
	var wg sync.WaitGroup
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*4*time.Millisecond)
		answer := r.Enqueue(ctx, callOf(t, "test", "f", fmt.Sprintf("[%d]", i%7)))
		wg.Go(func() { defer cancel(); answer() })
	}
	wg.Wait()
	stats := r.Stats()[0]
	got := r.Invoke(t.Context(), callOf(t, "test", "n", "[]"))
	if n := fmt.Sprint(stats.Calls); got.Result != n && stats.Expired == 0 {
		t.Errorf("%d calls ran, the service counted %s", stats.Calls, got.Result)
	}
	if stats.Calls+stats.Expired != 50 || stats.Queue != 0 {
		t.Errorf("stats %+v", stats)
	}
}

func TestConcurrentCallsArePrevented(t *testing.T) {
	s := load(t, `exports.f = () => 1`)
	r := registryOf(t, s)
	s.instance.mu.Lock() // as a call does
	if got := r.Invoke(t.Context(), callOf(t, "test", "f", "[]")); !strings.Contains(got.Result, "called twice at once") {
		t.Errorf("got %v", got)
	}
	s.instance.mu.Unlock()
	if got := r.Invoke(t.Context(), callOf(t, "test", "f", "[]")); got.Result != "1" {
		t.Errorf("got %v", got)
	}
}

// A panic of the runtime costs the service its state, and nothing more.
func TestPanic(t *testing.T) {
	s := load(t, `let n = 0; exports.f = () => ++n`)
	r := registryOf(t, s)
	r.Invoke(t.Context(), callOf(t, "test", "f", "[]"))
	s.instance.machine.functions["f"] = func(goja.Value, ...goja.Value) (goja.Value, error) { panic("broken") }
	if got := r.Invoke(t.Context(), callOf(t, "test", "f", "[]")); got.Result != `"Service 'test' panicked in function 'f': broken"` {
		t.Errorf("got %v", got)
	}
	if got := r.Invoke(t.Context(), callOf(t, "test", "f", "[]")); got.Result != "1" {
		t.Errorf("got %v", got)
	}
}

// A loop that hoards memory is ended long before its deadline.
func TestMemory(t *testing.T) {
	s := load(t, `let hoard = []; exports.f = () => { for (;;) hoard.push("x".repeat(1 << 20) + hoard.length) }; exports.g = () => hoard.length`)
	s.instance.machine.growth = 64 << 20
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if r := invoke(t, s, ctx, "f", "[]"); r.Result != `"the call was ended: memory grew by more than 64 MiB"` {
		t.Errorf("got %v", r)
	}
	if r := invoke(t, s, ctx, "g", "[]"); r.Result != "0" {
		t.Errorf("the next call is to begin anew, without what was hoarded; it gives %v", r)
	}
}

// TestEndedCall ends calls, deep in functions and blocks, that hold 16 MB in their variables. The runtime
// lets go of the 16 MB and continues with its state, and async functions work.
func TestEndedCall(t *testing.T) {
	for name, text := range map[string]string{
		"variable": `exports.f = () => { const a = big(); for (;;) busy(a) }`,
		"closure":  `exports.f = () => { const a = [big()]; const g = () => { for (;;) busy(a) }; g() }`,
		"deep":     `const f = d => { if (d) return f(d - 1) + 1; const a = [big()]; const g = () => { for (;;) busy(a) }; g() }; exports.f = () => f(2000)`,
		"block":    `exports.f = () => { try { for (const a of [big()]) { const g = () => a; try { for (;;) busy(g()) } finally { } } } catch {} }`,
		"argument": `const f = (a, b) => { for (;;) busy(b) }; exports.f = () => f(1, big())`,
		"this":     `class A { constructor() { this.a = big(); for (;;) busy(this) } }; exports.f = () => new A()`,
		"promise":  `exports.f = () => Promise.resolve(big()).then(a => { for (;;) busy(a) })`,
		"async":    `exports.f = async () => { const a = big(); await null; for (;;) busy(a) }`,
		"throws":   `exports.f = () => { const a = [big()]; const g = () => { for (let i = 0; i < 20; i++) busy(a); throw "enough" }; g() }`,
		"timer":    `exports.f = () => { const a = big(); return new Promise(() => setInterval(() => busy(a), 0)) }`,
	} {
		s := load(t, `let n = 0; const big = () => { n = 1; return "x".repeat(16 << 20) + n }
			const busy = () => { if (n++ == 10) console.log("busy") }; exports.state = () => n > 10; exports.async = async () => { await null; return 1 }; `+text)
		s.logged = rate.NewLimiter(0, 0) // lines are counted instead
		before := liveHeap()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		go func() {
			for ctx.Err() == nil && s.unlogged.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if r := invoke(t, s, ctx, "f", "[]"); r.RetCode == 0 || s.unlogged.Load() == 0 {
			t.Errorf("%s: the call was to be ended, and answers %v", name, r)
		}
		held := liveHeap() - before
		for end := time.Now().Add(time.Minute); held > 4<<20 && time.Now().Before(end); held = liveHeap() - before {
			time.Sleep(time.Millisecond) // a goroutine of the call may just be ending
		}
		if held > 4<<20 {
			t.Errorf("%s: the runtime holds %d MB after the call", name, held>>20)
		}
		if r := invoke(t, s, t.Context(), "state", "[]"); r.Result != "true" {
			t.Errorf("%s: the state of the service is lost: %v", name, r)
		}
		if r := invoke(t, s, t.Context(), "async", "[]"); r.Result != "1" {
			t.Errorf("%s: an async function gives %v", name, r)
		}
		runtime.KeepAlive(s)
	}
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Callers cannot fill the log: lines beyond some hundreds at once are counted.
func TestLogsAreBounded(t *testing.T) {
	s := load(t, `exports.f = () => { for (let i = 0; i < 20000; i++) console.log("line", i) }`)
	s.logged.SetLimit(0) // what is allowed at once, and no more with time
	if r := invoke(t, s, t.Context(), "f", "[]"); r.RetCode != 0 {
		t.Fatal(r)
	}
	if n := s.unlogged.Load(); n != 20000-logsAtOnce {
		t.Errorf("%d of 20000 lines are not logged", n)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.js":     "exports.a = (x, y) => 1\nexports.b = async function (z) {}",
		"plain.js":    "function helper() {}\nasync function later(ms) {}\nfunction* gen() {}\nconst arrow = () => 1",
		"syntax.js":   "exports.f = () => 1\n\tlet x = ;\n",
		"module.js":   "// comment\nexport function f() {}",
		"double.js":   "let a = 1\nlet a = 2",
		"throws.js":   "exports.f = 1\n  nothing.at.all()",
		"empty.js":    "const x = 1",
		"func.js":     "module.exports = () => 1",
		"classes.js":  "exports.C = class {}; exports.m = function () {}",
		"await.js":    "await sleep(1)",
		"binary.js":   "\xff",
		"readme.md":   "not a service",
		".js":         "not a service",
		"methods.js":  "module.exports = {m(a, {b}, [c], d = 1, ...e) {}, get g() { return (q) => q }, bound: function (w) {}.bind(null), async n(x) {}}",
		"nothing.js":  "module.exports = null",
		"forbidden.x": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.js"), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := Load(dir)
	got := map[string][]string{}
	for _, s := range list {
		for _, sig := range s.Signatures() {
			var args []string
			for _, a := range sig.Arguments {
				args = append(args, a.Name)
			}
			got[s.ID()] = append(got[s.ID()], sig.Name+"("+strings.Join(args, ",")+")")
		}
		var names []string
		for _, sig := range s.Signatures() {
			names = append(names, sig.Name)
		}
		if !slices.Equal(names, s.Functions()) || s.File() != filepath.Join(dir, s.ID()+".js") {
			t.Errorf("%s: functions %v, file %s", s.ID(), s.Functions(), s.File())
		}
	}
	want := map[string][]string{
		"good":    {"a(x,y)", "b(z)"},
		"plain":   {"helper()", "later(ms)"},
		"classes": {"m()"},
		"methods": {"bound(arg0)", "g(q)", "m(a,arg1,arg2,d,...e)", "n(x)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err == nil {
		t.Fatal("no error")
	}
	var first *Error
	if !errors.As(err, &first) {
		t.Error("no *Error in the error")
	}
	text := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	wantText := strings.TrimPrefix(`
await.js:1:7: Unexpected identifier
  await sleep(1)
        ^
  hint: await works in async functions only, not at the top level of a file
binary.js:1:1: not a text file: its bytes are not UTF-8
dir.js: is not a file
double.js:2:5: Identifier 'a' has already been declared
  let a = 2
      ^
empty.js:1:1: the service has no functions: write exports.name = function
func.js:1:1: module.exports is a function: export an object of functions, or exports.name = function
module.js:2:1: Unexpected reserved word
  export function f() {}
  ^
  hint: a service is not an ES module: write exports.name = function instead of export
nothing.js:1:1: the service has no functions: write exports.name = function
syntax.js:2:10: Unexpected token ;
  `+"\tlet x = ;\n  \t        "+`^
throws.js:2:3: ReferenceError: nothing is not defined`, "\n")
	if diff := cmp.Diff(wantText, text); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNoDirectory(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestLoadEndsEndlessFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := New("x", "x.js", `sleep(1e9)`)
		if want := "x.js:1:1: its top level did not end within 5s"; err == nil || err.Error() != want {
			t.Errorf("want %s, got %v", want, err)
		}
	})
}

func TestBlueprint(t *testing.T) {
	// The id that `ipfs add --cid-version 1 --raw-leaves` gives the bytes 01 02 03 is published;
	// this is the same function of other bytes.
	s := load(t, "exports.f = () => 1")
	if want := "bafkrei"; !strings.HasPrefix(s.Blueprint(), want) {
		t.Errorf("blueprint %s", s.Blueprint())
	}
	if other := load(t, "exports.f = () => 2"); other.Blueprint() == s.Blueprint() {
		t.Error("another file has the same blueprint")
	}
	info, _ := registryOf(t, s).Lookup("host", "test")
	if info.Blueprint != s.Blueprint() || info.Kind != services.Service {
		t.Errorf("registered as %+v", info)
	}
}

// JSON goes in and comes out the same, but for what JavaScript does not have.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{
		`null`, `[]`, `[1,"x",null,true]`, `{"a":{"b":[1.5,-0.0,1e300]}}`, `"\ud834\udd1e\u0000"`, `9007199254740993`, `{"__proto__":1}`,
		`[[[[[[]]]]]]`, `17777777777777177777771777777`, `1e-7`, `22E202`, `{"toJSON":"x"}`, `{"then":1}`, `{"message":"m"}`,
	} {
		f.Add(s)
	}
	s, err := New("test", "test.js", `exports.f = (x) => x; exports.g = (x) => { throw x }; exports.h = async (x) => x`)
	if err != nil {
		f.Fatal(err)
	}
	r := services.New(services.Config{})
	if err := s.Register(r, "host"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.Parse(text)
		if err != nil {
			return
		}
		want := decode(t, asJavaScript(v).Text())
		for _, function := range []string{"f", "h"} {
			c := &services.Call{HostPeerID: "host", Service: "test", Function: function, Args: []value.Value{v}}
			got := r.Invoke(t.Context(), c)
			if got.RetCode != 0 || !cmp.Equal(want, decode(t, got.Result)) {
				t.Errorf("%s: %s became %v", function, text, got)
			}
		}
		c := &services.Call{HostPeerID: "host", Service: "test", Function: "g", Args: []value.Value{v}}
		if got := r.Invoke(t.Context(), c); got.RetCode != 1 {
			t.Errorf("g: %s gave %v", text, got)
		} else if _, err := value.Parse(got.Result); err != nil {
			t.Errorf("g: %s gave %v", text, got)
		}
	})
}

// decode reads JSON with exact numbers, all of them floats.
func decode(t *testing.T, text string) (x any) {
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		t.Errorf("%s is not JSON: %v", text, err)
	}
	return x
}

// asJavaScript passes each number through the text that JavaScript writes for it. The network
// does not read all such texts as they are meant (see interpreter/value), so a float may change.
func asJavaScript(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindInt, value.KindFloat:
		f, _ := v.AsFloat()
		form := byte('f')
		if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
			form = 'e'
		}
		n, err := value.Parse(strconv.FormatFloat(f+0, form, -1, 64)) // -0 + 0 is 0
		if err != nil {
			panic(err)
		}
		return n
	case value.KindArray:
		var elements []value.Value
		for _, e := range v.Elements() {
			elements = append(elements, asJavaScript(e))
		}
		return value.Array(elements)
	case value.KindObject:
		fields := v.Fields()
		for i := range fields {
			fields[i].Value = asJavaScript(fields[i].Value)
		}
		return value.Object(fields)
	}
	return v
}

func BenchmarkCall(b *testing.B) {
	s := load(b, `exports.f = (x) => x; exports.g = async (x) => x; exports.h = (x) => call.particleId`)
	r := registryOf(b, s)
	long := `["` + strings.Repeat("x", 1<<20) + `"]`
	for _, bm := range []struct{ name, fn, args string }{
		{"small", "f", `[1]`}, {"record", "f", `[{"a":1,"b":[1,2,3],"c":"text"}]`}, {"async", "g", `[1]`}, {"call", "h", `[1]`}, {"1MB", "f", long},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c := callOf(b, "test", bm.fn, bm.args)
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				if r.Invoke(ctx, c).RetCode != 0 {
					b.Fatal("failed")
				}
			}
		})
	}
}
