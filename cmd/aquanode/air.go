package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// scriptCache is how many bytes of resolved scripts the tools keep.
const scriptCache = 256 << 20

func airCommand() *cli.Command {
	return &cli.Command{
		Name:  "air",
		Usage: "tools for AIR scripts and the data of particles",
		Subcommands: []*cli.Command{
			{
				Name: "step", Usage: "run the interpreter, a request a line in, an answer a line out", Action: airStep,
				Description: "Reads requests from standard input: JSON objects with air, prevData, currData, initPeerId,\n" +
					"currentPeerId, timestamp, ttl, secretKey, particleId, callResults; data and keys in base64.\n" +
					"{\"op\":\"human\",\"data\":...} decodes data.\n\nExample: aquanode air step < requests.jsonl",
			},
			{
				Name: "fmt", Usage: "format a script", ArgsUsage: "FILE", Action: airFmt,
				Flags:       []cli.Flag{&cli.BoolFlag{Name: "write", Aliases: []string{"w"}, Usage: "write the result to the file"}},
				Description: "Example: aquanode air fmt -w script.air",
			},
			{
				Name: "data", Usage: "show the data of a particle", ArgsUsage: "FILE", Action: airData,
				Flags: []cli.Flag{formatFlag, &cli.StringFlag{Name: "particle", Usage: "verify the signatures for the particle with this `ID`, which they are made for"}},
				Description: "FILE holds the data as bytes or in base64; - is standard input. Only what was verified is called signed.\n\n" +
					"Example: aquanode air data --particle 7f2c... particle.data",
			},
			{
				Name: "simulate", Usage: "run one particle over simulated peers", ArgsUsage: "SCENARIO.json", Action: airSimulate,
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "stats", Usage: "print only the sums, as one line of JSON"},
					&cli.BoolFlag{Name: "cold", Usage: "bytes in and out for every step, no state kept between"},
					&cli.BoolFlag{Name: "full", Usage: "print the steps as JSON"},
				},
				Description: "Example: aquanode air simulate --stats join.json",
			},
			{
				Name: "bench", Usage: "time requests", ArgsUsage: "REQUESTS.jsonl[.gz]", Action: airBench,
				Flags: []cli.Flag{
					&cli.IntFlag{Name: "budget", Value: 500, Usage: "spend about `MS` milliseconds on a request"},
					&cli.BoolFlag{Name: "retained", Usage: "step one state through consecutive requests of one particle and peer"},
					&cli.BoolFlag{Name: "fresh", Usage: "resolve the script in every run, as if it were never seen before"},
				},
				Description: "Requests are those of air step with an optional name. Each gives a line of JSON with the\n" +
					"median and the minimum of the time from input bytes to output bytes.\n\nExample: aquanode air bench --budget 200 requests.jsonl.gz",
			},
		},
	}
}

// untilInterrupt is a context that ends with Ctrl-C.
func untilInterrupt(c *cli.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context, os.Interrupt)
}

func airStep(c *cli.Context) error {
	ctx, stop := untilInterrupt(c)
	defer stop()
	scripts := interpreter.NewScripts(scriptCache)
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	for ctx.Err() == nil {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := printJSON(out, answerLine(ctx, line, scripts)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if in.Buffered() == 0 { // whoever waits for the answer gets it
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// stepAnswer is an answer with the id of its request.
type stepAnswer struct {
	*simulate.Answer
	ID json.RawMessage `json:"id,omitempty"`
}

type humanAnswer struct {
	Human json.RawMessage `json:"human"`
	ID    json.RawMessage `json:"id,omitempty"`
}

type requestError struct {
	Error string          `json:"oracleError"`
	ID    json.RawMessage `json:"id,omitempty"`
}

func answerLine(ctx context.Context, line []byte, scripts *interpreter.Scripts) any {
	var r simulate.Request
	if err := json.Unmarshal(line, &r); err != nil {
		return requestError{Error: "the request cannot be read: " + err.Error()}
	}
	switch r.Op {
	case "human":
		return humanAnswer{simulate.Human(r.Data), r.ID}
	case "":
		a, err := simulate.Step(ctx, &r, scripts)
		if err != nil {
			return requestError{err.Error(), r.ID}
		}
		return stepAnswer{a, r.ID}
	}
	return requestError{fmt.Sprintf("unknown op %q: there are human and, without op, a run", r.Op), r.ID}
}

// readInput reads a file, or standard input for -.
func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

func airFmt(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	src, err := readInput(name)
	if err != nil {
		return err
	}
	text, err := air.FormatSource(string(src))
	if err != nil {
		return airError(name, err)
	}
	if !c.Bool("write") || name == "-" {
		_, err = io.WriteString(os.Stdout, text)
		return err
	}
	if text == string(src) {
		return nil
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

func airData(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	b, err := readInput(name)
	if err != nil {
		return err
	}
	if text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b))); err == nil {
		b = text
	}
	if isJSON(c) {
		human, err := data.Human(b)
		if err != nil {
			return hint(err, "is %s the data of a particle, as bytes or in base64?", name)
		}
		_, err = os.Stdout.Write(append(human, '\n'))
		return err
	}
	d, err := data.Decode(b)
	if err != nil {
		return hint(err, "is %s the data of a particle, as bytes or in base64?", name)
	}
	return simulate.WriteData(os.Stdout, d, c.String("particle"))
}

func airSimulate(c *cli.Context) error {
	name, err := oneFile(c)
	if err != nil {
		return err
	}
	text, err := readInput(name)
	if err != nil {
		return err
	}
	var s simulate.Scenario
	if err := json.Unmarshal(text, &s); err != nil {
		return hint(fmt.Errorf("%s: %w", name, err), "a scenario is a JSON object with air, peers, init, services and order")
	}
	ctx, stop := untilInterrupt(c)
	defer stop()
	o, err := simulate.Run(ctx, &s, simulate.Options{Cold: c.Bool("cold"), Stats: c.Bool("stats")})
	switch {
	case err != nil:
		return err
	case c.Bool("stats"):
		return printJSON(os.Stdout, o.Stats)
	case c.Bool("full"):
		return printJSON(os.Stdout, o.Steps)
	}
	return o.Write(os.Stdout)
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
	scripts := interpreter.NewScripts(scriptCache)
	if c.Bool("fresh") {
		scripts = nil
	}
	budget := time.Duration(c.Int("budget")) * time.Millisecond
	for len(requests) > 0 {
		n := 1
		for c.Bool("retained") && n < len(requests) && requests[n].Follows(requests[n-1]) {
			n++
		}
		timings, err := benchGroup(ctx, requests[:n], budget, scripts, c.Bool("retained"))
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

func benchGroup(ctx context.Context, group []*simulate.Request, budget time.Duration, scripts *interpreter.Scripts, retained bool) ([]simulate.Timing, error) {
	if retained {
		return simulate.BenchRetained(ctx, group, budget, scripts)
	}
	t, err := simulate.Bench(ctx, group[0], budget, scripts)
	return []simulate.Timing{t}, err
}

// readRequests reads a request a line, from a file that may be compressed.
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

// airError shows what is wrong with a script.
func airError(name string, err error) error {
	var parse *air.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	fmt.Fprint(os.Stderr, parse.Human(name))
	return said{err}
}
