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
			if got := r.Invoke(ctx, callOf(t, "x", f, "[1]")); strings.Contains(got.Result, "broke in function") {
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
