package check

import (
	"sort"
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/syntax"
)

// missing reports a name that is not defined at its place. If the file defines it elsewhere, the
// message says where, else the hint has similar names.
func (f *fileChecker) missing(n syntax.Name) {
	d := diag.New(diag.Error, f.src, n.Span, "Name '"+n.Text+"' is not defined")
	d.Missing = n.Text
	switch at, local := f.definitionOf(n); {
	case f.inside(n.Text):
		d.Message = []string{"Function '" + n.Text + "' calls itself, but Aqua has no recursion"}
		d.Hint = "use a loop: for x <- list, or for x <- stream rec, " +
			"which continues with the values that it pushes"
	case at == diag.Span{}:
		d.Hint = f.similar(n.Text)
	case at.Start > n.Span.Start:
		d.Message = []string{"Name '" + n.Text + "' is used before its definition"}
		d.Hint = "move the definition above this line"
		d.Notes = []diag.Note{f.noteAt(at, "it is defined here")}
	case local:
		d.Message = []string{
			"Name '" + n.Text + "' is not defined here: the block that defines it has ended",
		}
		d.Hint = "push the value to a stream that is declared before the block"
		d.Notes = []diag.Note{f.noteAt(at, "it is defined here")}
	default: // its definition failed and was reported
		d.Hint = f.similar(n.Text)
	}
	if d.Hint == "" {
		d.Hint = f.peersHint()
	}
	f.add(d)
}

func (f *fileChecker) noteAt(span diag.Span, message string) diag.Note {
	return diag.Note{Place: diag.Place{Source: f.src, Span: span}, Message: message}
}

// again reports a name that is already defined, and where.
func (f *fileChecker) again(n syntax.Name, message string) {
	d := diag.New(diag.Error, f.src, n.Span, message)
	if span, ok := f.fn.spanOf(n.Text); ok {
		d.Notes = append(d.Notes, f.noteAt(span, "it was defined here first"))
	} else if at, ok := f.m.known.places[n.Text]; ok {
		d.Notes = append(d.Notes, diag.Note{Place: at, Message: "it was defined here first"})
	} else if _, ok := f.builtin(n.Text); ok {
		d.Hint = "'" + n.Text + "' is a constant of the language"
	}
	f.add(d)
}

// inside reports whether a function with this name is being checked.
func (f *fileChecker) inside(name string) bool {
	for s := f.fn; s != nil; s = s.outer {
		if s.fn.Name == name {
			return true
		}
	}
	return false
}

// definitionOf returns where the file defines a name that is not visible, and whether that is in
// the function under check.
func (f *fileChecker) definitionOf(n syntax.Name) (at diag.Span, local bool) {
	if f.fn != nil {
		s := f.fn
		for s.outer != nil {
			s = s.outer
		}
		if s.locals == nil {
			s.locals = syntax.Defined(s.body)
		}
		if at, ok := s.locals[n.Text]; ok {
			return at, true
		}
	}
	if f.later == nil {
		f.later = map[string]diag.Span{}
		for _, def := range f.file.Defs {
			switch def := def.(type) {
			case *syntax.Func:
				f.later[def.Name.Text] = def.Name.Span
			case *syntax.Const:
				f.later[def.Name.Text] = def.Name.Span
			case *syntax.Service:
				f.later[def.Name.Text] = def.Name.Span
			}
		}
	}
	return f.later[n.Text], false
}

func (f *fileChecker) definedLater(n syntax.Name) bool {
	at, _ := f.definitionOf(n)
	return at.Start > n.Span.Start
}

// maxCompared bounds the comparisons of names with missing ones: 100,000 take some 20 ms. A text
// can have thousands of missing names in a scope of thousands.
const maxCompared = 100_000

// foreign maps words of other languages to those of Aqua.
var foreign = map[string]string{
	"null": "nil", "none": "nil", "None": "nil", "undefined": "nil", "True": "true", "False": "false",
}

// similar returns a hint with up to three names in scope that look like a missing one.
func (f *fileChecker) similar(name string) string {
	if word, ok := foreign[name]; ok {
		return "write " + word
	}
	type candidate struct {
		name string
		d    int
	}
	var list []candidate
	seen := map[string]bool{}
	most := max(1, min(len(name), 40)/3)
	try := func(other string) {
		f.compared++
		if abs(len(other)-len(name)) > most || seen[other] {
			return
		}
		if d := distance(other, name); d <= most {
			seen[other] = true
			list = append(list, candidate{other, d})
		}
	}
	f.eachName(try)
	sort.Slice(list, func(i, j int) bool {
		if list[i].d != list[j].d {
			return list[i].d < list[j].d
		}
		return list[i].name < list[j].name
	})
	var names []string
	for _, c := range list[:min(len(list), 3)] {
		names = append(names, "'"+c.name+"'")
	}
	if len(names) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// eachName calls try with the names in scope, in any order, until maxCompared.
func (f *fileChecker) eachName(try func(string)) {
	if f.compared+len(f.m.known.funcs)+len(f.m.known.consts) > maxCompared {
		return
	}
	for s := f.fn; s != nil; s = s.outer {
		for _, fr := range s.frames {
			if f.compared+len(fr.vars) > maxCompared {
				return
			}
			for name := range fr.vars {
				try(name)
			}
		}
	}
	for name := range f.m.known.funcs {
		try(name)
	}
	for name := range f.m.known.consts {
		try(name)
	}
	for name := range f.m.known.services {
		try(name)
	}
	for _, name := range builtinNames {
		try(name)
	}
	if f.m.headless {
		for name := range f.cfg.Peers {
			try(name)
		}
	}
}

func abs(n int) int { return max(n, -n) }

// maxListed bounds the names in a message.
const maxListed = 10

// listed joins names for a message.
func listed(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// listedNames joins the functions of a module.
func listedNames(n *names) string {
	list := keys(n.funcs)
	return strings.Join(list[:min(len(list), maxListed)], "', '")
}

// distance is the Levenshtein distance of the first 40 bytes.
func distance(a, b string) int {
	a, b = a[:min(len(a), 40)], b[:min(len(b), 40)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
