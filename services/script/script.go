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
// JavaScript code cannot be interrupted: one step of a regular expression with backreferences
// or lookaround, a sort, new Array(1e8).fill(0) end when they end.
//
// Calls are bounded in depth ([maxCallDepth]) and in the bytes of arguments and results
// ([maxJSON]). JSON.parse refuses deep nesting, and repeat, padStart and padEnd long results,
// since a stranger's argument could end the process with them. The runtime has no memory limit,
// so a call during which the live heap of the whole process grows by [maxGrowth] is ended; that
// catches loops, not a single step such as new ArrayBuffer(1e11). Files of services are as
// trusted as the peer's configuration: they should check sizes that come from arguments.
package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	logging "github.com/ipfs/go-log/v2"
	"github.com/multiformats/go-multihash"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

var log = logging.Logger("script")

// The limits of all script services; see the package comment.
const (
	maxCallDepth = 2048     // a level of native calls takes some KiB of Go stack
	maxJSON      = 32 << 20 // the limit of a call result
	maxSource    = 8 << 20
	loadTime     = 5 * time.Second // for the top level of a file
)

// A Service is a .js file that runs. It is a [services.Handler] for one call at a time.
type Service struct {
	id        string
	file      string
	blueprint string
	source    *source

	mu      sync.Mutex // held by the call in hand
	machine *machine   // nil after a panic, until the next call
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
		if !isScript || name == "" || e.IsDir() {
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

func loadFile(id, path string) (*Service, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load service %q: %w", id, err)
	}
	if info.Size() > maxSource {
		return nil, fmt.Errorf("load service %q: %s has %d bytes, at most %d are allowed", id, path, info.Size(), maxSource)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load service %q: %w", id, err)
	}
	return New(id, path, string(text))
}

// New makes a service of JavaScript text and runs its top level. The file is named in errors.
func New(id, file, text string) (*Service, error) {
	src, err := compile(file, text)
	if err != nil {
		return nil, err
	}
	hash, err := multihash.Sum([]byte(text), multihash.SHA2_256, -1)
	if err != nil {
		return nil, fmt.Errorf("load service %q: %w", id, err)
	}
	s := &Service{id: id, file: file, blueprint: cid.NewCidV1(cid.Raw, hash).String(), source: src}
	if s.machine, err = start(s); err != nil {
		return nil, err
	}
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
	return r.Register(s.id, s, services.In(scope), services.FromBlueprint(s.blueprint))
}

// Call runs a function. It must not be called by two goroutines at once.
func (s *Service) Call(ctx context.Context, c *services.Call) (value.Value, error) {
	if !s.mu.TryLock() {
		panic("script service " + s.id + " was called twice at once: do not register it as Concurrent")
	}
	defer s.mu.Unlock()
	if s.machine == nil {
		m, err := start(s)
		if err != nil {
			return value.Value{}, err
		}
		s.machine = m
	}
	// A panic leaves the runtime in an unknown state. The service begins anew.
	defer func() {
		if p := recover(); p != nil {
			s.machine = nil
			panic(p)
		}
	}()
	return s.machine.call(ctx, c)
}

// errNoFunction lists what there is, for the eye of the script's author.
func (s *Service) errNoFunction(name string) error {
	return services.Errorf("Service '%s' has no function '%s', it has: %s", s.id, name, strings.Join(s.Functions(), ", "))
}
