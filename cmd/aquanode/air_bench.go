package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

func airBenchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure the time of requests", Action: airBench,
		ArgsUsage: "REQUESTS.jsonl[.gz]",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "budget", Value: 500, Usage: "spend about `MS` milliseconds on a request"},
			&cli.BoolFlag{
				Name:  "retained",
				Usage: "step one state through consecutive requests of one particle and peer",
			},
			&cli.BoolFlag{Name: "fresh", Usage: "resolve the script in each run, without the cache"},
		},
		Description: "Requests are those of air step, with an optional name. Prints a line of JSON for each, with\n" +
			"the median and the minimum of the time from input bytes to output bytes.\n\n" +
			"Example: aquanode air bench --budget 200 requests.jsonl.gz",
	}
}

func airBench(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	requests, err := readRequests(name)
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupt(c)
	defer stop()
	b := bench{
		budget: time.Duration(c.Int("budget")) * time.Millisecond, retained: c.Bool("retained"),
	}
	if !c.Bool("fresh") {
		b.scripts = interpreter.NewScripts(scriptCache)
	}
	for len(requests) > 0 {
		n := 1
		for b.retained && n < len(requests) && requests[n].Follows(requests[n-1]) {
			n++
		}
		timings, err := b.group(ctx, requests[:n])
		if err != nil {
			return err
		}
		for _, t := range timings {
			if err := printJSON(os.Stdout, t); err != nil {
				return err
			}
		}
		requests = requests[n:]
	}
	return nil
}

type bench struct {
	budget   time.Duration // for one request
	retained bool
	scripts  *interpreter.Scripts // nil to resolve scripts each time
}

func (b *bench) group(ctx context.Context, group []*simulate.Request) ([]simulate.Timing, error) {
	if b.retained {
		return simulate.BenchRetained(ctx, group, b.budget, b.scripts)
	}
	t, err := simulate.Bench(ctx, group[0], b.budget, b.scripts)
	return []simulate.Timing{t}, err
}

// readRequests reads requests, one a line, from a file that may be compressed.
func readRequests(name string) ([]*simulate.Request, error) {
	b, err := readInput(name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if b, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var out []*simulate.Request
	for i, line := range bytes.Split(b, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		r := &simulate.Request{Name: fmt.Sprint(len(out))}
		if err := json.Unmarshal(line, r); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		out = append(out, r)
	}
	return out, nil
}
