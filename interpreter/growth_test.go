package interpreter_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/data"
)

// The work and the memory of a run grow with what comes in, and not faster: a stranger chooses all
// of it.

// tally is a meter that only counts.
type tally struct{ units, bytes int64 }

func (t *tally) Work(n int) error { t.units += int64(n); return nil }

func (t *tally) Grow(n int64) error {
	t.bytes += max(n, 0)
	return nil
}

func (*tally) Batch() int { return 1 }

// lone is a particle at one peer, whose calls get answers at once.
type lone struct {
	tb      testing.TB
	params  interpreter.Params
	state   *interpreter.State
	script  string
	answer  func(r interpreter.CallRequest) string
	allNext []string
}

var loneKey = ed25519.NewKeyFromSeed(make([]byte, 32))

const lonePeer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func newLone(tb testing.TB, script string, m *tally) *lone {
	l := &lone{tb: tb, script: strings.ReplaceAll(script, "@me", lonePeer)}
	l.params = interpreter.Params{InitPeerID: lonePeer, CurrentPeerID: lonePeer, ParticleID: "p", Key: loneKey}
	if m != nil {
		l.params.Meter = m
	}
	l.answer = func(interpreter.CallRequest) string { return "1" }
	return l
}

// play takes all steps of the retained form, and then the cold form over its data.
func (l *lone) play() {
	b := l.retained()
	l.cold(b, nil)
	l.cold(nil, b)
}

// retained takes all steps of the retained form, and returns the data.
func (l *lone) retained() []byte {
	var err error
	if l.state, err = interpreter.Open(l.script, nil, l.params); err != nil {
		l.tb.Fatal(err)
	}
	out := l.state.Step(context.Background(), nil, nil)
	for {
		if out.RetCode != 0 && out.RetCode < 10000 || out.RetCode >= 20000 {
			l.tb.Fatalf("code %d %s", out.RetCode, out.ErrorMessage)
		}
		l.allNext = append(l.allNext, out.NextPeers...)
		if len(out.CallRequests) == 0 {
			break
		}
		results := map[uint32]interpreter.CallResult{}
		for _, r := range out.CallRequests {
			results[r.ID] = interpreter.CallResult{Result: l.answer(r)}
		}
		out = l.state.Step(context.Background(), nil, results)
	}
	b, err := l.state.Data()
	if err != nil {
		l.tb.Fatal(err)
	}
	return b
}

func (l *lone) cold(prev, current []byte) {
	out, _ := interpreter.Run(context.Background(), interpreter.Input{
		Script: l.script, Previous: prev, Current: current, CallResults: data.EncodeCallResults(nil), Params: l.params, SecretKey: make([]byte, 32),
	})
	if out.RetCode != 0 && out.RetCode < 10000 || out.RetCode >= 20000 {
		l.tb.Fatalf("cold: code %d %s", out.RetCode, out.ErrorMessage)
	}
}

// nested puts n instructions around one.
func nested(n int, open, inner, closed string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(closed, n)
}

// list is n things written by their number.
func list(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// seq is n instructions one after the other, nested to the right.
func seq(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "(seq "+format+" ", i)
	}
	return b.String() + "(null)" + strings.Repeat(")", n)
}

func call(out string) string { return `(call "@me" ("s" "f") [] ` + out + `)` }

// dimension is something that a stranger can make more of.
type dimension struct {
	name   string
	n      int
	script func(n int) string
	answer func(n int) string // of the function f; nil for 1, which all others answer
}

func jsonArray(n int) string { return "[1" + strings.Repeat(",1", n-1) + "]" }

func jsonObject(n int) string {
	return "{" + strings.TrimSuffix(list(n, `"k%d":1,`), ",") + "}"
}

func jsonString(n int) string { return `"` + strings.Repeat("x", n) + `"` }

