package node

import (
	"context"

	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services/vault"
)

// restored is a particle that an earlier process kept.
type restored struct {
	particle *particle.Particle
	scope    dispatch.Scope
}

// logs makes the store's logs a [dispatch.Keeper].
type logs struct{ n *Node }

func (l logs) Begin(head []byte) dispatch.Log { return l.n.logs.Begin(head) }
func (l logs) After(f func())                 { l.n.logs.After(f) }
func (l logs) Room(ctx context.Context)       { l.n.logs.Room(ctx) }

// keeper is nil for a peer that forgets its particles when it ends.
func (n *Node) keeper() dispatch.Keeper {
	if !n.cfg.Durable {
		return nil
	}
	return logs{n}
}

// openLogs brings back the particles of an earlier process. They go on when the peer starts.
func (n *Node) openLogs() error {
	if !n.cfg.Durable {
		return nil
	}
	opened, kept, err := store.OpenLogs(n.cfg.DataDir)
	if err != nil {
		return err
	}
	n.logs = opened
	for _, k := range kept {
		if p, scope, ok := n.dispatch.Restore(k.Head, k.Log); ok {
			n.restored = append(n.restored, restored{p, scope})
		}
	}
	return nil
}

// liveVaults names the vaults of restored particles.
func (n *Node) liveVaults() (all []vault.Particle) {
	for _, r := range n.restored {
		all = append(all, n.vaultOf(r.particle, r.scope))
	}
	return all
}

// taken waits for the disk, see [p2p.Config].
func (n *Node) taken() func(context.Context) error {
	if !n.cfg.Durable {
		return nil
	}
	return func(ctx context.Context) error { return n.logs.Sync(ctx) }
}

// syncLogs lets what waits for the disk be sent.
func (n *Node) syncLogs(ctx context.Context) {
	if n.logs != nil {
		_ = n.logs.Sync(ctx) // the error is told by the health check
	}
}
