package builtin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

const bigArg = 200 << 10

// repeated is an array of the same text, of some size.
func repeated(text string, size int) string {
	return "[" + strings.Repeat(text+",", size/(len(text)+1)) + text + "]"
}

// numbered is an array of different texts.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ","+format, i)
	}
	return "[" + b.String()[1:] + "]"
}

// extremes are values that somebody may name in any place, as JSON.
var extremes = func() []string {
	list := []string{
		"null", "true", "0", "-1", "1", "2147483648", "9007199254740992", "9223372036854775807", "-9223372036854775808",
		"18446744073709551615", "1e308", "-0.0", "5e-324", `""`, `"x"`, "[]", "{}", "[[]]", "[null]", "[{}]", `"` + strings.Repeat("1", bigArg) + `"`,
		`"` + strings.Repeat("x", bigArg) + `"`, `"` + strings.Repeat(`\\`, bigArg/2) + `"`, `"` + strings.Repeat(`\u0000`, bigArg/6) + `"`,
		`"18446744073709551615"`, `"../../../etc/passwd"`, `"` + manager + `"`,
		strings.Repeat("[", 120) + strings.Repeat("]", 120), strings.Repeat(`{"a":`, 120) + "1" + strings.Repeat("}", 120),
		repeated("0", bigArg), repeated("1e15", bigArg), repeated(`""`, bigArg), repeated("[]", bigArg), repeated("{}", bigArg), repeated("null", bigArg),
		repeated("[[]]", bigArg), repeated(`["",""]`, bigArg), repeated(`["",0]`, bigArg),
		numbered(`"%d"`, bigArg/8), numbered("%d", bigArg/8), numbered(`["%d",1]`, bigArg/8), numbered(`["%d","x"]`, bigArg/8),
		"{" + strings.ReplaceAll(strings.Trim(numbered(`"%d":1`, bigArg/8), "[]"), " ", "") + "}",
		`{"name":"` + strings.Repeat("n", bigArg) + `"}`,
	}
	// The same as text, for those who read it.
	for _, text := range []string{repeated("1e15", bigArg), repeated("0", bigArg), repeated(" 1e15 ", bigArg), strings.Repeat("[", bigArg), `{"name":"x","dependencies":` + repeated("{}", bigArg) + "}"} {
		list = append(list, value.String(text).Text())
	}
	return list
}()

// fitting are values of a type, to get past the checks of arguments.
func fitting(typ string) []string {
	elem, isArray := strings.CutPrefix(typ, "[]")
	if isArray {
		one := fitting(elem)[0]
		return []string{"[" + one + "]", repeated(one, bigArg)}
	}
	switch typ {
	case "string":
		return []string{`"ZiCa"`}
	case "bool":
		return []string{"true"}
	case "object":
		return []string{`{"name":"m"}`}
	case "pair":
		return []string{`["",""]`}
	case "keyed":
		return []string{`["",0]`}
	case "millis":
		return []string{"1"}
	}
	return []string{"1"}
}

// hostileCalls visits all functions with all extremes in every place, beside values that fit and beside themselves.
func hostileCalls(visit func(f *Function, args []value.Value)) {
	values := map[string]value.Value{}
	read := func(text string) value.Value {
		v, ok := values[text]
		if !ok {
			v = value.Raw(text)
			if c, err := v.Canonical(); err == nil {
				v = c
			}
			values[text] = v
		}
		return v
	}
	table := Table()
	for i := range table {
		f := &table[i]
		n := len(f.params)
		if n == 0 || f.params[n-1].rest {
			n += 3
		}
		base := make([]value.Value, n)
		for k := range base {
			base[k] = read("1")
			if k < len(f.params) {
				base[k] = read(fitting(f.params[k].typ)[0])
			}
		}
		visit(f, nil)
		visit(f, base)
		for k := range n {
			list := extremes
			if k < len(f.params) {
				list = append(list[:len(list):len(list)], fitting(f.params[k].typ)...)
			}
			for _, text := range list {
				args := append([]value.Value{}, base...)
				args[k] = read(text)
				visit(f, args)
			}
		}
		for _, text := range extremes {
			args := make([]value.Value, n)
			for k := range args {
				args[k] = read(text)
			}
			visit(f, args)
		}
	}
}