var dimensions = []dimension{
	{"next peers", 1000, func(n int) string {
		return list(n, `(par (call "peer%d" ("s" "f") []) `) + "(null)" + strings.Repeat(")", n)
	}, nil},
	{"one peer named often", 1000, func(n int) string { return nested(n, `(par (call "peer" ("s" "f") []) `, "(null)", ")") }, nil},
	{"calls one after the other", 500, func(n int) string { return seq(n, `(call "@me" ("s" "f") [] x%d)`) }, nil},
	{"calls beside each other", 500, func(n int) string {
		return list(n, `(par (call "@me" ("s" "f") [] x%d) `) + "(null)" + strings.Repeat(")", n)
	}, nil},
	{"calls within pars", 250, func(n int) string { return nested(n, `(par (never) `, seq(n, `(call "@me" ("s" "f") [] x%d)`), ")") }, nil},
	{"calls beside streams", 250, func(n int) string {
		return "(seq " + seq(n, `(ap 1 $s%d)`) + " " + seq(n, `(call "@me" ("s" "f") [] x%d)`) + ")"
	}, nil},
	{"names", 10000, func(n int) string { return seq(n, `(ap 1 x%d)`) }, nil},
	{"length of a name", 20000, func(n int) string { x := strings.Repeat("x", n); return "(seq (ap 1 " + x + ") (ap " + x + " y))" }, nil},
	{"seqs to the left", 10000, func(n int) string { return nested(n, "(seq ", "(null)", " (null))") }, nil},
	{"seqs to the right", 10000, func(n int) string { return nested(n, "(seq (null) ", "(null)", ")") }, nil},
	{"pars to the left", 10000, func(n int) string { return nested(n, "(par ", "(null)", " (null))") }, nil},
	{"pars to the right", 10000, func(n int) string { return nested(n, "(par (null) ", "(null)", ")") }, nil},
	{"xors to the left", 10000, func(n int) string { return nested(n, "(xor ", `(fail 1 "x")`, ` (fail 1 "x"))`) }, nil},
	{"xors to the right", 10000, func(n int) string { return nested(n, `(xor (fail 1 "x") `, "(null)", ")") }, nil},
	{"news", 20000, func(n int) string { return nested(n, "(new x ", "(null)", ")") }, nil},
	{"news of one stream", 2000, func(n int) string { return nested(n, "(new $s (seq (ap 1 $s) ", "(null)", "))") }, nil},
	{"matches", 5000, func(n int) string { return nested(n, "(match 1 1 ", "(null)", ")") }, nil},
	{"folds within folds", 500, func(n int) string {
		return "(seq " + call("a") + list(n, " (fold a i%d ") + "(null)" + strings.Repeat(")", n+1)
	}, func(int) string { return "[1]" }},
	{"folds over streams within folds", 250, func(n int) string {
		return "(seq (ap 1 $s) " + list(n, "(seq (ap 1 $t) (fold $s i%d ") + "(null)" + strings.Repeat("))", n) + ")"
	}, nil},
	{"elements of a fold", 2000, func(n int) string { return "(seq " + call("a") + " (fold a i (seq (ap i x) (next i))))" }, jsonArray},
	{"elements of a fold beside each other", 10000, func(n int) string {
		return "(seq " + call("a") + ` (fold a i (par (call "p" ("s" "f") [i]) (next i))))`
	}, jsonArray},
	{"values of a stream", 120, func(n int) string {
		return "(seq " + seq(n, `(ap %d $s)`) + ` (seq (canon "@me" $s #c) (fold $s i (seq (ap i x) (next i)))))`
	}, nil},
	{"values of a stream from calls", 250, func(n int) string {
		return "(seq " + call("a") + ` (seq (fold a i (par (call "@me" ("s" "g") [i] $s) (next i))) (canon "@me" $s #c)))`
	}, jsonArray},
	{"keys of a map", 120, func(n int) string {
		return "(seq " + seq(n, `(ap ("k%d" 1) %%m)`) + ` (seq (canon "@me" %m #%c) (ap #%c.$.k1 y)))`
	}, nil},
	{"values of one key", 120, func(n int) string {
		return "(seq " + seq(n, `(ap ("k" %d) %%m)`) + ` (seq (canon "@me" %m #%c) (ap #%c.$.k y)))`
	}, nil},
	{"streams", 4000, func(n int) string { return seq(n, `(ap 1 $s%d)`) }, nil},
	{"folds over streams", 500, func(n int) string { return "(seq (ap 1 $s) " + seq(n, `(fold $s i%d (null))`) + ")" }, nil},
	{"canons", 500, func(n int) string { return "(seq (seq (ap 1 $s) (ap 2 $s)) " + seq(n, `(canon "@me" $s #c%d)`) + ")" }, nil},
	{"arguments", 1000, func(n int) string { return `(call "@me" ("s" "f") [` + list(n, " %d") + "] x)" }, nil},
	{"arguments that are variables", 1000, func(n int) string {
		return "(seq " + call("a") + ` (call "@me" ("s" "f") [` + strings.Repeat(" a", n) + "] x))"
	}, nil},
	{"references to one long value", 500, func(n int) string {
		return "(seq " + call("a") + ` (call "@me" ("s" "f") [` + strings.Repeat(" a", n) + "]))"
	}, func(int) string { return jsonString(1000) }},
	{"length of a lens", 20000, func(n int) string {
		return "(seq " + call("a") + " (xor (ap a.$" + strings.Repeat(".x", n) + " y) (null)))"
	}, nil},
	{"fields", 2000, func(n int) string { return "(seq " + call("a") + " (ap a.$.k7 y))" }, jsonObject},
	{"elements of an array", 4000, func(n int) string { return "(seq " + call("a") + " (seq (ap a.$.length y) (ap a.$.[99] z)))" }, jsonArray},
	{"length of a string", 100000, func(n int) string {
		return "(seq " + call("a") + " (seq " + call("b") + " (seq (ap a x) (match x b (null)))))"
	}, jsonString},
	{"errors about a long string", 100000, func(n int) string { return "(seq " + call("a") + " " + seq(100, `(xor (ap a.$.x y%d) (null))`) + ")" }, jsonString},
	{"errors that are values", 500, func(n int) string {
		return "(seq " + call("a") + " " + seq(n, `(xor (ap a.$.x y) (ap :error: z%d))`) + ")"
	}, func(int) string { return jsonString(2000) }},
	{"length of a literal", 100000, func(n int) string {
		return `(seq (ap "` + strings.Repeat("x", n) + `" x) (xor (fail 1 "` + strings.Repeat("y", n) + `") (ap :error: z)))`
	}, nil},
	{"open requests that each xor looks at", 500, func(n int) string {
		requests := list(n, `(par (call "p%d" ("s" "f") []) `) + "(never)" + strings.Repeat(")", n)
		return "(seq (par (null) " + call("a") + ") " + nested(n, "(xor ", requests, " (null))") + ")"
	}, nil},
	{"open requests that each seq looks at", 500, func(n int) string {
		requests := list(n, `(par (call "p%d" ("s" "f") []) `) + "(never)" + strings.Repeat(")", n)
		return "(seq (par (null) " + call("a") + ") " + nested(n, "(xor (seq ", requests, ` (call "q" ("s" "f") [])) (null))`) + ")"
	}, nil},
	{"matches that fail", 2000, func(n int) string { return seq(n, `(xor (match %d "x" (null)) (null))`) }, nil},
}

