package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

func airStepCommand() *cli.Command {
	return &cli.Command{
		Name: "step", Usage: "run the interpreter on requests, one a line", Action: airStep,
		Description: "Reads requests from standard input and prints a response for each. A request is a JSON\n" +
			"object with air, prevData, currData, initPeerId, currentPeerId, timestamp, ttl, secretKey,\n" +
			"particleId and callResults; data and keys are in base64. {\"op\":\"human\",\"data\":...}\n" +
			"decodes data.\n\nExample: aquanode air step < requests.jsonl",
	}
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
		if in.Buffered() == 0 { // the sender may wait for the response
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// stepAnswer is a response with the id of its request.
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
		return requestError{Error: "cannot parse the request: " + err.Error()}
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
	text := fmt.Sprintf("unknown op %q: use \"human\", or leave op out to run the script", r.Op)
	return requestError{text, r.ID}
}