func size(args []value.Value) (n int64) {
	for _, a := range args {
		n += int64(len(a.Text())) + 24
	}
	return n
}

// An account is a particle's memory in tests.
type account struct {
	limit, now, most int64
}

var errAccount = errors.New("memory of the particle: at most 1000 bytes")

func (a *account) Grow(n int64) error {
	if n > 0 && a.now+n > a.limit {
		return errAccount
	}
	a.now += n
	a.most = max(a.most, a.now)
	return nil
}

// allocated is the memory that f allocates, whether it keeps it or not.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// Whatever a stranger or a manager names, a call returns, breaks nothing, and allocates no more
// than a multiple of what it was given, most of which it asked for before.
func TestExtremes(t *testing.T) {
	const (
		allowance = 320 << 10 // lists of at most 1024 entries, base58 of 16 KiB
		multiple  = 24        // of the arguments, for the worst function
		unasked   = 8         // of the arguments
	)
	p := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancelAt := time.AfterFunc(time.Hour, cancel)
	defer cancelAt.Stop()
	worst := map[string]int64{}
	calls := 0
	hostileCalls(func(f *Function, args []value.Value) {
		for _, from := range []string{client, manager} {
			calls++
			ctx := ctx
			if f.start != nil {
				var stop context.CancelFunc
				ctx, stop = context.WithTimeout(ctx, time.Millisecond)
				defer stop()
			}
			a := &account{limit: 1 << 40}
			c := callOf(testCase{from: from}, f.Service, f.Name, args)
			c.Memory = a
			var r services.Result
			got := allocated(func() { r = p.Invoke(ctx, c) })
			name, given := f.Service+"."+f.Name, size(args)
			if _, err := value.Parse(r.Result); err != nil {
				t.Errorf("%s gave %.100q", name, r.Result)
			}
			if r.RetCode != 0 && len(r.Result) > 10<<10 {
				t.Errorf("%s: an error of %d bytes: %.100s", name, len(r.Result), r.Result)
			}
			if got > multiple*given+allowance || got > unasked*given+2*a.most+allowance {
				t.Errorf("%s allocates %d bytes, asked for %d, for arguments of %d: %.100s", name, got, a.most, given, value.Array(args).Text())
			}
			if a.now != 0 {
				t.Errorf("%s keeps %d bytes", name, a.now)
			}
			if given > bigArg {
				worst[name] = max(worst[name], got/given)
			}
		}
	})
	for _, s := range p.Stats() {
		if s.Panics+s.GivenUp > 0 {
			t.Errorf("%s: %d panics, %d given up", s.ID, s.Panics, s.GivenUp)
		}
	}
	t.Logf("%d calls; bytes allocated for a byte of large arguments: %v", calls, worst)
}

// With little memory left, calls are refused by the name of the limit, and allocate little.
func TestMemoryIsAskedFor(t *testing.T) {
	p := newWorld(t)
	refused := map[string]bool{}
	hostileCalls(func(f *Function, args []value.Value) {
		if f.start != nil {
			return
		}
		a := &account{limit: 1000}
		c := callOf(testCase{from: manager}, f.Service, f.Name, args)
		c.Memory = a
		r := p.Invoke(t.Context(), c)
		if strings.Contains(r.Result, errAccount.Error()) {
			if r.RetCode == 0 {
				t.Errorf("%s: %.100s", f.Name, r.Result)
			}
			refused[f.Service+"."+f.Name] = true
		}
		if a.now != 0 {
			t.Errorf("%s.%s keeps %d bytes", f.Service, f.Name, a.now)
		}
		if r.RetCode == 0 && f.Name != "identity" && len(r.Result) > 32<<10 { // base58 makes at most 22 KiB
			t.Errorf("%s.%s made %d bytes unasked", f.Service, f.Name, len(r.Result))
		}
	})
	for _, name := range []string{
		"op.array", "op.concat", "op.concat_strings", "op.bytes_to_b58", "op.string_to_b58", "op.sha256_string",
		"debug.stringify", "json.obj", "json.put", "json.puts", "json.obj_pairs", "json.puts_pairs", "json.parse", "json.stringify",
		"array.dedup", "array.intersect", "array.diff", "array.sdiff", "sig.verify", "vault.put",
		"dist.make_module_config", "dist.default_module_config", "dist.add_module", "dist.add_blueprint",
	} {
		if !refused[name] {
			t.Errorf("%s never asked for memory", name)
		}
	}
}

