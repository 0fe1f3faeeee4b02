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
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// ErrNoNode says that there is no Node.js to run the interpreter in.
var ErrNoNode = errors.New("no node program found: install Node.js 18 or newer to compare with the npm interpreter")

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
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, ErrNoNode
	}
	dir, err := install(ctx)
	if err != nil {
		return nil, err
	}
	o := &Oracle{cmd: exec.Command(node, "driver.mjs")}
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

// install unpacks the driver and its packages. The directory is named by what is in it
// and appears complete or not at all, so that several test binaries may come at once.
func install(ctx context.Context) (string, error) {
	names, err := files.ReadDir(".")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range names {
		b, err := files.ReadFile(name.Name())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name.Name(), len(b), b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("install the npm interpreter: %w", err)
	}
	dir := filepath.Join(cache, "aquanode", "interop-avm-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := installTo(ctx, dir); err != nil {
		return "", fmt.Errorf("install the npm interpreter: %w", err)
	}
	return dir, nil
}

func installTo(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "interop-avm-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	if err := os.CopyFS(made, files); err != nil {
		return err
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	npm.Dir = made
	if text, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, text)
	}
	if err := os.Rename(made, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil // somebody else was faster
		}
		return err
	}
	return nil
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
