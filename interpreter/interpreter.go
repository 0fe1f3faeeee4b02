// Package interpreter executes AIR scripts.
//
// A particle carries a script from peer to peer. On each peer the interpreter
// merges the data this peer kept from earlier runs (previous) with the data that
// arrived (current), walks the script as far as this peer can take it, and reports what
// remains: new data to keep and to send, the peers to send it to, and the service
// calls to make. Their results come back in a later run.
//
//	previous ─┐
//	current  ─┼─> run ─> data, next peers, call requests
//	results  ─┘
//
// A run is a pure function: it reads no clock, does no I/O, and equal
// inputs give equal outputs, byte for byte. (It starts goroutines only to verify many
// signatures, to hash many values, or to sign many results while it encodes, and joins them.)
//
// # Two forms
//
// [Run] is the cold form: bytes in, bytes out. [State] is the retained form for a
// particle that lives on a peer for a while: it keeps the resolved script, the decoded
// trace and what was verified, so that a step costs what is new. Both make the same data.
//
// # Outcomes
//
//	code          data      next peers, call requests
//	0             new       of this run
//	1..10         previous  none      the input cannot be used (see package fault)
//	10000..19999  new       of this run   an error that the script did not catch
//	20000..29999  previous  none      the data does not belong to the script
//	30000         new       of this run   a result was given for a call nobody made
//
// Whatever the code, the host keeps the data that it gets, sends it to the next peers and
// makes the calls. Requests and next peers are named once, in the run that first writes them
// down; a host must not lose them.
package interpreter

import (
	"crypto/ed25519"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/internal/machine"
	"github.com/aquanode/aquanode/interpreter/meter"
)

// Params are what a run knows besides its data.
type Params struct {
	InitPeerID    string // who made the particle
	CurrentPeerID string // who runs
	ParticleID    string // also the salt of signatures
	Timestamp     uint64 // ms since 1970
	TTL           uint32 // ms
	Key           ed25519.PrivateKey
	Limits        Limits
	Scripts       *Scripts // where resolved scripts are kept; nil resolves anew

	// Meter is asked while Open, Step, Run and Data go on; nil lets them. When it returns an error,
	// the call ends with that error and changes nothing. Bytes that a call took are returned
	// at its end: for those that stay see MemSize.
	Meter meter.Meter
}

// Limits bound the sizes of inputs in bytes; 0 means no limit. A size that is exceeded sets a
// flag in the outcome, and refuses the input if Hard is set.
type Limits struct {
	AirSize, ParticleSize, CallResultSize uint64
	Hard                                  bool

	// Steps is how many instructions a run may execute; nested folds multiply. A longer run
	// is stopped, as by its context, with code 29000.
	Steps int

	// Data bounds what this peer may know of the particle, in bytes of data; 0 means DefaultData. A
	// run that goes beyond ends with code 29001.
	Data int
}

// DefaultData is the bound of the data of a particle. Hosts bound what arrives to 64 MiB.
const DefaultData = 256 << 20

func (l *Limits) data() int {
	if l.Data == 0 {
		return DefaultData
	}
	return min(l.Data, 1<<30) // the pointers of an archive reach 2 GiB
}

// CallResult is the answer of a local service. Result is JSON text when
// RetCode is 0 and any text otherwise.
type CallResult = data.CallResult

// CallRequest asks the host for a local service call.
type CallRequest = data.CallRequest

// Outcome is what a run reports besides data.
type Outcome struct {
	RetCode      int64
	ErrorMessage string // "" for 0
	NextPeers    []string
	// Again are peers that have to get the data once more: they were asked for something before a
	// result that they need was there. Without that a join hangs if its parts arrive at different
	// times. The published interpreter does not name them.
	Again        []string
	CallRequests []CallRequest
	Refused      []Refusal // arrivals of a Step that were not merged

	// Stopped is why a run ended before its end, with code 29000: the error of the meter, the cause
	// of the context, or ErrSteps. What was merged before stays, all else is as it was, results
	// included.
	Stopped error

	AirSizeLimitExceeded        bool
	ParticleSizeLimitExceeded   bool
	CallResultSizeLimitExceeded bool
}

// Refusal says why an arrival was not merged.
type Refusal struct {
	Arrival int // index in the arrivals of the step
	Code    int64
	Message string
}

// Wait is an instruction that the latest run could not go on with.
type Wait = machine.Wait

// ErrSteps is why a run stopped that executed more instructions than it may.
var ErrSteps = machine.ErrSteps