// A slice is asked for by what it has, not by the array.
func TestSliceMemory(t *testing.T) {
	p := newPeer(t)
	array, err := value.Parse(repeated("7", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	for end, code := range map[int64]int32{400: 0, 600: 1} {
		c := callOf(testCase{}, "array", "slice", []value.Value{array, value.Int(0), value.Int(end)})
		c.Memory = &account{limit: 1000}
		if r := p.Invoke(t.Context(), c); r.RetCode != code || code == 0 && len(r.Result) != 801 {
			t.Errorf("%d elements: %.100s", end, r.Result)
		}
	}
}

// A result is bounded also where no account is.
func TestLargestResult(t *testing.T) {
	p := newPeer(t)
	text := value.String(strings.Repeat("x", 1<<20))
	args := make([]value.Value, 1000)
	for i := range args {
		args[i] = text
	}
	for _, fn := range []string{"op.concat_strings", "op.array", "debug.stringify"} {
		service, function, _ := strings.Cut(fn, ".")
		var r services.Result
		got := allocated(func() { r = p.Invoke(t.Context(), callOf(testCase{}, service, function, args)) })
		if r.RetCode != 1 || !strings.Contains(r.Result, "at most 67108864 are allowed") || got > 1<<20 {
			t.Errorf("%s: %.100s, %d bytes allocated", fn, r.Result, got)
		}
	}
}

// Setting the fields of an object one by one costs what they have, not what is there.
func TestPutsAreLinear(t *testing.T) {
	p := newPeer(t)
	cost := func(n int) int64 {
		args := []value.Value{value.EmptyObject}
		for i := range n {
			args = append(args, value.String(fmt.Sprint("key", n-i)), value.Int(int64(i)))
		}
		return allocated(func() { p.Invoke(t.Context(), callOf(testCase{}, "json", "puts", args)) })
	}
	cost(10)
	if one, eight := cost(10_000), cost(80_000); eight > 12*one {
		t.Errorf("%d bytes for 10,000 fields, %d for 80,000", one, eight)
	}
}

// Who may not call a function has nothing read of what he gives.
func TestStrangersAreRefusedFirst(t *testing.T) {
	p := newWorld(t)
	huge := value.String(strings.Repeat("x", 10<<20))
	guarded := 0
	for _, f := range Table() {
		if !f.Guarded && f.allow == nil {
			continue
		}
		guarded++
		for _, args := range [][]value.Value{nil, {value.Null}, {huge, huge, huge, huge}, {value.Raw("{"), value.Raw("")}} {
			var r services.Result
			got := allocated(func() { r = p.Invoke(t.Context(), callOf(testCase{from: client}, f.Service, f.Name, args)) })
			if r.RetCode != 1 || !strings.Contains(r.Result, guardText) && !strings.Contains(r.Result, "is not allowed to sign") || got > 64<<10 {
				t.Errorf("%s.%s: %.100s, %d bytes allocated", f.Service, f.Name, r.Result, got)
			}
		}
	}
	if guarded < 9 {
		t.Errorf("only %d functions are guarded", guarded)
	}
}

// Functions that wait for a disk, the network or time are not answered by who starts them.
func TestAnsweredAtOnce(t *testing.T) {
	var slow []string
	for _, f := range Table() {
		if f.Blocks || f.start != nil {
			slow = append(slow, f.Service+"."+f.Name)
		}
	}
	want := "peer.timeout peer.connect srv.remove srv.add_alias dist.add_module_from_vault dist.add_module_bytes_from_vault " +
		"dist.load_module_config dist.load_blueprint vault.put vault.cat"
	if got := strings.Join(slow, " "); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

// Peer ids are measured before they are decoded: base58 is quadratic.
func TestLongPeerIDs(t *testing.T) {
	p := newPeer(t)
	for _, fn := range []string{"peer.is_connected", "peer.connect", "peer.get_contact"} {
		p.check(t, testCase{fn: fn, args: `["` + strings.Repeat("2", particle.MaxPeerID+1) + `"]`,
			err: "Error: Error while deserializing field 'peer_id': invalid peer id '" + strings.Repeat("2", 64) + "': 129 characters are more than 128"})
	}
}