// at is the particle that has n.
func (d *dimension) at(t testing.TB, n int, m *tally) *lone {
	l := newLone(t, d.script(n), m)
	if d.answer != nil {
		text := d.answer(n)
		l.answer = func(r interpreter.CallRequest) string {
			if r.FunctionName == "f" {
				return text
			}
			return "1"
		}
	}
	return l
}

// measured are the units and bytes that a meter counts, and the bytes allocated.
func measured(t testing.TB, d *dimension, n int) (units, bytes, allocated float64) {
	var m tally
	l := d.at(t, n, &m)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // each processor has pools of its own
	runtime.GC()
	runtime.GC() // empties the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l.play()
	runtime.ReadMemStats(&after)
	return float64(m.units), float64(m.bytes), float64(after.TotalAlloc - before.TotalAlloc)
}

func TestGrowth(t *testing.T) {
	for _, d := range dimensions {
		var faults []string
		for range 3 { // the race detector makes pools forget
			if faults = d.faults(t); len(faults) == 0 {
				break
			}
		}
		for _, f := range faults {
			t.Error(f)
		}
	}
}

// faults says what grows too fast.
func (d *dimension) faults(t *testing.T) (faults []string) {
	const most = 2.2 * 2.2 // for four times as much
	small, large := [3]float64{}, [3]float64{}
	small[0], small[1], small[2] = measured(t, d, d.n)
	large[0], large[1], large[2] = measured(t, d, 4*d.n)
	for i, what := range []string{"units of work", "bytes counted", "bytes allocated"} {
		if by := large[i] / small[i]; by > most {
			faults = append(faults, fmt.Sprintf("%s, from %d to %d: %.1f times the %s (%.0f, %.0f)", d.name, d.n, 4*d.n, by, what, small[i], large[i]))
		}
	}
	t.Logf("%-40s units %8.0f x%.1f  counted %9.0f x%.1f  allocated %9.0f x%.1f", d.name, small[0], large[0]/small[0], small[1], large[1]/small[1], small[2], large[2]/small[2])
	return faults
}
