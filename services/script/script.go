// Package script runs services written as a .js file.
//
//	// counter.js
//	let n = 0
//	exports.add = (x) => n += x
//	exports.slow = async (ms) => { await sleep(ms); return call.initPeerId }
//
// [Load] makes a service of each NAME.js of a directory; its id is NAME. Each function that the
// file exports, by exports.f = ... or module.exports = {...}, is a function of the service. A
// file that exports nothing offers its function declarations. ES modules (import, export) and
// require do not exist: a service is one file.
//
// # Values
//
// Arguments and results are JSON values. A function without a result (undefined) gives null, as
// a wasm function does; the empty string is what the built-in functions give. A promise is
// awaited. The exception that a function throws is the error of the call: its message if it has
// one, a string as it is, else its JSON.
//
// Numbers are those of JavaScript: integers beyond 2^53 lose digits on their way in, so they
// should travel as strings. A float may change in its last digits on the way out, since the
// network does not round correctly what it reads (see package value). NaN and the infinities
// become null. A BigInt is no JSON value.
//
// # Globals
//
//	call            the call in hand: particleId, initPeerId, hostPeerId, timestamp, ttl,
//	                signature, serviceId, fnName, tetraplets; undefined at loading
//	sleep(ms)       waits, and holds the service meanwhile; may be awaited
//	setTimeout, setInterval, clearTimeout, clearInterval
//	console         debug, log, info, warn, error: to the peer's log
//
// "this" is the exports object.
//
// # Instances
//
// A service is one JavaScript runtime. Its top-level variables keep their values from call to
// call until the peer stops. It does one job at a time, which the registry's queue sees to; an
// async function that waits holds the service, too. Timers belong to the call that set them
// and end with it.
//
// # Limits
//
// A call ends with its context, at the particle's deadline, wherever it is in JavaScript code
// or waiting; the runtime stays usable and keeps what the call had done. What is not
// JavaScript code cannot be interrupted. So native functions are bounded in what they are given:
// buffers have at most 64 MiB, strings made in one step as well, arrays that a native function
// walks 16 million elements, code and patterns that a script compiles 64 KiB, lists of arguments
// 65,536; more is a RangeError. A step of a regular expression with lookaround or
// backreferences finds nothing after 10 s. A call that goes on for a second after its
// deadline is given up: it keeps its runtime, the service goes on with a new one, and with
// three such calls it answers errors until one returns.
//
// All that looks at objects of a script (its exports, results and exceptions) runs within
// the time of a call: getters and proxies may throw, or loop.
//
// Calls are bounded in depth ([maxCallDepth]) and in the bytes of arguments and results
// ([maxJSON]). The runtime has no memory limit, so a call during which the live heap of the whole
// process grows by [maxGrowth] is ended; that catches loops. A BigInt is shifted and raised by a
// million bits at most. Other operators are not bounded: a string doubled forty times may take the
// memory of the process. eval sees the global variables only. Files of services are as
// trusted as the peer's configuration: they should check sizes that come from arguments.
package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
	logging "github.com/ipfs/go-log/v2"
	"github.com/multiformats/go-multihash"
	"golang.org/x/time/rate"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

var log = logging.Logger("script")

// The limits of all script services; see the package comment.
const (
	maxCallDepth = 2048     // a level of native calls takes some KiB of Go stack
	maxJSON      = 32 << 20 // the limit of a call result
	maxSource    = 8 << 20
)

// loadTime is for the top level of a file.
var loadTime = 5 * time.Second

// A Service is a .js file that runs. It is a [services.Handler] for one call at a time.
type Service struct {
	id        string
	file      string
	blueprint string
	source    *source
	logged    *rate.Limiter // lines; a caller decides how many there are
	unlogged  atomic.Int64  // lines since the last one

	mu       sync.Mutex // of instance
	instance *instance
}

// An instance is a runtime and the turn to use it. A call that does not end keeps its own.
type instance struct {
	mu      sync.Mutex // held by the call in hand
	machine *machine   // nil after a panic or a call that was given up, until the next call
}

// Load makes services of the .js files of a directory. Files that fail are reported together
// in the error, each with its place; the services of the others are returned beside it.
func Load(dir string) ([]*Service, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load services: %w", err)
	}
	var list []*Service
	var errs []error
	for _, e := range entries {
		name, isScript := strings.CutSuffix(e.Name(), ".js")
		if !isScript || name == "" {
			continue
		}
		s, err := loadFile(name, filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, s)
	}
	return list, errors.Join(errs...)
}

// maxID is the longest service id.
const maxID = 200

