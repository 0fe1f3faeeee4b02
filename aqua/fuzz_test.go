package aqua

import (
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/air"
)

// mostPieces bounds the allocations of a compilation. A text that reaches the bound on steps makes
// 570,000.
const mostPieces = 5e6

// FuzzCompile feeds texts to the whole compiler: it must not panic, its work is bounded, and its
// scripts must be AIR that peers accept.
func FuzzCompile(f *testing.F) {
	v := loadVectors(f)
	for _, c := range v.Cases {
		f.Add(v.Files[c.File], false)
	}
	for _, script := range []string{
		"foo() par bar()", "on peer1:\n  x <- foo()\npar on peer2:\n  y <- bar()\nbaz(x, y)",
		"results: *string\non peer1:\n  results <- foo()\nbaz(results!0)", "x = [1, 2][5 - 6]", "<- -1, 2 ** 63, 1 / 0",
	} {
		f.Add(script, true)
	}
	f.Fuzz(func(t *testing.T, text string, script bool) {
		opts := scriptOptions()
		opts.Script = script
		opts.Imports = inMemory(v.Files)
		var r *Result
		var err error
		_, pieces := allocated(func() { r, err = Compile(Source{"fuzz.aqua", text}, opts) })
		if pieces > mostPieces {
			t.Fatalf("compiling %d bytes makes %.0f allocations", len(text), pieces)
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a message")
			}
			return
		}
		for _, fn := range r.Functions {
			if _, err := air.Parse(fn.AIR); err != nil {
				t.Fatalf("function %s is not AIR: %v\n%s", fn.Name, err, fn.AIR)
			}
		}
	})
}

// Short programs that describe enormous ones are refused with little work.
func TestBounds(t *testing.T) {
	const job = "aqua B\n\nexport f\n\nservice Job(\"job\"):\n  run(x: string) -> string\n\n"
	nested := func(levels int) string {
		var b strings.Builder
		b.WriteString(job + "func f0(x: string) -> string:\n  y <- Job.run(x)\n  <- y\n\n")
		for i := 1; i <= levels; i++ {
			b.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace("func fN(x: string) -> string:\n  y <- fM(x)\n  z <- fM(y)\n  <- z\n\n"))
		}
		b.WriteString("func f(x: string) -> string:\n  y <- f" + itoa(levels) + "(x)\n  <- y\n")
		return b.String()
	}
	data := func(levels int) string {
		var b strings.Builder
		b.WriteString("aqua B\n\nexport f\n\ndata D0:\n  a: u8\n\n")
		for i := 1; i <= levels; i++ {
			b.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace("data DN:\n  a: DM\n  b: DM\n\n"))
		}
		b.WriteString("func f(x: D" + itoa(levels) + ") -> u8:\n  <- 1\n")
		return b.String()
	}
	for _, c := range []struct{ name, text, message string }{
		{"calls that double", nested(40), "too large: with the functions that it calls, it has more than 200000 steps"},
		{"types that double", data(60), "is too large: it has more than 10000 parts"},
		{"brackets", job + "func f():\n  x = " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000) + "\n", "less deeply nested brackets"},
		{"types", "aqua B\n\nfunc f(x: " + strings.Repeat("[]", 100000) + "u8):\n  y = x\n", "less deeply nested brackets"},
		{"negations", job + "func f():\n  x = " + strings.Repeat("!", 100000) + "true\n", "less deeply nested brackets"},
		{"powers", job + "func f():\n  x = 1" + strings.Repeat(" ** 1", 100000) + "\n", "less deeply nested brackets"},
		{"a long sum", job + "func f():\n  x = 1" + strings.Repeat(" + 1", 100000) + "\n", "a shorter line"},
		{"many fields", job + "func f(x: string):\n  y = x" + strings.Repeat(".a", 100000) + "\n", "a shorter line"},
		{"a long list", job + "func f():\n  x = [1" + strings.Repeat(", 1", 100000) + "]\n", "a shorter line"},
		{"blocks", job + "func f():\n" + blocks(1000), "nested too deeply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			_, pieces := allocated(func() {
				_, err = Compile(Source{"bounds.aqua", c.text}, Options{})
			})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %.300v, want %q", err, c.message)
			}
			if pieces > mostPieces {
				t.Errorf("it makes %.0f allocations", pieces)
			}
		})
	}
}

func blocks(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i+1) + "try:\n")
	}
	b.WriteString(strings.Repeat(" ", depth+1) + "Job.run(\"x\")\n")
	return b.String()
}

// The sequence of a long function is a balanced tree.
func TestLongFunction(t *testing.T) {
	var b strings.Builder
	b.WriteString("aqua Long\n\nexport f\n\nservice Job(\"job\"):\n  log(x: string)\n\nfunc f():\n")
	for range 20000 {
		b.WriteString("  Job.log(\"x\")\n")
	}
	r, err := Compile(Source{"long.aqua", b.String()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(r.Functions[0].AIR, `("job" "log")`); n != 20000 {
		t.Errorf("%d calls, want 20000", n)
	}
	if n := len(r.Functions[0].AIR); n > 3<<20 {
		t.Errorf("the script has %d bytes", n)
	}
}
