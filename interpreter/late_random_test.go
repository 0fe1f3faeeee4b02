package interpreter_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

var (
	lateSeed     = flag.Uint64("late-seed", 1, "seed of the first random program with late results")
	latePrograms = flag.Int("late-programs", 40, "number of random programs with late results")
)

// lateProgram draws an Aqua program that pushes words to a stream wherever it comes by, in par, for
// .. par, co and closures, on peers and clients behind relays, and has ended when all words are
// there. What else it waits for comes on the way: variables of other branches, and streams of its
// own.
type lateProgram struct {
	*rand.Rand
	words   []string
	streams []string
	names   int
}

const lateHead = `aqua Late declares *

export everywhere

service Op("op"):
    identity(s: string) -> string
    concat_strings(a: string, b: string) -> string

service Absent("absent"):
    get(s: string) -> string

func everywhere(places: []string, ways: []string) -> []string:
    out: *string
`

// The places by index; each has the peer that leads to it.
var (
	latePlaces = []string{"relay", "other", "a", "b", "client", "guest"}
	lateWays   = []string{"relay", "other", "relay", "other", "relay", "other"}
)

func newLateProgram(seed uint64) (text string, words []string) {
	p := &lateProgram{Rand: rand.New(rand.NewPCG(seed, 0x4c415445))}
	body := p.block(3)
	var head []string
	for _, s := range p.streams {
		head = append(head, s+": *string")
	}
	body = slices.Concat(head, body, []string{fmt.Sprintf("join out[%d]", len(p.words)-1), "<- out"})
	slices.Sort(p.words)
	return lateHead + strings.Join(indent(body), "\n") + "\n", p.words
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "    " + l
	}
	return out
}

func (p *lateProgram) word() string {
	p.words = append(p.words, fmt.Sprintf("w%d", len(p.words)))
	return p.words[len(p.words)-1]
}

func (p *lateProgram) name(kind string) string {
	p.names++
	return fmt.Sprintf("%s%d", kind, p.names)
}

func (p *lateProgram) push() []string {
	return []string{fmt.Sprintf(`out <- Op.identity("%s")`, p.word())}
}

func (p *lateProgram) block(depth int) []string {
	var lines []string
	for range 1 + p.IntN(3) {
		lines = append(lines, p.step(depth)...)
	}
	return lines
}

func (p *lateProgram) step(depth int) []string {
	if depth == 0 {
		return p.push()
	}
	switch p.IntN(11) {
	case 0, 1:
		return p.on(depth)
	case 2:
		return p.par(depth)
	case 3:
		return p.loop(depth)
	case 4:
		return beside("co ", p.on(depth))
	case 5:
		return beside("co ", p.push())
	case 6:
		return p.variables(depth)
	case 7:
		return p.join(depth)
	case 8:
		return slices.Concat([]string{"try:"}, indent(append(p.push(), `no <- Absent.get("x")`)), []string{"catch e:"}, indent(p.push()))
	case 9:
		return p.closure()
	}
	return p.push()
}

// beside puts a word before a statement.
func beside(word string, lines []string) []string {
	return append([]string{word + lines[0]}, lines[1:]...)
}

func (p *lateProgram) head() string {
	i := p.IntN(len(latePlaces))
	return fmt.Sprintf("on places[%d] via ways[%d]:", i, i)
}

func (p *lateProgram) on(depth int) []string {
	return append([]string{p.head()}, indent(p.block(depth-1))...)
}

func (p *lateProgram) par(depth int) []string {
	var lines []string
	for i := range 2 + p.IntN(2) {
		var branch []string
		if p.IntN(3) > 0 {
			branch = p.on(max(depth-1, 1))
		} else {
			branch = p.push()
		}
		if i > 0 {
			branch = beside("par ", branch)
		}
		lines = append(lines, branch...)
	}
	return lines
}

// loop pushes a word for each element, or does more for one.
func (p *lateProgram) loop(depth int) []string {
	x, w := p.name("x"), p.word()
	p.words = append(p.words[:len(p.words)-1], w+"-a", w+"-b")
	body := []string{fmt.Sprintf(`out <- Op.concat_strings("%s", %s)`, w, x)}
	if p.IntN(2) == 0 {
		body = append([]string{p.head()}, indent(body)...)
	}
	how := []string{"", " par"}[p.IntN(2)]
	return append([]string{fmt.Sprintf(`for %s <- ["-a", "-b"]%s:`, x, how)}, indent(body)...)
}

