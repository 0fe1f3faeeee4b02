package aqua

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A dimension is a part that a source can have any number of. text returns a source with n of it.
type dimension struct {
	name string
	n    int // where it begins; it is doubled
	text func(n int) string
}

const growthHead = "aqua Growth declares *\n\nexport f\n\nservice Job(\"job\"):\n  run(x: string) -> string\n  num(x: u64) -> u64\n  log(x: string)\n\ndata D:\n  a: string\n\n"

// lines repeats a line; # in it is the number of the line.
func lines(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(line, "#", itoa(i)))
	}
	return b.String()
}

// inF puts lines into a function f.
func inF(n int, line string) string {
	return growthHead + "func f(x: string, k: u64):\n  s: *string\n" + lines(n, line)
}

func dimensions() []dimension {
	long := func(n int) string { return strings.Repeat("x", n) }
	return []dimension{
		{"unknown names", 1000, func(n int) string { return inF(n, "  Job.log(un#)\n") }},
		{"unknown functions", 2000, func(n int) string { return inF(n, "  fun#(x)\n") }},
		{"unknown names in a scope of as many", 500, func(n int) string { return inF(n, "  v# = \"a\"\n") + lines(n, "  Job.log(w#)\n") }},
		{"unknown names among similar functions", 500, func(n int) string {
			return growthHead + lines(n, "func similar#():\n  Job.log(\"a\")\n\n") + "func f():\n" + lines(n, "  simular#()\n")
		}},
		{"functions with an unknown name each", 500, func(n int) string {
			return growthHead + lines(n, "func g#(x: string):\n  Job.log(y#)\n  h#(x)\n\n") + "func f():\n  g0(\"\")\n"
		}},
		{"unknown types", 1000, func(n int) string { return growthHead + lines(n, "func g#(x: T#):\n  Job.log(\"\")\n\n") }},
		{"unknown fields", 1000, func(n int) string { return inF(1, "  d = D(a = x)\n") + lines(n, "  Job.log(d.b#)\n") }},
		{"unknown fields of a large type", 500, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f(l: L):\n" + lines(n, "  Job.log(l.g#)\n")
		}},
		{"unknown functions of a large service", 500, func(n int) string {
			return growthHead + "service L(\"l\"):\n" + lines(n, "  f#(x: string)\n") + "\nfunc f():\n" + lines(n, "  L.g#(\"\")\n")
		}},
		{"mismatches of a large type", 300, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f(l: L):\n" + lines(n, "  Job.log(l)\n")
		}},
		{"mismatches of two large types", 300, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\ndata M:\n" + lines(n, "  g#: string\n") + "\nfunc g(m: M):\n  Job.log(\"\")\n\nfunc f(l: L):\n" + lines(n, "  g(l)\n")
		}},
		{"missing fields", 1000, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f():\n  l = L(g = 1)\n"
		}},
		{"unexpected fields", 300, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f():\n  l = L(" + strings.TrimSuffix(lines(n, "g# = \"a\", "), ", ") + ")\n"
		}},
		{"duplicate fields", 500, func(n int) string { return inF(1, "  d = D("+strings.TrimSuffix(lines(n, "a = x, "), ", ")+")\n") }},
		{"constructors with all fields", 500, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f():\n  l = L(" + strings.TrimSuffix(lines(n, "f# = \"a\", "), ", ") + ")\n"
		}},
		{"copies of all fields", 300, func(n int) string {
			return growthHead + "data L:\n" + lines(n, "  f#: string\n") + "\nfunc f(l: L):\n  m = l.copy(" + strings.TrimSuffix(lines(n, "f# = \"a\", "), ", ") + ")\n"
		}},
		{"duplicate names", 1000, func(n int) string { return inF(n, "  v = \"a\"\n") }},
		{"duplicate functions", 500, func(n int) string { return growthHead + lines(n, "func g():\n  Job.log(\"\")\n\n") }},
		{"duplicate types", 500, func(n int) string { return growthHead + lines(n, "data E:\n  a: string\n\n") }},
		{"services without id", 500, func(n int) string { return growthHead + "service N:\n  g()\n\nfunc f():\n" + lines(n, "  N.g()\n") }},
		{"wrong numbers of arguments", 500, func(n int) string { return inF(n, "  Job.log(x, x)\n") }},
		{"warnings of unused results", 1000, func(n int) string { return inF(n, "  Job.run(x)\n") }},
		{"warnings on one line", 300, func(n int) string {
			return growthHead + "func f(a: u64, b: i64):\n  x = [" + strings.TrimSuffix(lines(n, "a + b, "), ", ") + "]\n"
		}},
		{"errors on one line", 300, func(n int) string {
			return growthHead + "func f(a: u64):\n  x = [" + strings.TrimSuffix(lines(n, "un#, "), ", ") + "]\n"
		}},
		{"functions with a syntax error each", 500, func(n int) string { return growthHead + lines(n, "func g#():\n  Job.log(\n\n") }},
		{"lines with a syntax error each", 500, func(n int) string { return inF(n, "  Job.log(\n") }},
		{"text after a syntax error", 1000, func(n int) string { return growthHead + "func f():\n  = =\n" + lines(n, "  Job.log(\"\")\n") }},
		{"unclosed brackets over lines", 500, func(n int) string { return growthHead + "func f():\n  Job.log(" + lines(n, "\"a\",\n  ") }},
		{"unclosed strings", 300, func(n int) string { return inF(n, "  Job.log(\"a)\n") }},
		{"an unknown name that is long", 20000, func(n int) string { return inF(1, "  Job.log("+long(n)+")\n") }},
		{"long names", 2000, func(n int) string {
			return growthHead + "func f():\n  " + long(n) + " = 1\n  Job.num(" + long(n) + ")\n  Job.log(" + long(n) + "y)\n"
		}},
		{"imports", 200, func(n int) string { return "aqua G\n" + lines(n, "import \"i#.aqua\"\n") + "func f():\n  x = 1\n" }},
		{"unresolved imports", 300, func(n int) string { return "aqua G\n" + lines(n, "import \"none#.aqua\"\n") }},
		{"uses of one module", 200, func(n int) string { return "aqua G\n" + lines(n, "use \"big.aqua\" as M\n") + "func f():\n  x = 1\n" }},
		{"names of an import", 300, func(n int) string {
			return "aqua G\nimport " + strings.TrimSuffix(lines(n, "n#, "), ", ") + " from \"big.aqua\"\n"
		}},
		{"exports", 300, func(n int) string {
			return "aqua G\nexport " + strings.TrimSuffix(lines(n, "g#, "), ", ") + "\n\n" + lines(n, "func g#():\n  x = 1\n\n")
		}},
		{"exports of nothing", 500, func(n int) string {
			return "aqua G\nexport " + strings.TrimSuffix(lines(n, "e#, "), ", ") + "\n\n" + lines(n, "func g#():\n  x = 1\n\n")
		}},
		{"exports under one name", 500, func(n int) string {
			return "aqua G\nexport " + strings.TrimSuffix(lines(n, "g# as h, "), ", ") + "\n\n" + lines(n, "func g#():\n  x = 1\n\n")
		}},
		{"declared names", 500, func(n int) string {
			return "aqua G declares " + strings.TrimSuffix(lines(n, "g#, "), ", ") + "\n\nfunc f():\n  x = 1\n"
		}},

		{"calls", 1000, func(n int) string { return inF(n, "  Job.log(x)\n") }},
		{"results", 1000, func(n int) string { return inF(n, "  v# <- Job.run(x)\n") }},
		{"results in a row", 1000, func(n int) string { return inF(1, "  v0 <- Job.run(x)\n") + lines(n, "  w# <- Job.run(v0)\n") }},
		{"functions", 500, func(n int) string {
			return growthHead + lines(n, "func g#(x: string) -> string:\n  y <- Job.run(x)\n  <- y\n\n") + "func f():\n  g0(\"\")\n"
		}},
		{"functions that call the one before", 300, func(n int) string {
			return growthHead + "func g(x: string) -> string:\n  <- x\n\n" + lines(1, "func g0(x: string) -> string:\n  y <- Job.run(x)\n  <- y\n\n") + chainOf(n) + "func f() -> string:\n  y <- g" + itoa(n) + "(\"\")\n  <- y\n"
		}},
		{"streams", 1000, func(n int) string { return inF(n, "  s#: *string\n  s# <- Job.run(x)\n") }},
		{"joins of streams", 500, func(n int) string { return inF(n, "  s#: *string\n  s# <- Job.run(x)\n  join s#[0]\n") }},
		{"pushes", 1000, func(n int) string { return inF(n, "  s <<- x\n") }},
		{"joins of one stream", 500, func(n int) string { return inF(n, "  join s[#]\n") }},
		{"ifs", 500, func(n int) string { return inF(n, "  if x == \"a\":\n    Job.log(x)\n  else:\n    Job.log(x)\n") }},
		{"ons", 500, func(n int) string { return inF(n, "  on x:\n    Job.log(x)\n") }},
		{"par ons", 900, func(n int) string {
			return inF(1, "  on x:\n    Job.log(x)\n") + lines(n, "  par on x:\n    s <- Job.run(x)\n") + "  join s[1]\n"
		}},
		{"cos", 500, func(n int) string { return inF(n, "  co Job.log(x)\n") }},
		{"loops", 500, func(n int) string { return inF(n, "  for i <- [\"a\"] par:\n    s <- Job.run(i)\n") }},
		{"tries", 500, func(n int) string { return inF(n, "  try:\n    Job.log(x)\n  catch e:\n    Job.log(e.message)\n") }},
		{"catches of one try", 1000, func(n int) string {
			return inF(1, "  try:\n    Job.log(x)\n") + lines(n, "  catch e:\n    Job.log(e.message)\n")
		}},
		{"closures", 300, func(n int) string { return inF(n, "  c# = (y: string) -> string:\n    <- y\n  v# <- c#(x)\n") }},
		{"closures that call the one before", 150, func(n int) string {
			return inF(1, "  c0 = (y: string) -> string:\n    z <- Job.run(y)\n    <- z\n") + chainOfClosures(n) + "  r <- c" + itoa(n) + "(x)\n"
		}},
		{"terms", 500, func(n int) string { return inF(1, "  v = k"+strings.Repeat(" + k", n)+"\n  Job.num(v)\n") }},
		{"literal terms", 500, func(n int) string { return inF(1, "  v = 1"+strings.Repeat(" + 1", n)+"\n  Job.num(v)\n") }},
		{"mixed terms", 500, func(n int) string { return inF(1, "  v = k"+strings.Repeat(" - k + 1", n)+"\n  Job.num(v)\n") }},
		{"factors", 500, func(n int) string { return inF(1, "  v = k"+strings.Repeat(" * k", n)+"\n  Job.num(v)\n") }},
		{"conditions", 500, func(n int) string { return inF(1, "  v = x == \"a\""+strings.Repeat(" || x == \"a\"", n)+"\n") }},
		{"items", 1000, func(n int) string { return inF(1, "  v = ["+strings.TrimSuffix(lines(n, "k, "), ", ")+"]\n") }},
		{"items of an option", 1000, func(n int) string { return inF(1, "  v = ?["+strings.TrimSuffix(lines(n, "k, "), ", ")+"]\n") }},
		{"arguments", 500, func(n int) string {
			return growthHead + "func g(" + strings.TrimSuffix(lines(n, "a#: string, "), ", ") + "):\n  Job.log(a0)\n\nfunc f(x: string):\n  g(" + strings.TrimSuffix(lines(n, "x, "), ", ") + ")\n"
		}},
		{"values returned", 300, func(n int) string {
			return growthHead + "func g(x: string) -> " + strings.TrimSuffix(lines(n, "string, "), ", ") + ":\n  <- " + strings.TrimSuffix(lines(n, "x, "), ", ") + "\n\nfunc f(x: string):\n  " + strings.TrimSuffix(lines(n, "v#, "), ", ") + " <- g(x)\n"
		}},
		{"data types of data types", 300, func(n int) string { return growthHead + lines(n, "data E#:\n  a: D\n\n") + "func f():\n  x = 1\n" }},
		{"constants", 1000, func(n int) string { return growthHead + lines(n, "const C# = 1\n") + "\nfunc f():\n  x = C0\n" }},
		{"aliases", 500, func(n int) string { return growthHead + lines(n, "alias A#: []string\n") + "\nfunc f():\n  x = 1\n" }},
		{"an alias of the one before", 90, func(n int) string {
			return growthHead + "alias A0: string\n" + aliasChain(n) + "\nfunc f():\n  x = 1\n"
		}},
		{"comments", 1000, func(n int) string { return growthHead + lines(n, "-- comment #\n") + "func f():\n  x = 1\n" }},
		{"empty lines", 5000, func(n int) string {
			return growthHead + "func f():\n  x = 1\n" + strings.Repeat("   \n", n) + "  y = 2\n"
		}},
		{"a long line", 20000, func(n int) string { return growthHead + "func f():\n  Job.log(\"" + long(n) + "\")\n" }},
		{"a long line with an error at its end", 20000, func(n int) string { return growthHead + "func f():\n  Job.log(\"" + long(n) + "\") x\n" }},
		{"many fields of fields", 200, func(n int) string { return inF(1, "  d = D(a = x)\n  y = d"+strings.Repeat(".a", n)+"\n") }},
		{"functions that call the one before on a peer", 800, func(n int) string {
			return growthHead + "func g0(x: string):\n  Job.log(x)\n\n" + lines1(n, "func gN(x: string):\n  on x:\n    gM(x)\n\n") + "func f(x: string):\n  g" + itoa(n) + "(x)\n"
		}},
		{"functions that call the one before in a par", 800, func(n int) string {
			return growthHead + "func g0(x: string, s: *string):\n  s <- Job.run(x)\n\n" + lines1(n, "func gN(x: string, s: *string):\n  s <- Job.run(x)\n  par gM(x, s)\n\n") + "func f(x: string):\n  s: *string\n  g" + itoa(n) + "(x, s)\n  join s[1]\n"
		}},
		{"nested parentheses", 50, func(n int) string { return inF(1, "  v = "+strings.Repeat("(", n)+"k"+strings.Repeat(")", n)+"\n") }},
		{"nested lists", 50, func(n int) string { return inF(1, "  v = "+strings.Repeat("[", n)+"k"+strings.Repeat("]", n)+"\n") }},
		{"nested calls", 50, func(n int) string {
			return inF(1, "  v <- "+strings.Repeat("Job.run(", n)+"x"+strings.Repeat(")", n)+"\n")
		}},
		{"nested unclosed calls", 50, func(n int) string { return inF(1, "  v <- "+strings.Repeat("Job.run(", n)+"x\n") }},
		{"nested indexes", 50, func(n int) string {
			return growthHead + "func f(xs: []u64):\n  v = " + strings.Repeat("xs[", n) + "0" + strings.Repeat("]", n) + "\n"
		}},
		{"nested types", 90, func(n int) string { return growthHead + "func f(xs: " + strings.Repeat("[]", n) + "u8):\n  v = 1\n" }},
		{"nested arrow types", 20, func(n int) string {
			return growthHead + "func f(xs: " + strings.Repeat("(u8 -> ", n) + "u8" + strings.Repeat(")", n) + "):\n  v = 1\n"
		}},
		{"nested parenthesised types", 20, func(n int) string {
			return growthHead + "func f(xs: " + strings.Repeat("(", n) + "u8" + strings.Repeat(")", n) + "):\n  v = 1\n"
		}},
		{"nested negations", 50, func(n int) string { return inF(1, "  v = "+strings.Repeat("!", n)+"true\n") }},
		{"nested constructors", 20, func(n int) string {
			return growthHead + structChain(n) + "func f(x: string):\n  v = " + makeChain(n) + "\n"
		}},
	}
}

