package script

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"

	"github.com/aquanode/aquanode/services"
)

// Each of these files is a service, or an error that names the file and a line; never a panic,
// never a hang.
func TestHostileFiles(t *testing.T) {
	lines, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Split(strings.TrimSpace(string(lines)), "\n")
	files = append(files,
		"", ";", "#!", "{}", "[]", "null", "1", `"x"`, "<html>", "\x00", "exports.f=", "/*", "`", "'", "/[",
		"throw null", "throw undefined", "throw {toString(){throw 1}}", "throw {toString(){for(;;);}}", "throw Symbol()", "throw new Proxy({},{get(){throw 1}})",
		"throw {get message(){throw 1}}", "throw Object.create(null)", "throw new Error('x'.repeat(1e6))",
		"exports = module.exports = new Proxy({}, {ownKeys(){throw 1}})", "module.exports = new Proxy({}, {ownKeys(){for(;;);}})",
		"module.exports = new Proxy({}, {getPrototypeOf(){throw 1}, getOwnPropertyDescriptor(){throw 2}, ownKeys(){return ['f']}})",
		"module.exports = new Proxy(() => 1, {get(){throw 1}})", "Object.defineProperty(globalThis, 'module', {get(){throw 1}})",
		"globalThis.module = {get exports() { for(;;); }}", "Object.defineProperty(module, 'exports', {get(){throw 1}})",
		"module.exports = Symbol()", "module.exports = 1n", "module.exports = class {}", "module.exports = [() => 1]",
		"exports.f = () => 1; exports.f.length = 1; Object.defineProperty(exports.f, 'length', {value: 1e308})",
		"exports.f = () => 1; Object.defineProperty(exports.f, 'length', {value: -1})",
		"exports.f = () => 1; Object.defineProperty(exports.f, 'length', {value: {valueOf(){throw 1}}})",
		"exports.f = () => 1; Object.defineProperty(exports.f, 'length', {value: {valueOf(){for(;;);}}})",
		"exports.f = function(){}.bind(); exports.f.toString = null", "exports.f = (a) => a; Function.prototype.toString = null; delete Function",
		"Object.prototype.get = () => {throw 1}; exports.f = () => 1", "Array.prototype[Symbol.iterator] = null; exports.f = () => 1",
		"Object.defineProperty(Object.prototype, 'exports', {get(){throw 1}}); delete module.exports", "delete globalThis.exports; delete globalThis.module",
		"function f() {} Object.defineProperty(globalThis, 'f', {get(){throw 1}})", "var f = 1; function f() {}", "function f() { f() } f()",
		"(function f() { [1].map(f) })()", "for(;;);", "sleep(1e12)", "Promise.reject(1); exports.f = () => 1", "setInterval(() => {}, 0)",
		"setTimeout(() => {throw 1}, 0); exports.f = () => 1", "exports['__proto__'] = () => 1", "exports['\\n'] = () => 1", "exports[''] = () => 1",
		"exports[Symbol()] = () => 1", "exports.f = Function", "exports.f = eval", "exports.f = Proxy", "exports.f = Array.prototype.map",
		"exports.f = new Proxy(function(){}, {})", "const p = Proxy.revocable(() => 1, {}); exports.f = p.proxy; p.revoke()", "const p = Proxy.revocable({}, {}); module.exports = p.proxy; p.revoke()",
		strings.Repeat("(", 1<<20), strings.Repeat("[", 1<<20), strings.Repeat("{", 1<<20), "x = "+strings.Repeat("`${", 1<<19), strings.Repeat("!", 1<<17)+"1",
		"exports.f = () => 1; Object.freeze(exports); Object.freeze(module)", "JSON = null; exports.f = () => 1", "globalThis.JSON.stringify = () => {throw 1}; exports.f = () => 1",
	)
	patient := loadTime
	loadTime = 200 * time.Millisecond
	defer func() { loadTime = patient }()
	for _, text := range files {
		name := services.Cut(text)
		s, err := New("x", "x.js", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.js:") || len(err.Error()) > 1000 {
				t.Errorf("%s: %v", name, services.Cut(err.Error()))
			}
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 {
				t.Errorf("%s: no line in %v", name, err)
			}
			continue
		}
		r := registryOf(t, s)
		for _, f := range s.Functions() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if got := r.Invoke(ctx, callOf(t, "x", f, "[1]")); strings.Contains(got.Result, "panicked in function") {
				t.Errorf("%s: %v", name, got)
			}
			cancel()
		}
		if s := r.Stats()[0]; s.Panics+s.GivenUp > 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// What is in the directory under a name of a service and is none is named.
func TestHostileDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := "exports.f = () => 1"
	write("good.js", good)
	write("two words.js", good)
	write("line\nfeed.js", good)
	write("bad\xff.js", good)
	write("quote\".js", good)
	write(strings.Repeat("n", 210)+".js", good)
	write("latin.js", "// ok\n// caf\xe9\n"+good)
	write("huge.js", "")
	if err := os.Truncate(filepath.Join(dir, "huge.js"), 1<<30); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "dir.js"), 0o700), os.Symlink("nowhere", filepath.Join(dir, "dangling.js")),
		os.Symlink("loop.js", filepath.Join(dir, "loop.js")), os.Symlink("/dev/zero", filepath.Join(dir, "zero.js")),
		syscall.Mkfifo(filepath.Join(dir, "pipe.js"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := Load(dir)
	if len(list) != 1 || list[0].ID() != "good" {
		t.Errorf("%d services", len(list))
	}
	for _, want := range []string{
		"two words.js\": \"two words\" is not a service id", `line\nfeed`, `bad\xff.js`, `quote\"`, "longer than 200 bytes", "latin.js:2:7: not a text file",
		"huge.js: has more than 8388608 bytes", "dir.js: is not a file", `"dangling"`, `"loop"`, "zero.js: is not a file", "pipe.js: is not a file",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if len(err.Error()) > 5000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

// Exceptions that fight back when they are looked at cost no more than their call.
func TestHostileExceptions(t *testing.T) {
	for _, thrown := range []string{
		"{toString(){throw 1}, toJSON(){throw this}}", "new Proxy({}, {get(){throw 1}})", "new Proxy({}, {get(){for(;;);}})", "Symbol('x')",
		"{get message(){throw {get message(){throw 1}, toString(){for(;;);}}}}", "Object.create(null)", "{toJSON(){for(;;);}}", "1n", "() => 1",
		"{message: 'x'.repeat(1e6)}", "'x'.repeat(1e6)", "{get message() { return f() }}", "Promise.reject(1)",
	} {
		for _, form := range []string{"exports.f = function f() { throw (", "exports.f = async function f() { throw ("} {
			s := load(t, form+thrown+") }; exports.g = () => 1")
			r := registryOf(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			got := r.Invoke(ctx, callOf(t, "test", "f", "[]"))
			cancel()
			if got.RetCode != 1 || len(got.Result) > 10<<10 {
				t.Errorf("%s: %d, %s", thrown, got.RetCode, services.Cut(got.Result))
			}
			if got := r.Invoke(t.Context(), callOf(t, "test", "g", "[]")); got.Result != "1" {
				t.Errorf("%s: the next call gives %v", thrown, got)
			}
			if s := r.Stats()[0]; s.Panics+s.GivenUp > 0 {
				t.Errorf("%s: %+v", thrown, s)
			}
		}
	}
}

// A native that nothing interrupts costs its own call: the service goes on with a fresh runtime,
// until three are stuck, and when one returns it goes on again.
func TestNativesThatDoNotEnd(t *testing.T) {
	release := make(chan struct{})
	s := load(t, `let n = 0; exports.f = () => ++n; exports.hang = () => 1`)
	r := registryOf(t, s)
	hang := func() string {
		ctx, cancel := context.WithCancel(t.Context())
		s.current().machine.functions["hang"] = func(goja.Value, ...goja.Value) (goja.Value, error) {
			cancel()
			<-release
			return goja.Undefined(), nil
		}
		return r.Invoke(ctx, callOf(t, "test", "hang", "[]")).Result
	}
	call := func() string { return r.Invoke(t.Context(), callOf(t, "test", "f", "[]")).Result }
	call()
	for i := range 3 {
		if got := hang(); !strings.Contains(got, "the call was given up") {
			t.Fatalf("%d: got %s", i, got)
		}
		want := "1" // a fresh runtime
		if i == 2 {
			want = `"Service 'test' is stuck: 3 calls did not end at their deadlines, function 'f' is refused"`
		}
		if got := call(); got != want {
			t.Errorf("after %d: want %s, got %s", i+1, want, got)
		}
	}
	if n := len(r.Stuck()); n != 3 {
		t.Errorf("%d are stuck", n)
	}
	close(release)
	for len(r.Stuck()) > 0 {
		time.Sleep(time.Millisecond)
	}
	for call() == `"Service 'test' is stuck: 0 calls did not end at their deadlines, function 'f' is refused"` {
		time.Sleep(time.Millisecond)
	}
	if got := call(); got != "2" {
		t.Errorf("after their return: %s", got)
	}
}

// Numbers from the network that become sizes: each of these took the memory of the process, or a
// core for minutes, in one step that nothing interrupts.
func TestNativesAreBounded(t *testing.T) {
	for _, body := range []string{
		"new ArrayBuffer(n)", "new ArrayBuffer({valueOf() { return n }})", "new (new ArrayBuffer(1).constructor)(n)", "Reflect.construct(ArrayBuffer, [n])",
		"new (class extends ArrayBuffer {})(n)", "Reflect.construct(ArrayBuffer, [n], Object)", "new (ArrayBuffer.bind(null, n))()",
		"new ArrayBuffer.prototype.constructor(n)", "new (Object.getPrototypeOf(class extends ArrayBuffer {}))(n)",
		"new Uint8Array(n)", "new Float64Array(n / 8)", "new Uint8Array({length: n})", "new (new Int8Array(1).constructor)(n)", "Uint8Array.from({length: n})",
		"new (class extends Uint16Array {})(n)", "new BigInt64Array(n)",
		"new Uint8Array(new Array(n))", "new (Object.getOwnPropertyDescriptor(Uint8Array.prototype, 'constructor').value)(n)",
		"let o = {get length() { return n }}; new Uint8Array(o)", "let a = []; a.length = 4e9; new Uint8Array(a)",
		"Object.prototype.get = function (f) { k = f; return f }; Object.prototype.construct = 1; new ArrayBuffer(n)",
		"new Array(n)", "Array(n)", "new ([].constructor)(n)", "new (class extends Array {})(n)", "Array.from({length: n})", "Array.of.call(Array, ...new Array(n))",
		"let a = []; a.length = 4e9; a.join()", "let a = []; a[4e9] = 1; a.indexOf(2)", "let a = []; a.length = 3e8; a.fill(0)", "[].fill.call({length: n}, 0)",
		"let a = []; a.length = 4e9; a.reverse()", "let a = []; a.length = 4e9; a.concat(a)", "let a = []; a.length = 4e9; '' + a",
		"let a = []; a.length = 4e9; a.forEach(() => 1)", "let a = []; a.length = 4e9; a.slice()", "let a = []; a.length = 4e9; a.sort()",
		"let a = []; a.length = 4e9; a.includes(1)", "let a = []; a.length = 4e9; a.splice(0)", "let a = []; a.length = 4e9; a.flat()",
		"let a = []; a.length = 4e9; Math.max.apply(null, a)", "Math.max.apply(null, {length: n})", "Reflect.apply(Math.max, null, {length: n})",
		"Reflect.construct(Array, {length: n})", "Function.prototype.apply.call(Math.max, null, {length: n})",
		"let a = new Array(1e6).fill(0); for (let i = 0; i < 3; i++) a = [a, a, a, a]; a.flat(Infinity)",
		"let a = [s]; for (let i = 0; i < 40; i++) a = [a, a]; a.flat(Infinity)", "let a = [s]; for (let i = 0; i < 40; i++) a = [a, a]; a.join()",
		"let a = [s]; for (let i = 0; i < 40; i++) a = [a, a]; String(a)", "let a = [s]; for (let i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)",
		"let a = [s]; for (let i = 0; i < 40; i++) a = {a, b: a}; JSON.stringify(a)", "return new Array(1000).fill(s)", "new Array(1000).fill(s).join('')",
		"new Array(1e6).join(s)", "new Uint8Array(1e6).join(s)", "new Array(1000).fill(s).toString()", "''.concat(...new Array(1000).fill(s))",
		"s.repeat(1e6)", "'x'.padStart(n)", "'x'.padEnd(n)", "s.replaceAll('x', s)", "s.replace(/x/g, s)", "s.split('x').join(s)", "s.replaceAll('x', \"$'\")",
		"s.replace(/x/g, \"$`\")", "s.replaceAll('', s)", "s[Symbol.iterator]; String.prototype.replaceAll.call(s, 'x', s)",
		"eval('('.repeat(2e6))", "(0, eval)('['.repeat(2e6))", "new Function('('.repeat(2e6))", "Function('('.repeat(2e6))", "(() => 1).constructor('('.repeat(2e6))",
		"(async () => 1).constructor('('.repeat(2e6))", "(function* () {}).constructor('('.repeat(2e6))", "Reflect.construct(Function, ['('.repeat(2e6)])",
		"new (class extends Function {})('('.repeat(2e6))", "new RegExp('(?=a)' + '('.repeat(1e6) + ')'.repeat(1e6))", "RegExp('('.repeat(2e6))",
		"/x/.constructor('('.repeat(2e6))", "'x'.match('('.repeat(2e6))", "'x'.search('('.repeat(2e6))", "'x'.matchAll('('.repeat(2e6))", "/x/.compile('('.repeat(2e6))",
		"JSON.parse('['.repeat(2e6))", "BigInt('9'.repeat(2e6))", "BigInt.asUintN(n, 1n)", "BigInt.asIntN(n, -1n)", "BigInt(['9'.repeat(2e6)])",
		"1n << BigInt(n)", "1n << 10n ** 13n", "1n >> -BigInt(n)", "let x = 1n; x <<= BigInt(n)", "10n ** BigInt(n)", "let x = 7n; x **= BigInt(n)", "(-3n) ** BigInt(n)",
		"[1].map(() => `${1n << BigInt(n)}`)", "const {x = 1n << BigInt(n)} = {}", "(1n << 900000n) ** 40n", "class A { static x = 1n << BigInt(n) }", "for (const x of [2n ** BigInt(n)]) {}",
	} {
		t.Run(services.Cut(body), func(t *testing.T) {
			s := load(t, "exports.f = (n, s) => { let k = 0; "+body+"; return 'not bounded' }; exports.g = () => 1")
			r := registryOf(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := callOf(t, "test", "f", `[100000000000, "`+strings.Repeat("x", 1<<20)+`"]`)
			got := r.Invoke(ctx, c)
			if got.RetCode != 1 || !strings.Contains(got.Result, "too l") && !strings.Contains(got.Result, "too many") && !strings.Contains(got.Result, "deeper") &&
				!strings.Contains(got.Result, "not a constructor") && !strings.Contains(got.Result, "nvalid array length") {
				t.Errorf("got %d, %s", got.RetCode, services.Cut(got.Result))
			}
			if got := r.Invoke(ctx, callOf(t, "test", "g", "[]")); got.Result != "1" {
				t.Errorf("the next call gives %v", got)
			}
			if s := r.Stats()[0]; s.Panics+s.GivenUp+s.Stopped > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What is bounded works as before within its bounds.
func TestBoundedNatives(t *testing.T) {
	for body, want := range map[string]string{
		"new ArrayBuffer(8).byteLength":                                                                 "8",
		"new ArrayBuffer() instanceof ArrayBuffer":                                                      "true",
		"new ArrayBuffer(4).constructor === ArrayBuffer":                                                "true",
		"[...new Uint8Array([1, 2, 300])]":                                                              "[1,2,44]",
		"[...new Uint8Array({length: 2, 0: 7})]":                                                        "[7,0]",
		"[...new Uint8Array(new Set([1, 2]))]":                                                          "[1,2]",
		"[...new Uint16Array(new Uint8Array([1, 2]).buffer)]":                                           "[513]",
		"[...new Uint8Array(new Uint8Array([1, 2]).buffer, 1, 1)]":                                      "[2]",
		"[...new Float64Array(new Uint8Array([1, 2]))]":                                                 "[1,2]",
		"new (class X extends Uint8Array { y() { return 5 } })(3).y()":                                  "5",
		"new (class X extends Array { y() { return this.length } })(3).map(x => x).y()":                 "3",
		"[Array(3).length, Array(1, 2), new Array('3'), Array.isArray(new Array(1))]":                   `[3,[1,2],["3"],true]`,
		"[[].constructor === Array, [] instanceof Array, Array.name, Array.length]":                     `[true,true,"Array",1]`,
		"[Uint8Array.BYTES_PER_ELEMENT, Uint8Array.from([1]).length, Uint8Array.of(1, 2).length]":       "[1,1,2]",
		"Function('return this')() === globalThis":                                                      "true",
		"new Function('a', 'b', 'return a + b')(1, 2)":                                                  "3",
		"(() => 1) instanceof Function && (async () => 1).constructor('return 1')() instanceof Promise": "true",
		"eval('1 + 1')": "2",
		"[new RegExp('a+', 'g').flags, RegExp(/b/i).source, /x/ instanceof RegExp, /x/.constructor === RegExp]":                        `["g","b",true,true]`,
		"'aXbX'.replace(/X/g, '$&$&') + 'aXb'.replace('X', \"$'\") + 'aa'.replaceAll('a', 'b')":                                        `"aXXbXXabbbb"`,
		"[[1, [2, [3]]].flat(), [1, [2, [3]]].flat(Infinity), [1, [2, 3]].join('-'), String([1, [2, null]])]":                          `[[1,2,[3]],[1,2,3],"1-2,3","1,2,"]`,
		"[[3, 1, 2].sort(), [1, 2].concat([3], 4), [1, 2, 3].map.name, [1].map.length]":                                                `[[1,2,3],[1,2,3,4],"map",1]`,
		"Math.max.apply(null, [1, 3, 2]) + Reflect.apply(Math.min, null, [4, 5])":                                                      "7",
		"'abab'.match(/b/g).length + 'xyz'.search('z') + 'a,b'.split(',').length":                                                      "6",
		"JSON.stringify({a: [1, {b: undefined}], toJSON: undefined})":                                                                  `"{\"a\":[1,{}]}"`,
		"String(BigInt('12345678901234567890') * 2n) + BigInt.asUintN(8, 257n) + typeof BigInt(1)":                                     `"246913578024691357801bigint"`,
		"[1 << 31, -1 >> 1, 2 ** 10, '3' << '2', String(5n << 2n), String(-5n >> 1n), String((-2n) ** 3n), String(1n ** 9999999999n)]": `[-2147483648,-1,1024,12,"20","-3","-8","1"]`,
		"let x = 3n; x <<= 2n; x **= 2n; x >>= 1n; return String(x)":                                                                   `"72"`,
		"let a = []; a[0] = a; try { JSON.stringify(a) } catch (e) { return e.message }":                                               `"Converting circular structure to JSON"`,
	} {
		s := load(t, "exports.f = () => { "+strings.Replace("return "+body, "return let", "let", 1)+" }")
		if got := invoke(t, s, t.Context(), "f", "[]"); !strings.HasPrefix(got.Result, want) && got.Result != want || got.RetCode != 0 {
			t.Errorf("%s: want %s, got %v", body, want, got)
		}
	}
}

// A regular expression that backtracks for ever is given up like any native, and ends by itself.
func TestRegularExpressionsEnd(t *testing.T) {
	regexp2.DefaultMatchTimeout = 100 * time.Millisecond
	defer func() { regexp2.DefaultMatchTimeout = matchTimeout }()
	s := load(t, `exports.f = (s) => [/^(a|aa)+\1$/.test(s), s.match(/^(?=a)(a|aa)+\1$/), new RegExp("^(a|aa)+\\1$").exec(s)]; exports.g = () => 1`)
	r := registryOf(t, s)
	args := `["` + strings.Repeat("a", 1000) + `b"]`
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got := r.Invoke(ctx, callOf(t, "test", "f", args)); got.RetCode != 1 {
		t.Errorf("within its deadline: %v", got)
	}
	if got := r.Invoke(t.Context(), callOf(t, "test", "f", args)); got.Result != "[false,null,null]" {
		t.Errorf("with time: %v", got)
	}
	if got := r.Invoke(t.Context(), callOf(t, "test", "g", "[]")); got.Result != "1" || len(r.Stuck()) > 0 {
		t.Errorf("then: %v, %v", got, r.Stuck())
	}
}
