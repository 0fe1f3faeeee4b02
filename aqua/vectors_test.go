package aqua

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/interpreter/air"
)

// vectors are programs with the output of the published compiler.
type vectors struct {
	Files map[string]string // programs and what they import
	Cases []vector
}

type vector struct {
	File               string
	OK                 bool `json:"ok"`
	Args               []string
	Diagnostics        []recorded
	WarningDiagnostics []recorded
	Functions          map[string]struct {
		Script  string
		FuncDef json.RawMessage
	}
	Services map[string]json.RawMessage
}

type recorded struct {
	Kind     string
	File     string
	Line     int
	Col      int
	Messages []string
}

func loadVectors(t testing.TB) vectors { return load(t, "testdata/vectors.json.gz") }

func load(t testing.TB, file string) vectors {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// inMemory resolves imports from a map of files.
func inMemory(files map[string]string) Resolver {
	return func(from, p string) (Source, []string, bool) {
		var tried []string
		for _, candidate := range []string{path.Join(path.Dir(from), p), p} {
			if text, ok := files[candidate]; ok {
				return Source{candidate, text}, nil, true
			}
			if len(tried) == 0 || tried[0] != candidate {
				tried = append(tried, candidate)
			}
		}
		return Source{}, tried, false
	}
}

func (v vector) options(files map[string]string) Options {
	opts := Options{Imports: inMemory(files)}
	for _, arg := range v.Args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "--no-relay":
			opts.NoRelay = true
		case "--no-xor":
			opts.NoXor = true
		case "--tracing":
			opts.Tracing = true
		case "--empty-response":
			opts.EmptyResponse = true
		case "--const":
			opts.Constants = append(opts.Constants, value)
		}
	}
	return opts
}

// pending lists the vectors that do not pass yet. A vector that passes must be removed from it.
func pending(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/pending.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestVectors(t *testing.T) {
	v := loadVectors(t)
	waiting := pending(t)
	passed := 0
	for _, c := range v.Cases {
		t.Run(strings.TrimSuffix(c.File, ".aqua"), func(t *testing.T) {
			problem := c.check(v.Files)
			expected := slices.Contains(waiting, c.File)
			switch {
			case problem == "" && expected:
				t.Error("passes now: remove it from testdata/pending.txt")
			case problem != "" && !expected:
				t.Error(problem)
			}
			if problem == "" {
				passed++
			}
		})
	}
	t.Logf("%d of %d vectors pass, %d are pending", passed, len(v.Cases), len(waiting))
}

// TestGenerated compares with the published compiler on random programs and on probes of its
// behaviour.
func TestGenerated(t *testing.T) {
	v := load(t, "testdata/generated.json.gz")
	for _, c := range v.Cases {
		problem := c.check(v.Files)
		if slices.Contains(comesHome, c.File) {
			c.checkHops(t, v.Files)
			continue
		}
		if problem != "" {
			t.Errorf("%s: %s\n%s", c.File, problem, v.Files[c.File])
		}
	}
	t.Logf("%d programs", len(v.Cases))
}

// comesHome are the programs of the generated ones in which a branch of a par comes home that the
// published compiler leaves elsewhere; see README.md.
var comesHome = []string{
	"g1_14.aqua", "g1_26.aqua", "g1_47.aqua", "g2_43.aqua",
	"g4_20_no-xor.aqua", "g5_2_tracing.aqua", "g5_16_tracing.aqua", "g5_21_tracing.aqua",
}

// checkHops checks that a case has more hops than the published script, and is equal without hops.
func (v vector) checkHops(t *testing.T, files map[string]string) {
	t.Helper()
	r, err := Compile(Source{v.File, files[v.File]}, v.options(files))
	if err != nil {
		t.Errorf("%s: %v", v.File, err)
		return
	}
	more := 0
	for _, f := range r.Functions {
		want, wantHops := withoutHops(v.Functions[f.Name].Script)
		got, gotHops := withoutHops(f.AIR)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: function %s differs in more than hops (-want +got):\n%s", v.File, f.Name, d)
		}
		more += gotHops - wantHops
	}
	if more <= 0 {
		t.Errorf("%s has no hop more than the published script", v.File)
	}
}

// withoutHops returns the instructions of a script without hops, and the number of hops.
func withoutHops(script string) (steps []string, hops int) {
	for _, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "$-hop-  #-hopc-"):
			hops++
		case line == "" || line == ")" || line == "(seq" || line == "(null)" ||
			strings.Contains(line, "-hop") || strings.Contains(line, "-via-peer-"):
		default:
			steps = append(steps, line)
		}
	}
	return steps, hops
}

// Peers accept every script.
func TestScriptsParse(t *testing.T) {
	for _, file := range []string{"testdata/vectors.json.gz", "testdata/generated.json.gz"} {
		v := load(t, file)
		for _, c := range v.Cases {
			r, err := Compile(Source{c.File, v.Files[c.File]}, c.options(v.Files))
			if err != nil {
				continue // TestVectors looks after that
			}
			for _, f := range r.Functions {
				s, err := air.Parse(f.AIR)
				if err != nil {
					t.Errorf("%s: function %s: %v\n%s", c.File, f.Name, err, f.AIR)
				} else if again := air.Format(s.Tree()); again != f.AIR {
					t.Errorf("%s: function %s changes when it is read and printed (-want +got):\n%s", c.File, f.Name, cmp.Diff(f.AIR, again))
				}
			}
		}
	}
}

