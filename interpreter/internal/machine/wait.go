package machine

import (
	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/internal/program"
)

// Wait is an instruction that could not go on in the latest run. Either Variable has no value yet,
// or as a stream too few, or Peer has not done its part; for calls of this peer's own services,
// that is this peer.
type Wait struct {
	Instruction string // its text
	Reason      string // in words
	Variable    string
	Peer        string
}

// Waiting lists what the latest run could not go on with, in the order in which it was met.
func (m *Machine) Waiting() []Wait {
	out := make([]Wait, len(m.waits))
	for i, w := range m.waits {
		out[i] = Wait{Instruction: air.Text(w.n.Instr), Reason: w.reason(), Variable: w.variable,
			Peer: w.peer}
	}
	return out
}

func (w *wait) reason() string {
	switch {
	case w.peer != "":
		return "peer " + w.peer + " has not done its part"
	case w.n.Op == program.OpNever && w.variable == "":
		return "never does not end"
	case w.n.Op == program.OpNever:
		return w.variable + " has too few values"
	}
	return w.variable + " has no value"
}