// lines1 repeats lines; N is the number, from 1, and M the one before.
func lines1(n int, text string) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		b.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace(text))
	}
	return b.String()
}

func chainOf(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "func g%d(x: string) -> string:\n  y <- g%d(x)\n  <- y\n\n", i, i-1)
	}
	return b.String()
}

func chainOfClosures(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "  c%d = (y: string) -> string:\n    z <- c%d(y)\n    <- z\n", i, i-1)
	}
	return b.String()
}

func aliasChain(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "alias A%d: []A%d\n", i, i-1)
	}
	return b.String()
}

func structChain(n int) string {
	var b strings.Builder
	b.WriteString("data S0:\n  a: string\n\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "data S%d:\n  a: S%d\n\n", i, i-1)
	}
	return b.String()
}

func makeChain(n int) string {
	text := "S0(a = x)"
	for i := 1; i <= n; i++ {
		text = fmt.Sprintf("S%d(a = %s)", i, text)
	}
	return text
}

// growthFiles are the imports of the sources.
func growthFiles() Resolver {
	big := "aqua Big declares *\n\n" + lines(2000, "func n#():\n  x = 1\n\n")
	return func(_, path string) (Source, []string, bool) {
		switch {
		case path == "big.aqua":
			return Source{path, big}, nil, true
		case strings.HasPrefix(path, "i"):
			return Source{path, "aqua I declares *\n\nfunc h" + strings.TrimSuffix(path, ".aqua") + "():\n  x = 1\n"}, nil, true
		}
		return Source{}, []string{path}, false
	}
}

