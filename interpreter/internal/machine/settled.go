package machine

import (
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/program"
)

// Unchanged reports whether the latest run left the known trace as it was.
func (m *Machine) Unchanged() bool {
	return m.changes == 0 && len(m.trace.Foreign) == 0 && len(m.trace.Result) == len(m.Known)
}

// NothingFollows reports whether nothing can follow from the latest run, which ended with f.
func (m *Machine) NothingFollows(f *fault.Fault) bool {
	switch {
	case f != nil || m.stuck || m.unsteady || m.suspended != nil:
		return false
	case len(m.waits) == 0:
		return m.complete
	}
	return len(m.waits) == 1 && m.handedOn
}

// waitForPeer notes that an instruction waits for a peer.
func (m *Machine) waitForPeer(n *program.Node, peer string) {
	m.waits = append(m.waits, wait{n: n, peer: peer})
	if len(m.waits) == 1 {
		m.handedOn = peer != m.particle.CurrentPeerID && !m.sawPar && m.onlyOthersFollow(n)
	}
}