// variables are set in branches, and used together behind them.
func (p *lateProgram) variables(int) []string {
	x, y := p.name("x"), p.name("y")
	w := p.word()
	set := func(name, value string) []string {
		line := fmt.Sprintf(`%s <- Op.identity("%s")`, name, value)
		if p.IntN(2) == 0 {
			return []string{line}
		}
		return []string{p.head(), "    " + line}
	}
	use := []string{fmt.Sprintf("out <- Op.concat_strings(%s, %s)", x, y)}
	switch p.IntN(3) {
	case 0:
		use = append([]string{p.head()}, indent(use)...)
	case 1:
		use = append([]string{fmt.Sprintf(`if %s == "%s":`, x, w[:1])}, indent(use)...)
	}
	return slices.Concat(set(x, w[:1]), beside("par ", set(y, w[1:])), use)
}

// join fills a stream and waits for all of it.
func (p *lateProgram) join(depth int) []string {
	s := p.name("s")
	p.streams = append(p.streams, s)
	x := p.name("x")
	fill := []string{
		fmt.Sprintf(`for %s <- ["1", "2", "3"] par:`, x),
		"    " + p.head(),
		fmt.Sprintf("        %s <- Op.identity(%s)", s, x),
	}
	wait := append([]string{fmt.Sprintf("join %s[2]", s)}, p.push()...)
	if p.IntN(2) == 0 {
		wait = append([]string{p.head()}, indent(wait)...)
	}
	between := []string{}
	if p.IntN(2) == 0 {
		between = p.step(depth - 1)
	}
	return slices.Concat(fill, between, wait)
}

// closure is called in branches.
func (p *lateProgram) closure() []string {
	f := p.name("f")
	lines := []string{f + " = (s: string) -> string:"}
	x := p.name("x")
	lines = append(lines, indent([]string{p.head(), fmt.Sprintf("    %s <- Op.identity(s)", x), "<- " + x})...)
	for i := range 2 + p.IntN(2) {
		call := fmt.Sprintf(`out <- %s("%s")`, f, p.word())
		if i > 0 {
			call = "par " + call
		}
		lines = append(lines, call)
	}
	return lines
}

func runProgram(t *testing.T, script string, seed uint32, again bool) *simulate.Outcome {
	t.Helper()
	batch := seed%3 == 0
	s := &simulate.Scenario{
		Air: simulate.Text(script), Batch: &batch, MaxSteps: 5000,
		Order: simulate.Order{Kind: []string{"random", "time"}[seed%2], Seed: seed},
		Init:  "client",
	}
	var places, ways []value.Value
	for i, name := range latePlaces {
		s.Peers = append(s.Peers, simulate.NewPeer(name, nil))
		places = append(places, value.String(s.Peers[i].ID))
	}
	for _, name := range lateWays {
		ways = append(ways, value.String(simulate.NewPeer(name, nil).ID))
	}
	s.Answer = func(c *simulate.Call) (simulate.Result, bool) {
		text := func(i int) string { s, _ := c.Args[i].AsString(); return s }
		var v value.Value
		switch c.Function {
		case "-relay-":
			v = ways[0]
		case "places":
			v = value.Array(places)
		case "ways":
			v = value.Array(ways)
		case "identity":
			v = c.Args[0]
		case "concat_strings":
			v = value.String(text(0) + text(1))
		case "get":
			return simulate.Result{RetCode: 1, Result: `"there is no such service"`}, true
		default:
			v = value.String("")
		}
		return simulate.Result{Result: v.Text()}, true
	}
	out, err := simulate.Run(t.Context(), s, simulate.Options{
		Raw: true, Only: "nobody", Cold: seed%5 == 0, Again: again, Twice: int(seed % 4 * 10), Stranded: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRandomProgramsWithLateResults compiles random programs and runs each in four orders of
// arrival over virtual time, with messages that come twice. All answer with all words. For a
// search, 5000 programs in 15 minutes:
//
//	go test ./interpreter -run RandomProgramsWithLateResults -v -timeout 1h -args -late-programs 5000 -late-seed 1000
func TestRandomProgramsWithLateResults(t *testing.T) {
	steps, again, hangs, failures := 0, 0, 0, 0
	for k := range *latePrograms {
		seed := *lateSeed + uint64(k)
		text, words := newLateProgram(seed)
		r, err := aqua.Compile(aqua.Source{Path: "late.aqua", Text: text}, aqua.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		script, want := r.Functions[0].AIR, `[["`+strings.Join(words, `","`)+`"]]`
		for order := range uint32(4) {
			out := runProgram(t, script, 1000*uint32(seed)+order, true)
			steps, again = steps+out.Stats.Steps, again+out.Again
			if got, _ := response(out); got != want {
				t.Errorf("seed %d, order %d: %q after %d steps, want %s; %s\n%s", seed, order, got, out.Stats.Steps, want, out.Stranded, text)
				failures++
				break
			}
		}
		if failures == 3 {
			t.FailNow()
		}
		if got, _ := response(runProgram(t, script, 1000*uint32(seed), false)); got != want {
			hangs++
		}
	}
	t.Logf("%d steps, %d names again; by the published interpreter's rule %d of %d programs hang in one order", steps, again, hangs, *latePrograms)
}
