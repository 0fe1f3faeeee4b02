// Command bench makes the tables of docs/PERFORMANCE.md on this machine:
//
//	npm ci --prefix test/interop/avm
//	go run ./test/bench [-rounds 3] [-budget 300ms] [-only TEXT] [interpreter]
//	go run ./test/bench [-rounds 3] [-only TEXT] network
//
// The first measures the interpreter against the published one, in alternation. Both engines get the same requests. The published one runs warm in V8 without its stock host, which would
// dominate; it has no retained form, so it runs the cold form in all cases. Ratios are of medians; a case of several
// steps adds them up. Whole particles are the sum over all steps of one peer; of the published engine's, every 25th
// step is measured, since all would take hours.
//
// The second measures peers and clients over sockets, see network.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

var (
	rounds = flag.Int("rounds", 3, "alternations of the two engines")
	budget = flag.Duration("budget", 300*time.Millisecond, "time for one request and engine in a round")
	only   = flag.String("only", "", "only cases whose name contains this")
)

func main() {
	flag.Parse()
	debug.SetGCPercent(400) // as cmd/aquanode does
	measure := run
	switch flag.Arg(0) {
	case "", "interpreter":
	case "network":
		measure = network
	default:
		fmt.Fprintf(os.Stderr, "bench: there is no part %q, only interpreter and network\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := measure(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "aquanode-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("%s, %s, %d cores, Node %s\n\n", time.Now().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), nodeVersion())
	fmt.Println("| case | published, ms | ours, ms | ratio | allocations | allocated |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range simulate.CaseNames() {
		if !strings.Contains(name, *only) {
			continue
		}
		c, err := simulate.MakeCase(ctx, name)
		if err != nil {
			return err
		}
		if err := compare(ctx, dir, c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, w := range wholes {
		if strings.Contains(w.name, *only) {
			if err := w.compare(ctx, dir); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	if strings.Contains("memory", *only) {
		return memory(ctx)
	}
	return nil
}

func nodeVersion() string {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "missing"
	}
	return strings.TrimSpace(string(out))
}

// compare measures one case with both engines and prints its row.
func compare(ctx context.Context, dir string, c *simulate.Case) error {
	file, err := write(dir, c.Requests)
	if err != nil {
		return err
	}
	var theirs, ours []float64
	var last []simulate.Timing
	for range *rounds {
		t, err := published(ctx, file, *budget)
		if err != nil {
			return err
		}
		o, err := own(ctx, c)
		if err != nil {
			return err
		}
		for i := range t {
			if t[i].RetCode != o[i].RetCode {
				return fmt.Errorf("request %d: published code %d, ours %d", i, t[i].RetCode, o[i].RetCode)
			}
		}
		theirs, ours, last = append(theirs, sum(t[c.Warm:])), append(ours, sum(o[c.Warm:])), o[c.Warm:]
	}
	var allocs, size uint64
	for _, t := range last {
		allocs, size = allocs+t.Allocs, size+t.Bytes
	}
	a, b := median(theirs), median(ours)
	fmt.Printf("| %s | %.3g | %.3g | %s | %d | %s |\n", c.Name, a, b, ratio(a, b), allocs, bytesText(size))
	return nil
}

func own(ctx context.Context, c *simulate.Case) ([]simulate.Timing, error) {
	scripts := interpreter.NewScripts(1 << 30)
	if c.Fresh {
		scripts = nil
	}
	if c.Retained {
		return simulate.BenchRetained(ctx, c.Requests, *budget, scripts)
	}
	var out []simulate.Timing
	for _, r := range c.Requests {
		t, err := simulate.Bench(ctx, r, *budget/time.Duration(len(c.Requests)), scripts)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// published runs the published engine over a file of requests.
func published(ctx context.Context, file string, budget time.Duration) ([]simulate.Timing, error) {
	cmd := exec.CommandContext(ctx, "node", filepath.Join("test", "bench", "avm", "time.mjs"), "--budget", fmt.Sprint(budget.Milliseconds()), file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v (did you run npm ci --prefix test/interop/avm, and this from the root of the project?)", err)
	}
	var timings []simulate.Timing
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var t simulate.Timing
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return nil, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		timings = append(timings, t)
	}
	return timings, lines.Err()
}

func write(dir string, requests []*simulate.Request) (string, error) {
	f, err := os.Create(filepath.Join(dir, "requests.jsonl.gz"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	e := json.NewEncoder(z)
	for _, r := range requests {
		if err := e.Encode(r); err != nil {
			return "", err
		}
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

func sum(ts []simulate.Timing) (ms float64) {
	for _, t := range ts {
		ms += t.MedianMS
	}
	return ms
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func ratio(a, b float64) string {
	if r := a / b; r < 100 {
		return fmt.Sprintf("%.1fx", r)
	}
	return fmt.Sprintf("%.0fx", a/b)
}

func bytesText(n uint64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// A whole particle, as one peer sees it.
type whole struct {
	name string
	make func(n int) *simulate.Scenario
}

var wholes = []whole{
	{"whole particle: dependent local calls", simulate.LocalChain},
	{"whole particle: fan-out, at the client", simulate.FanOut},
}

// sampleEvery is which of its steps the published engine runs.
const sampleEvery = 25

func (w whole) compare(ctx context.Context, dir string) error {
	sizes := []int{100, 1000}
	var theirs, ours []float64
	for _, n := range sizes {
		requests, err := simulate.Client(ctx, w.make(n))
		if err != nil {
			return err
		}
		a, b, err := w.measure(ctx, dir, requests)
		if err != nil {
			return err
		}
		theirs, ours = append(theirs, a), append(ours, b)
		fmt.Printf("| %s, %d | %.4g | %.3g | %s | | |\n", w.name, n, a, b, ratio(a, b))
	}
	fmt.Printf("| %s, exponent | %.2f | %.2f | | | |\n", w.name, math.Log10(theirs[1]/theirs[0]), math.Log10(ours[1]/ours[0]))
	return nil
}

func (w whole) measure(ctx context.Context, dir string, requests []*simulate.Request) (theirs, ours float64, err error) {
	var sample []*simulate.Request
	for i := sampleEvery / 2; i < len(requests); i += sampleEvery {
		sample = append(sample, requests[i])
	}
	file, err := write(dir, sample)
	if err != nil {
		return 0, 0, err
	}
	var a, b []float64
	for range *rounds {
		t, err := published(ctx, file, 5*time.Millisecond)
		if err != nil {
			return 0, 0, err
		}
		a = append(a, sum(t)/float64(len(t))*float64(len(requests)))
		o, err := wholeOwn(ctx, requests)
		if err != nil {
			return 0, 0, err
		}
		b = append(b, o)
	}
	return median(a), median(b), nil
}

// wholeOwn is the time of all steps of a retained state, from opening it on.
func wholeOwn(ctx context.Context, requests []*simulate.Request) (float64, error) {
	var list []float64
	for range 5 {
		runtime.GC()
		ms, err := simulate.Through(ctx, requests)
		if err != nil {
			return 0, err
		}
		list = append(list, ms)
	}
	return median(list), nil
}

// memory prints what a step allocates for a payload, with the collector off: an upper bound of its peak.
func memory(ctx context.Context) error {
	fmt.Println()
	for _, name := range []string{"1 MB value in", "1 MB value out"} {
		c, err := simulate.MakeCase(ctx, name)
		if err != nil {
			return err
		}
		r := c.Requests[0]
		percent := debug.SetGCPercent(-1)
		t, err := simulate.Bench(ctx, r, 0, nil)
		debug.SetGCPercent(percent)
		if err != nil {
			return err
		}
		payload := max(len(r.CurrData), len(r.PrevData))
		for _, res := range r.CallResults {
			payload = max(payload, len(res.Result))
		}
		fmt.Printf("%s: %s allocated for a payload of %s, %.2f times\n", name, bytesText(t.Bytes), bytesText(uint64(payload)), float64(t.Bytes)/float64(payload))
	}
	return nil
}