// acceptedHere is a program that the published compiler refuses: it has no empty line between two
// definitions.
const acceptedHere = "066_error_no_blank_line.aqua"

// check compiles a case and describes how the outcome differs, if it does.
func (v vector) check(files map[string]string) string {
	r, err := Compile(Source{v.File, files[v.File]}, v.options(files))
	switch {
	case v.OK && err != nil:
		return "refused:\n" + err.Error()
	case v.OK:
		return v.compare(r)
	case err == nil && v.File == acceptedHere:
		return ""
	case err == nil:
		return "accepted, expected " + v.Diagnostics[0].Messages[0]
	}
	return v.compareErrors(Diagnostics(err))
}

func (v vector) compare(r *Result) string {
	if len(r.Functions) != len(v.Functions) || len(r.Services) != len(v.Services) {
		return "other functions or services are exported"
	}
	for _, f := range r.Functions {
		want, ok := v.Functions[f.Name]
		if !ok {
			return "function " + f.Name + " is exported"
		}
		if d := cmp.Diff(want.Script, f.AIR); d != "" {
			return "AIR of " + f.Name + " (-want +got):\n" + d
		}
		if d := diffJSON(want.FuncDef, f.Def); d != "" {
			return "definition of " + f.Name + " (-want +got):\n" + d
		}
	}
	for _, s := range r.Services {
		if d := diffJSON(v.Services[s.Name], s.Def); d != "" {
			return "definition of " + s.Name + " (-want +got):\n" + d
		}
	}
	return v.compareWarnings(r.Warnings)
}

func (v vector) compareWarnings(warnings diag.List) string {
	warnings = slices.DeleteFunc(slices.Clone(warnings), func(d diag.Diagnostic) bool {
		return strings.HasPrefix(d.Message[0], "A false condition") || // not warned about there
			strings.HasSuffix(d.Message[0], "which waits forever")
	})
	if len(warnings) != len(v.WarningDiagnostics) {
		return "other warnings:\n" + warnings.Error()
	}
	for _, want := range v.WarningDiagnostics {
		if !slices.ContainsFunc(warnings, want.matches) {
			return "missing warning: " + want.Messages[0] + ", got:\n" + warnings.Error()
		}
	}
	return ""
}

// matches compares position and message.
func (r recorded) matches(d diag.Diagnostic) bool {
	line, col := d.Position()
	return line == r.Line && col == r.Col && d.Message[0] == r.Messages[0]
}

// compareErrors expects the first recorded error, of a syntax error only its line.
func (v vector) compareErrors(got diag.List) string {
	want := v.Diagnostics[0]
	for _, d := range got.Errors() {
		line, _ := d.Position()
		switch {
		case want.Kind == "Syntax error" && d.Kind == diag.Syntax && line == want.Line:
			return ""
		case string(d.Kind) == want.Kind && line == want.Line && sameMissing(want.Messages[0], d.Message[0]):
			return ""
		case want.Kind != "Syntax error" && string(d.Kind) == want.Kind && (line == want.Line || want.Line == 0) && reflect.DeepEqual(d.Message, want.Messages):
			return ""
		}
	}
	return "expected " + want.Kind + ": " + strings.Join(want.Messages, "\n") + "\ngot:\n" + got.Error()
}

// sameMissing reports whether two messages are about the same missing name. Ours have the reason,
// and suggest similar names only.
func sameMissing(published, ours string) bool {
	name, ok := strings.CutPrefix(published, "Name '")
	name, _, found := strings.Cut(name, "'")
	return ok && found && strings.Contains(published, "Did you mean") && strings.Contains(ours, "'"+name+"'")
}

func diffJSON(want json.RawMessage, got any) string {
	text, err := json.Marshal(got)
	if err != nil {
		return err.Error()
	}
	if a, b := keyOrder(want), keyOrder(text); !slices.Equal(a, b) {
		return cmp.Diff(a, b)
	}
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		return err.Error()
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return err.Error()
	}
	return cmp.Diff(a, b)
}

// keyOrder returns the names of the arguments of a function definition in order.
func keyOrder(text json.RawMessage) []string {
	var def struct {
		Arrow struct {
			Domain struct{ Fields json.RawMessage }
		}
	}
	if json.Unmarshal(text, &def) != nil || def.Arrow.Domain.Fields == nil {
		return nil
	}
	var keys []string
	d := json.NewDecoder(bytes.NewReader(def.Arrow.Domain.Fields))
	for depth := 0; ; {
		tok, err := d.Token()
		if err != nil {
			return keys
		}
		switch tok := tok.(type) {
		case json.Delim:
			if tok == '{' || tok == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if depth == 1 {
				keys = append(keys, tok)
			}
		}
	}
}
