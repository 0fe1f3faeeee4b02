package syntax

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	production = regexp.MustCompile(`^(\w+) = (.+)$`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
	symbol     = regexp.MustCompile(`\w+`)
)

// grammar reads the productions of the grammar file.
func grammar(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/aqua.ebnf")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		m := production.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is not a production", line)
		}
		if all[m[1]] != "" {
			t.Errorf("%s has two productions", m[1])
		}
		all[m[1]] = m[2]
	}
	return all
}

// comments returns the lines of the comments above the functions of this package.
func comments(t *testing.T) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := goparser.ParseFile(token.NewFileSet(), name, nil, goparser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Doc != nil && !strings.HasSuffix(name, "_test.go") {
				lines = append(lines, strings.Split(fn.Doc.Text(), "\n")...)
			}
		}
	}
	return lines
}

// The grammar file and the comments above the functions have the same productions.
func TestGrammar(t *testing.T) {
	file := grammar(t)
	above := map[string]bool{}
	for _, line := range comments(t) {
		m := production.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		above[m[1]] = true
		if file[m[1]] != m[2] {
			t.Errorf("above a function: %s = %s\nin the file:      %s = %s", m[1], m[2], m[1], file[m[1]])
		}
	}
	for name, text := range file {
		if !above[name] {
			t.Errorf("no function has the production %s above it", name)
		}
		for _, used := range symbol.FindAllString(quoted.ReplaceAllString(text, ""), -1) {
			if file[used] == "" && used != strings.ToUpper(used) {
				t.Errorf("%s uses %s, which has no production", name, used)
			}
		}
	}
}
