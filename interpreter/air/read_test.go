package air

import (
	"strings"
	"sync"
	"testing"
)

// goodScripts are the scripts of the vectors and of the reference compiler that Parse takes.
func goodScripts(tb testing.TB) []string {
	var good []string
	for _, file := range []string{"vectors.jsonl.gz", "compiled.jsonl.gz"} {
		for _, s := range readSamples(tb, file) {
			if _, err := Parse(s.Air); err == nil {
				good = append(good, s.Air)
			}
		}
	}
	return good
}

// TestScript holds the numbered instructions to the tree.
func TestScript(t *testing.T) {
	for _, src := range goodScripts(t) {
		s, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		var compare func(k int, want Instr)
		compare = func(k int, want Instr) {
			if k != count {
				t.Errorf("%s\ninstruction %d has number %d", src, count, k)
			}
			count++
			got := s.Instr(k)
			if got.At() != want.At() || Text(got) != Text(want) {
				t.Errorf("%s\ninstruction %d is %s at %v, want %s at %v", src, k, Text(got), got.At(), Text(want), want.At())
			}
			if _, is := want.(*Seq); is != s.IsSeq(k) {
				t.Errorf("IsSeq of %s is %v", Text(want), s.IsSeq(k))
			}
			if _, is := want.(*Next); is != s.IsNext(k) {
				t.Errorf("IsNext of %s is %v", Text(want), s.IsNext(k))
			}
			left, right := s.Branches(k)
			l, r := branches(want)
			if (left != 0) != (l != nil) || (right != 0) != (r != nil) {
				t.Fatalf("%s\ninstruction %d, %s, has branches %d and %d", src, k, Text(want), left, right)
			}
			if l != nil {
				compare(left, l)
			}
			if r != nil {
				compare(right, r)
			}
		}
		compare(0, s.Tree())
		if count != s.Len() {
			t.Errorf("%s\nhas %d instructions, Len says %d", src, count, s.Len())
		}
	}
}

// TestNames looks whether every mention of a variable has the number of its name.
func TestNames(t *testing.T) {
	s, err := Parse(`(seq (seq (ap 1 i) (ap 2 j)) (call i.$.[j].[j] ("s" "f") [i.$.a.[i] %last_error%.$.[j] :error:.length j.length] $s))`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Names, " "); got != "i j $s" {
		t.Errorf("names %s, want i j $s", got)
	}
	c := s.Instr(4).(*Call)
	for _, v := range append([]Value{c.Peer}, c.Args...) {
		if v.Kind == Variable && s.Names[v.Var.ID] != v.Var.Name {
			t.Errorf("%v is number %d", v, v.Var.ID)
		}
		for _, a := range v.Lens.Path {
			if a.Kind == ByScalar && s.Names[a.ID] != a.Name {
				t.Errorf("%v of %v is number %d", a, v, a.ID)
			}
		}
	}
	if s.Names[c.Out.ID] != "$s" {
		t.Errorf("$s is number %d", c.Out.ID)
	}
}

// TestMemoryIsShared parses scripts, good and bad ones, by many goroutines at a time: parsers use
// the memory of others again, and must not find anything of their scripts in it.
func TestMemoryIsShared(t *testing.T) {
	scripts := goodScripts(t)
	for k, s := range readSamples(t, "answers.jsonl.gz") {
		if k%10 == 0 {
			scripts = append(scripts, s.Air)
		}
	}
	read := func(src string) string {
		s, err := Parse(src)
		if err != nil {
			return err.Error()
		}
		return sexpr(s.Tree()) + strings.Join(s.Names, " ")
	}
	want := make([]string, len(scripts))
	for k, src := range scripts {
		want[k] = read(src)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for k := range scripts {
				k = (k*7 + g*len(scripts)/4) % len(scripts)
				if got := read(scripts[k]); got != want[k] {
					t.Errorf("%s\nread by several gives\n%s\nwant\n%s", scripts[k], got, want[k])
				}
			}
		})
	}
	all.Wait()
}
