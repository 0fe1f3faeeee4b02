package journal

import (
	"errors"
	"maps"
	"slices"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
)

// Reason says in one word why something did not happen. It is an error, so that it can
// be returned, wrapped with details and found again by [ReasonOf].
type Reason string

func (r Reason) Error() string { return reasonTexts[r] }

// Reasons for refusing a frame or a particle.
const (
	BadFrame       Reason = "frame"       // too long, cut short, slow
	BadMessage     Reason = "message"     // not MessagePack, or not a particle
	BadSignature   Reason = "signature"   // unsigned, or signed by somebody else
	TooLate        Reason = "expired"     // the particle's time is past
	TTLTooLong     Reason = "ttl"         // more than this peer keeps particles
	TooBig         Reason = "size"        // more data than this peer takes
	MailboxFull    Reason = "mailbox"     // more waiting data for one particle than is kept
	TooMany        Reason = "particles"   // more live particles than are kept
	Overload       Reason = "memory"      // more bytes of frames or particles than are held
	TooManyStreams Reason = "streams"     // more streams of one remote than are served
	TooFast        Reason = "rate"        // more new particles of one init peer than its quota
	DiskFull       Reason = "disk"        // more bytes of kept particles than may be on disk
	ShuttingDown   Reason = "shutdown"    // the peer drains or has stopped
	NoParticles    Reason = "protocol"    // the remote does not speak the particle protocol
	NotConnected   Reason = "unreachable" // no connection, and no address to make one
	DialFailed     Reason = "dial"        // no address answered
	WriteFailed    Reason = "write"       // the stream broke or stalled
	QueueFull      Reason = "queue"       // more waiting for one peer than is kept
	BadPeerID      Reason = "peer-id"     // the script names a peer that cannot be one
	Interpreter    Reason = "interpreter" // the interpreter reported an error
	ServiceFailed  Reason = "service"     // a service answered with an error
	Unfinished     Reason = "unfinished"  // time ran out while something was waited for
	TooManyCalls   Reason = "calls"       // more calls of one particle at once than are run
	OverBudget     Reason = "budget"      // the particle used up its processor time here
	Displaced      Reason = "displaced"   // the particle had to make room: its owner held the most
	WhileDown      Reason = "down"        // time ran out between two lives of the peer
	Other          Reason = "other"
)

var reasonTexts = map[Reason]string{
	BadFrame:       "frame is broken",
	BadMessage:     "message does not decode",
	BadSignature:   "signature does not verify",
	TooLate:        "particle expired",
	TTLTooLong:     "time to live is longer than this peer allows",
	TooBig:         "particle is larger than allowed",
	MailboxFull:    "mailbox of the particle is full",
	TooMany:        "too many live particles",
	Overload:       "too many bytes are held",
	TooManyStreams: "too many streams",
	TooFast:        "init peer is over its quota",
	DiskFull:       "no room for particles on disk",
	ShuttingDown:   "peer is shutting down",
	NoParticles:    "remote does not speak the particle protocol",
	NotConnected:   "not connected and no address is known",
	DialFailed:     "cannot connect",
	WriteFailed:    "cannot write",
	QueueFull:      "send queue is full",
	BadPeerID:      "not a peer id",
	Interpreter:    "script interpretation failed",
	ServiceFailed:  "service call failed",
	Unfinished:     "time ran out",
	TooManyCalls:   "too many calls at once",
	OverBudget:     "processor time of the particle is used up",
	Displaced:      "ended to make room for particles of others",
	WhileDown:      "time ran out while the peer was down",
	Other:          "other error",
}

// Reasons lists all reasons, sorted.
func Reasons() []Reason { return slices.Sorted(maps.Keys(reasonTexts)) }

// byError gives the reasons behind the errors of the packages below.
var byError = []struct {
	err    error
	reason Reason
}{
	{particle.ErrExpired, TooLate},
	{particle.ErrSignature, BadSignature},
	{particle.ErrPeerID, BadSignature},
	{wire.ErrTooLong, BadFrame},
	{wire.ErrTruncated, BadFrame},
	{wire.ErrCodec, BadMessage},
	{wire.ErrMalformed, BadMessage},
	{wire.ErrField, BadMessage},
}

// ReasonOf finds the reason in an error.
func ReasonOf(err error) Reason {
	var r Reason
	if errors.As(err, &r) {
		return r
	}
	for _, e := range byError {
		if errors.Is(err, e.err) {
			return e.reason
		}
	}
	return Other
}
