package interpreter_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/internal/golden"
	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// TestSuite runs the cases in testdata/suite. Each is a named file in the form txtar: its story,
// and
//
//	-- script.air --      the script, or
//	-- program.aqua --    functions that are compiled
//	-- scenario.json --   peers, services, order of arrival: a simulate.Scenario
//
// and one of
//
//	-- steps --           all steps in that order as 'aquanode air simulate' prints them: deliveries,
//	                      results, next peers, calls and traces. UPDATE_GOLDEN=1 writes them.
//	-- every order --     what has to be so in every order of arrival, a line each:
//	                      FUNCTION ARGUMENT=VALUE.. => ANSWER     of a program, or "any"
//	                      hangs without again: FUNCTION..        by the published interpreter's rule
//	                      FUNCTION within N steps                this call is made
//
// A line of a script may end in the text of an error:
//
//	(call "@me" ("s" "f") [] x) ### "trying to shadow variable 'x'"
//
// Then the script is refused at this line, or some step ends with that text.
func TestSuite(t *testing.T) {
	files, err := filepath.Glob("testdata/suite/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { readCase(t, path).run(t) })
	}
}

// suiteCase is a file of the suite.
type suiteCase struct {
	path     string
	archive  *txtar.Archive
	sections map[string]string
	errors   map[int]string // expected ones by line of the script
	scenario simulate.Scenario
}

var expectedError = regexp.MustCompile(`[ \t]*### (".*")$`)

func readCase(t *testing.T, path string) *suiteCase {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &suiteCase{path: path, archive: a, sections: map[string]string{}, errors: map[int]string{}}
	for _, f := range a.Files {
		c.sections[f.Name] = string(f.Data)
	}
	if strings.TrimSpace(string(a.Comment)) == "" {
		t.Error("the case has no story")
	}
	lines := strings.Split(c.sections["script.air"], "\n")
	for i, line := range lines {
		if m := expectedError.FindStringSubmatchIndex(line); m != nil {
			text, err := strconv.Unquote(line[m[2]:m[3]])
			if err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			c.errors[i+1], lines[i] = text, line[:m[0]]
		}
	}
	if err := json.Unmarshal([]byte(c.sections["scenario.json"]), &c.scenario); err != nil {
		t.Fatal(err)
	}
	c.scenario.Air = simulate.Text(strings.Join(lines, "\n"))
	return c
}

func (c *suiteCase) run(t *testing.T) {
	switch {
	case c.refused(t):
	case c.sections["every order"] != "":
		c.everyOrder(t)
	default:
		c.steps(t)
	}
}

// refused compares the errors of a script that is not AIR.
func (c *suiteCase) refused(t *testing.T) bool {
	_, err := air.Parse(string(c.scenario.Air))
	var refusal *air.ParseError
	if c.sections["script.air"] == "" || !errors.As(err, &refusal) {
		return false
	}
	found := map[int]string{}
	for _, d := range refusal.Diagnostics {
		line := 1 + strings.Count(string(c.scenario.Air[:d.Span.Start]), "\n")
		found[line] = cmp.Or(found[line], d.Message)
		if !strings.Contains(d.Message, c.errors[line]) || c.errors[line] == "" {
			t.Errorf("line %d: %s", line, d.Message)
		}
	}
	for line, want := range c.errors {
		if found[line] == "" {
			t.Errorf("line %d: no error, want %q", line, want)
		}
	}
	return true
}

// steps compares the steps in the order of the scenario, of both forms of the interpreter.
func (c *suiteCase) steps(t *testing.T) {
	for _, cold := range []bool{false, true} {
		s := c.scenario
		out, err := simulate.Run(t.Context(), &s, simulate.Options{Cold: cold, Again: true})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := out.Write(&text); err != nil {
			t.Fatal(err)
		}
		if golden.Updating() {
			c.write(t, text.String())
		}
		if want := c.sections["steps"]; text.String() != want {
			t.Errorf("cold %v: the steps are\n%s\nwant\n%s", cold, text.String(), want)
		}
		for line, want := range c.errors {
			if !slices.ContainsFunc(out.Steps, func(s simulate.StepRecord) bool { return strings.Contains(s.Answer.ErrorMessage, want) }) {
				t.Errorf("cold %v: no step ends with the error of line %d, %q", cold, line, want)
			}
		}
	}
}