// The work grows linearly with each dimension of a text. It is counted in bytes and pieces of
// memory: in three doublings it grows by at most 2.25 each, which leaves room for the steps in
// which slices grow.
func TestGrowth(t *testing.T) {
	imports := growthFiles()
	const doublings, most = 3, 2.25 * 2.25 * 2.25
	for _, d := range dimensions() {
		t.Run(d.name, func(t *testing.T) {
			bytes, pieces := work(d.text(d.n), imports)
			moreBytes, morePieces := work(d.text(d.n<<doublings), imports)
			if r := moreBytes / bytes; r > most {
				t.Errorf("8 times as much takes %.1f times the memory", r)
			}
			if r := morePieces / pieces; r > most {
				t.Errorf("8 times as much takes %.1f times the allocations", r)
			}
		})
	}
}

// work counts what compiling a text and printing its diagnostics allocates.
func work(text string, imports Resolver) (bytes, pieces float64) {
	return allocated(func() {
		r, err := Compile(Source{"growth.aqua", text}, Options{Imports: imports})
		if err != nil {
			_ = err.Error()
		} else {
			_ = r.Warnings.Error()
		}
	})
}

// allocated counts what f allocates.
func allocated(f func()) (bytes, pieces float64) {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return float64(b.TotalAlloc - a.TotalAlloc), float64(b.Mallocs - a.Mallocs)
}

