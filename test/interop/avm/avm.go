// Package avm runs the published AVM interpreter, the npm package @fluencelabs/avm, for
// tests that hold ours against it. It starts a Node.js process, driver.mjs, that
// answers a line of JSON with a line of JSON; the forms are described there.
//
// The packages are installed once, by npm ci from the lock file beside this source, into
// the user's cache directory. Tests that use the package carry the build tag interop:
//
//	go test -tags interop ./test/interop/... ./interpreter/internal/airgen
package avm

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/aquanode/aquanode/test/interop/npm"
)

//go:embed driver.mjs package.json package-lock.json .npmrc
var files embed.FS

// Oracle is a running interpreter. It answers one request at a time and may be shared.
type Oracle struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	broken error // of an exchange; what would come next is not an answer to the next question
}

// Start installs the packages if need be and starts the interpreter.
func Start(ctx context.Context) (*Oracle, error) {
	dir, err := npm.Install(ctx, "avm", files)
	if err != nil {
		return nil, err
	}
	o := &Oracle{cmd: exec.Command("node", "driver.mjs")}
	o.cmd.Dir, o.cmd.Stderr = dir, os.Stderr
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.out = bufio.NewReaderSize(out, 1<<20)
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the npm interpreter: %w", err)
	}
	return o, nil
}

// Do sends a request and reads the answer to it. Both are anything that package json can
// handle, in the forms of driver.mjs.
func (o *Oracle) Do(request, answer any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return o.broken
	}
	if line, err = o.exchange(line); err != nil {
		o.broken = fmt.Errorf("npm interpreter: %w", err)
		return o.broken
	}
	var failed struct{ DriverError string }
	if err := json.Unmarshal(line, &failed); err != nil {
		return fmt.Errorf("npm interpreter: %w", err)
	}
	if failed.DriverError != "" {
		return fmt.Errorf("npm interpreter: %s", failed.DriverError)
	}
	return json.Unmarshal(line, answer)
}

func (o *Oracle) exchange(line []byte) ([]byte, error) {
	if _, err := o.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	return o.out.ReadBytes('\n')
}

// Human is the interpreter's own readable form of data, as JSON.
func (o *Oracle) Human(data []byte) (json.RawMessage, error) {
	var answer struct{ Human json.RawMessage }
	err := o.Do(struct {
		Op   string `json:"op"`
		Data []byte `json:"data"`
	}{"human", data}, &answer)
	return answer.Human, err
}

// Close ends the process and waits for it.
func (o *Oracle) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = errors.New("npm interpreter: closed")
	return errors.Join(o.in.Close(), o.cmd.Wait())
}