// write puts the steps into the file.
func (c *suiteCase) write(t *testing.T, steps string) {
	c.sections["steps"] = steps
	for i := range c.archive.Files {
		if f := &c.archive.Files[i]; f.Name == "steps" {
			f.Data = []byte(steps)
		}
	}
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// orders is in how many orders of arrival a case runs.
const orders = 100

var callWithin = regexp.MustCompile(`^(\S+) within (\d+) steps$`)

func (c *suiteCase) everyOrder(t *testing.T) {
	hangs, want := []string{}, []string{}
	for line := range strings.Lines(c.sections["every order"]) {
		line = strings.TrimSpace(line)
		if m := callWithin.FindStringSubmatch(line); m != nil {
			most, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			c.calls(t, m[1], most)
			continue
		}
		if list, ok := strings.CutPrefix(line, "hangs without again:"); ok {
			want = strings.Fields(list)
			continue
		}
		call, answer, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("what does %q mean?", line)
		}
		if function, args, _ := strings.Cut(call, " "); c.answers(t, function, args, answer) {
			hangs = append(hangs, function)
		}
	}
	if !slices.Equal(hangs, want) {
		t.Errorf("by the published interpreter's rule %v hang in some order, want %v", hangs, want)
	}
}

// calls holds that a function is called, after so many steps at most.
func (c *suiteCase) calls(t *testing.T, function string, most int) {
	for seed := range uint32(orders) {
		out := c.inOrder(t, seed+1, true)
		made := slices.ContainsFunc(out.Calls, func(c simulate.Called) bool { return c.Function == function })
		if !made || out.Stats.Steps > most {
			t.Fatalf("order %d: %s is called: %v, after %d steps", seed+1, function, made, out.Stats.Steps)
		}
	}
}

// answers holds what a function of the program answers. It reports whether it hangs in some order
// when nobody is named again.
func (c *suiteCase) answers(t *testing.T, function, args, want string) (hangs bool) {
	p := *c
	p.scenario.Air = simulate.Text(c.compiled(t, function))
	zero := 0
	for arg := range strings.FieldsSeq(args) {
		name, text, _ := strings.Cut(arg, "=")
		if !strings.HasPrefix(text, "[") {
			text = strconv.Quote(text)
		}
		v, err := value.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.scenario.Services = append(slices.Clip(p.scenario.Services), simulate.Rule{Function: &name, Ret: &v})
	}
	p.scenario.Services = append(slices.Clip(p.scenario.Services), simulate.Rule{Arg: &zero})
	for seed := range uint32(orders) {
		out := p.inOrder(t, seed+1, true)
		got, ok := response(out)
		if !ok || want != "any" && got != want {
			t.Fatalf("%s %s, order %d: %q after %d steps, want %s", function, args, seed+1, got, out.Stats.Steps, want)
		}
		_, ok = response(p.inOrder(t, seed+1, false))
		hangs = hangs || !ok
	}
	return hangs
}

func (c *suiteCase) compiled(t *testing.T, function string) string {
	r, err := aqua.Compile(aqua.Source{Path: "program.aqua", Text: c.sections["program.aqua"]}, aqua.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, ok := r.Function(function)
	if !ok {
		t.Fatalf("no function %s", function)
	}
	return f.AIR
}

// inOrder runs the scenario in one of many orders: over virtual time or at random, results one by
// one or together, messages once or twice, cold or retained.
func (c *suiteCase) inOrder(t *testing.T, seed uint32, again bool) *simulate.Outcome {
	t.Helper()
	s, batch := c.scenario, seed%3 == 0
	s.Batch = &batch
	s.Order = simulate.Order{Kind: []string{"random", "time"}[seed%2], Seed: seed}
	twice := 0
	if c.sections["program.aqua"] != "" { // a bound of steps is one without duplicates
		twice = int(seed % 3 * 15)
	}
	out, err := simulate.Run(t.Context(), &s, simulate.Options{
		Raw: true, Only: "nobody", Cold: seed%5 == 0, Again: again, Twice: twice,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// response is what a program handed over, lists sorted and peers by name.
func response(out *simulate.Outcome) (string, bool) {
	i := slices.IndexFunc(out.Calls, func(c simulate.Called) bool { return c.Function == "response" })
	if i < 0 {
		return "", false
	}
	return "[" + strings.Join(sortedTexts(out, out.Calls[i].Args), ",") + "]", true
}

func sortedTexts(out *simulate.Outcome, list []value.Value) []string {
	var texts []string
	for _, v := range list {
		if v.Kind() == value.KindArray {
			parts := sortedTexts(out, v.Elements())
			slices.Sort(parts)
			texts = append(texts, "["+strings.Join(parts, ",")+"]")
		} else if id, _ := v.AsString(); out.Names[id] != "" {
			texts = append(texts, fmt.Sprintf("%q", "@"+out.Names[id]))
		} else {
			texts = append(texts, v.Text())
		}
	}
	return texts
}