// checkID refuses names that nobody could call, or that would break a line of text.
func checkID(id string) error {
	switch {
	case len(id) > maxID:
		return fmt.Errorf("%q is not a service id: longer than %d bytes", services.Cut(id), maxID)
	case !utf8.ValidString(id), strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '"' }):
		return fmt.Errorf("%q is not a service id: only printable characters without spaces and quotes are", id)
	}
	return nil
}

// loadFile reads at most maxSource bytes, whatever the size of the file is said to be.
func loadFile(id, path string) (*Service, error) {
	if err := checkID(id); err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("load service %q: %w", id, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load service %q: %w", id, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("load service %q: %w", id, err)
	case len(text) > maxSource:
		return nil, fmt.Errorf("%s: has more than %d bytes, the most that a service may have", path, maxSource)
	}
	return New(id, path, string(text))
}

// New makes a service of JavaScript text and runs its top level. The file is named in errors. A
// file that does not even end when it is interrupted is given up, and its goroutine left alone.
func New(id, file, text string) (*Service, error) {
	type made struct {
		service *Service
		err     error
	}
	done := make(chan made, 1)
	go func() {
		var m made
		defer func() {
			if p := recover(); p != nil {
				m.err = &Error{File: file, Line: 1, Column: 1, Message: "the runtime broke: " + services.Cut(fmt.Sprint(p))}
			}
			done <- m
		}()
		m.service, m.err = newService(id, file, text)
	}()
	timer := time.NewTimer(loadTime + services.Grace)
	defer timer.Stop()
	select {
	case m := <-done:
		return m.service, m.err
	case <-timer.C:
		return nil, errEndless(file)
	}
}

func newService(id, file, text string) (*Service, error) {
	src, err := compile(file, text)
	if err != nil {
		return nil, err
	}
	hash, err := multihash.Sum([]byte(text), multihash.SHA2_256, -1)
	if err != nil {
		return nil, fmt.Errorf("load service %q: %w", id, err)
	}
	s := &Service{id: id, file: file, blueprint: cid.NewCidV1(cid.Raw, hash).String(), source: src, logged: rate.NewLimiter(rate.Every(logEvery), logsAtOnce)}
	m, err := start(context.Background(), s)
	if err != nil {
		return nil, err
	}
	s.instance = &instance{machine: m}
	return s, nil
}

// ID is the service id.
func (s *Service) ID() string { return s.id }

// File is where the service was loaded from.
func (s *Service) File() string { return s.file }

// Blueprint is the content id of the file.
func (s *Service) Blueprint() string { return s.blueprint }

// Functions are the names of the service's functions.
func (s *Service) Functions() []string { return s.source.names() }

// Signatures describe the functions by the names of their parameters; values are of any type.
func (s *Service) Signatures() []services.Signature { return s.source.signatures }

// Register adds the service to a scope of a registry.
func (s *Service) Register(r *services.Registry, scope string) error {
	err := r.Register(s.id, s, services.In(scope), services.FromBlueprint(s.blueprint))
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return nil
}

// RegisterDir adds the services of a directory to a scope of a registry. None is added when a file
// is not a service: a peer that lacks a service it was configured with is of no use.
func RegisterDir(r *services.Registry, scope, dir string) error {
	list, err := Load(dir)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := s.Register(r, scope); err != nil {
			return err
		}
	}
	return nil
}

// Call runs a function. It must not be called by two goroutines at once.
func (s *Service) Call(ctx context.Context, c *services.Call) (value.Value, error) {
	return s.current().call(ctx, s, c)
}

func (s *Service) current() *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instance
}

// Renew leaves the instance to a call that does not end. The next call makes a new one.
func (s *Service) Renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instance = &instance{}
}

func (i *instance) call(ctx context.Context, s *Service, c *services.Call) (value.Value, error) {
	if !i.mu.TryLock() {
		panic("script service " + s.id + " was called twice at once: do not register it as Concurrent")
	}
	defer i.mu.Unlock()
	if i.machine == nil {
		m, err := start(ctx, s)
		if err != nil {
			return value.Value{}, err
		}
		i.machine = m
	}
	// A panic leaves the runtime in an unknown state. The service begins anew.
	defer func() {
		if p := recover(); p != nil {
			i.machine = nil
			panic(p)
		}
	}()
	v, err := i.machine.call(ctx, c)
	// What a call hoarded may hang on globals too.
	if errors.Is(err, errGrew) {
		i.machine = nil
	}
	return v, err
}

// errNoFunction lists what there is, for the eye of the script's author.
func (s *Service) errNoFunction(name string) error {
	return services.Errorf("Service '%s' has no function '%s', it has: %s", s.id, name, strings.Join(s.Functions(), ", "))
}
