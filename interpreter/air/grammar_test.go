package air

import (
	"errors"
	"fmt"
	goparser "go/parser"
	gotoken "go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	production = regexp.MustCompile(`^(\w+) = (.+)$`)
	symbols    = regexp.MustCompile(`"[^"]*"|\w+|[][{}()|]`)
)

// grammar reads the productions of the grammar file.
func grammar(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/air.ebnf")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		m := production.FindStringSubmatch(line)
		if m == nil || all[m[1]] != "" {
			t.Fatalf("%q is not a production, or the second one of its name", line)
		}
		all[m[1]] = m[2]
	}
	return all
}

// TestGrammarAboveFunctions holds that the file and the comments of this package have the same
// productions.
func TestGrammarAboveFunctions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	inFile, above := grammar(t), map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := goparser.ParseFile(gotoken.NewFileSet(), name, nil, goparser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range f.Comments {
			for line := range strings.Lines(group.Text()) {
				m := production.FindStringSubmatch(strings.TrimSpace(line))
				if m == nil {
					continue
				}
				above[m[1]] = true
				if inFile[m[1]] != m[2] {
					t.Errorf("%s: %s = %s\nin the file: %s", name, m[1], m[2], inFile[m[1]])
				}
			}
		}
	}
	for name := range inFile {
		if !above[name] {
			t.Errorf("the production of %s stands above nothing", name)
		}
	}
}

// TestGrammarIsParsed parses random scripts made from the grammar: none has a syntax error. With a
// word dropped or doubled most have one.
func TestGrammarIsParsed(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2)), rules: grammar(t)}
	damaged := 0
	const scripts = 3000
	for range scripts {
		g.words, g.depth = nil, 0
		g.rule("script")
		if text := g.text(g.words); hasSyntaxError(text) {
			_, err := Parse(text)
			t.Fatalf("%s\n%v", text, err)
		}
		i := g.IntN(len(g.words))
		words := append(append([]string{}, g.words[:i]...), g.words[i+1:]...)
		if hasSyntaxError(g.text(words)) {
			damaged++
		}
	}
	if damaged < scripts/2 {
		t.Errorf("%d of %d scripts that lack a word have a syntax error", damaged, scripts)
	}
}

func hasSyntaxError(text string) bool {
	_, err := Parse(text)
	var refusal *ParseError
	if !errors.As(err, &refusal) {
		return false
	}
	for _, d := range refusal.Diagnostics {
		if d.syntax {
			return true
		}
	}
	return false
}

// generator makes random texts of a grammar.
type generator struct {
	*rand.Rand
	rules map[string]string
	words []string // those that stand in a lens, and lenses, begin with glue
	depth int
	lens  int
}

const glue = "\x00"

func (g *generator) text(words []string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(strings.Join(words, " "), " "+glue, ""), glue, ""))
}

func (g *generator) word(w string) {
	if g.lens > 0 {
		w = glue + w
	}
	g.words = append(g.words, w)
}

// rule makes a text of a production.
func (g *generator) rule(name string) {
	if name == "instr" {
		if g.depth++; g.depth > 5 {
			name = "null"
		}
		defer func() { g.depth-- }()
	}
	if name == "lens" {
		g.lens++
		defer func() { g.lens-- }()
	}
	rest := symbols.FindAllString(g.rules[name], -1)
	g.choice(&rest, true)
}

// choice makes a text of one of the alternatives up to a closing bracket; the others are passed
// over.
func (g *generator) choice(rest *[]string, take bool) {
	n := alternatives(*rest)
	for i, chosen := 0, g.IntN(n); i < n; i++ {
		for len(*rest) > 0 && !strings.Contains("|)]}", (*rest)[0]) {
			g.item(rest, take && i == chosen)
		}
		if i < n-1 {
			*rest = (*rest)[1:] // the "|"
		}
	}
}

// alternatives counts those up to a closing bracket.
func alternatives(list []string) int {
	n, depth := 1, 0
	for _, s := range list {
		switch {
		case s == "|" && depth == 0:
			n++
		case strings.Contains("([{", s):
			depth++
		case strings.Contains(")]}", s):
			if depth--; depth < 0 {
				return n
			}
		}
	}
	return n
}

func (g *generator) item(rest *[]string, take bool) {
	s := (*rest)[0]
	*rest = (*rest)[1:]
	times := 1
	switch s {
	case "[":
		times = g.IntN(2)
	case "{":
		times = g.IntN(3)
	case "(":
	default:
		if take {
			g.symbol(s)
		}
		return
	}
	inner := *rest
	g.choice(rest, false)
	*rest = (*rest)[1:] // the closing bracket
	for range times {
		if take {
			again := inner
			g.choice(&again, true)
		}
	}
}

func (g *generator) symbol(s string) {
	name := fmt.Sprintf("name%d", g.IntN(5))
	switch s {
	case "STRING":
		g.word(`"` + name + `"`)
	case "INT":
		g.word([]string{"0", "42", "-7"}[g.IntN(3)])
	case "FLOAT":
		g.word([]string{"0.5", "-1.25", "3."}[g.IntN(3)])
	case "SCALAR", "NAME":
		g.word(name)
	case "STREAM":
		g.word("$" + name)
	case "MAP":
		g.word("%" + name)
	case "CANON":
		g.word("#" + name)
	case "CANONMAP":
		g.word("#%" + name)
	case "INDEX":
		g.word(fmt.Sprint(g.IntN(100)))
	default:
		if text, ok := strings.CutPrefix(s, `"`); ok {
			g.word(strings.TrimSuffix(text, `"`))
		} else {
			g.rule(s)
		}
	}
}
