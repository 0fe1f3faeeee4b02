package dispatch

import (
	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/particle"
)

var _ Machine = (*interpreter.State)(nil)

// scriptCache is how many bytes of resolved scripts are cached: a thousand of some 30 instructions,
// and a peer mostly sees the same few. They stay when nothing lives any more.
const scriptCache = 16 << 20

// Interpret opens particles with the interpreter. Scripts are resolved once for all particles that
// carry them.
func Interpret(limits interpreter.Limits) Interpreter {
	return &interpreted{limits, interpreter.NewScripts(scriptCache)}
}

type interpreted struct {
	limits  interpreter.Limits
	scripts *interpreter.Scripts
}

// Open implements [Interpreter].
func (i *interpreted) Open(p *particle.Particle, scope Scope, prev []byte, m meter.Meter) (Machine, error) {
	state, err := interpreter.Open(p.Script, prev, interpreter.Params{
		InitPeerID:    p.InitPeerID,
		CurrentPeerID: scope.Peer,
		ParticleID:    p.ID,
		Timestamp:     p.Timestamp,
		TTL:           p.TTL,
		Key:           scope.Key,
		Limits:        i.limits,
		Scripts:       i.scripts,
		Meter:         m,
	})
	if err != nil {
		return nil, err // not a Machine that holds a nil *State
	}
	return state, nil
}
