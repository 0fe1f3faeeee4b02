package machine

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/value"
)

// FuzzLens applies lenses to values and holds the outcome to a walk over what encoding/json makes
// of them. All scalars in a lens have the same value. A lens that is printed reads back as itself.
func FuzzLens(f *testing.F) {
	docs := []string{`{"a":{"b":[1,2.5,{"c":null}]},"length":[[]],"0":"x"}`, `[[{"a":[0]},18446744073709551616],-0,"t",[true]]`}
	by := []string{`0`, `1`, `"a"`, `"length"`, `1.0`, `-1`, `4294967296`, `null`, `"é"`}
	for i, text := range vectorLenses(f) {
		f.Add(text, docs[i%2], by[i%len(by)])
	}
	for _, text := range []string{".length", ".$.a.b.[2]", ".$[0][x]!.a![0]", ".$.[i].[i]", ".$.length.[0].[0]", ".$.[4294967295]"} {
		for i, b := range by {
			f.Add(text, docs[i%2], b)
		}
	}
	f.Fuzz(func(t *testing.T, text, doc, by string) {
		if len(text) > 1<<12 || len(doc)+len(by) > 1<<14 {
			return
		}
		lens, script := readLens(t, text)
		if lens == nil {
			return
		}
		again, _ := readLens(t, lens.String())
		if again == nil || again.Length != lens.Length || !slices.Equal(again.Path, lens.Path) || again.String() != lens.String() {
			t.Fatalf("%q is printed as %s, which reads as %v", text, lens, again)
		}
		v, err := value.Parse(doc)
		b, err2 := value.Parse(by)
		if err != nil || err2 != nil || !utf8.ValidString(doc+by) {
			return
		}
		got, bad := look(script, lens, v, b)
		tree, code := walk(decode(t, doc), lens, decode(t, by))
		switch {
		case code != 0:
			if bad == nil || bad.Code() != code || !utf8.ValidString(bad.Message()) {
				t.Fatalf("%s of %s by %s gives %s, %v, want code %d", lens, doc, by, got, bad, code)
			}
		case bad != nil:
			t.Fatalf("%s of %s by %s: %s, want %v", lens, doc, by, bad.Message(), tree)
		default:
			if want := encode(t, tree); !value.Equal(got, want) {
				t.Fatalf("%s of %s by %s gives %s, want %s", lens, doc, by, got, want)
			}
		}
	})
}

// readLens reads a lens where it stands behind a scalar; nil is none.
func readLens(tb testing.TB, text string) (*air.Lens, *air.Script) {
	s, err := air.Parse("(fail x" + text + ")") // fail does not ask whether its scalars are defined
	if err != nil {
		return nil, nil
	}
	of := s.Instr(0).(*air.Fail).Of
	if of.Kind != air.Variable || of.Var.Name != "x" || of.Lens.IsZero() {
		return nil, nil
	}
	if plain := "(fail x" + of.Lens.String() + ")\n"; air.Format(s.Tree()) != plain {
		tb.Fatalf("%q is printed as %s, want %s", s.Source, air.Format(s.Tree()), plain)
	}
	return &of.Lens, s
}

// look applies a lens as a machine does.
func look(s *air.Script, l *air.Lens, v, by value.Value) (value.Value, *fault.Fault) {
	m := Machine{p: program.New(s)}
	m.scopes.Reset()
	m.scalars.Reset(len(s.Names))
	m.folds = make([]*pass, len(s.Names))
	for slot := range s.Names {
		m.scalars.Set(&m.scopes, int32(slot), &content.Item{Val: by}, 0)
	}
	return m.look(&content.Item{Val: v}, m.p.Lens(l))
}

// walk is look over decoded JSON. It gives the code of the error, 0 for none.
func walk(tree any, l *air.Lens, by any) (any, int64) {
	if l.Length {
		list, ok := tree.([]any)
		if !ok {
			return nil, fault.CodeLength
		}
		return len(list), 0
	}
	for _, a := range l.Path {
		var step any = a.Name
		switch a.Kind {
		case air.ByIndex:
			step = json.Number(strconv.FormatUint(uint64(a.Index), 10))
		case air.ByScalar:
			step = by
		}
		var ok bool
		switch step := step.(type) {
		case string:
			var object map[string]any
			object, _ = tree.(map[string]any)
			tree, ok = object[step]
		case json.Number:
			list, _ := tree.([]any)
			k, err := strconv.ParseUint(step.String(), 10, 32)
			if ok = err == nil && k < uint64(len(list)); ok {
				tree = list[k]
			}
		}
		if !ok {
			return nil, fault.CodeLens
		}
	}
	return tree, 0
}

func decode(tb testing.TB, text string) (tree any) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		tb.Fatalf("%q is JSON for one and not for the other: %v", text, err)
	}
	return tree
}

func encode(tb testing.TB, tree any) value.Value {
	text, err := json.Marshal(tree)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := value.Parse(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// vectorLenses are the lenses in the scripts of the recorded runs.
func vectorLenses(tb testing.TB) []string {
	text, err := os.ReadFile("testdata/lenses.txt")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
