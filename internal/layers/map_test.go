package layers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"os"

	"github.com/aquanode/aquanode/internal/golden"
)

const (
	architecture = "../../docs/ARCHITECTURE.md"
	mapBegin     = "<!-- made from the package comments by UPDATE_GOLDEN=1 go test ./internal/layers -->\n"
	mapEnd       = "<!-- end -->\n"
)

// The map in docs/ARCHITECTURE.md has every package, with the first sentence of its comment.
func TestMap(t *testing.T) {
	text, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), mapBegin)
	_, after, ended := strings.Cut(rest, mapEnd)
	if !ok || !ended {
		t.Fatalf("%s has no map between %q and %q", architecture, mapBegin, mapEnd)
	}
	golden.File(t, architecture, before+mapBegin+packages(t)+mapEnd+after)
}

func packages(t *testing.T) string {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}\t{{.Doc}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	table := "\n| package | what |\n|---|---|\n"
	for line := range strings.Lines(string(out)) {
		path, doc, _ := strings.Cut(strings.TrimSpace(line), "\t")
		path = strings.TrimPrefix(path, module)
		if doc == "" {
			if !strings.HasPrefix(path, "test/") && path != "internal/layers" {
				t.Errorf("package %s has no comment", path)
			}
			continue // tests only
		}
		doc = regexp.MustCompile(`^(Package|Command) \S+ `).ReplaceAllString(doc, "")
		table += fmt.Sprintf("| `%s` | %s |\n", path, strings.TrimRight(doc, ".:"))
	}
	return table + "\n"
}

// The table of goroutines names every package that starts one, and no other.
func TestGoroutines(t *testing.T) {
	text, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Goroutines")
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		named = append(named, row[1])
	}
	for _, dir := range starters(t) {
		if !slices.Contains(named, dir) {
			t.Errorf("%s starts goroutines and is not in the table of %s", dir, architecture)
		}
		named = slices.DeleteFunc(named, func(s string) bool { return s == dir })
	}
	for _, dir := range named {
		t.Errorf("%s starts no goroutine but is in the table of %s", dir, architecture)
	}
}

// starters are the packages, besides tests, with a go statement or a WaitGroup's Go.
func starters(t *testing.T) (dirs []string) {
	out, err := exec.Command("go", "list", "-f", "{{$d := .Dir}}{{$p := .ImportPath}}{{range .GoFiles}}{{$p}}\t{{$d}}/{{.}}\n{{end}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, file, ok := strings.Cut(strings.TrimSpace(line), "\t")
		path = strings.TrimPrefix(path, module)
		if !ok || strings.HasPrefix(path, "test/") || slices.Contains(dirs, path) {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				dirs = append(dirs, path)
			case *ast.CallExpr: // a WaitGroup's Go takes a function; a method of that name elsewhere has no argument
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Go" && len(n.Args) == 1 {
					dirs = append(dirs, path)
				}
			}
			return true
		})
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