// Programs that nest as deep as the bounds allow compile.
func TestDeep(t *testing.T) {
	for _, line := range []string{
		"func gN(x: string):\n  gM(x)\n\n",
		"func gN(x: string):\n  on x:\n    gM(x)\n\n",
		"func gN(x: string):\n  Job.log(x)\n  par gM(x)\n\n",
		"func gN(x: string):\n  try:\n    gM(x)\n  otherwise:\n    Job.log(x)\n\n",
		"func gN(x: string):\n  for y <- [x] par:\n    gM(y)\n\n",
	} {
		var b strings.Builder
		b.WriteString(growthHead + "func g0(x: string):\n  Job.log(x)\n\n")
		const depth = 6000
		for i := 1; i <= depth; i++ {
			b.WriteString(strings.NewReplacer("N", itoa(i), "M", itoa(i-1)).Replace(line))
		}
		b.WriteString("func f(x: string):\n  g" + itoa(depth) + "(x)\n")
		r, err := Compile(Source{"deep.aqua", b.String()}, Options{})
		if err != nil {
			t.Errorf("%s: %.300v", line, err)
		} else if n := strings.Count(r.Functions[0].AIR, `("job" "log")`); n == 0 {
			t.Errorf("%s: the script has no call", line)
		}
	}
}
