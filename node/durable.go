package node

import (
	"context"
	"time"

	"github.com/aquanode/aquanode/internal/engine"
	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/store"
	"github.com/aquanode/aquanode/services/vault"
)

// logs makes the store's logs an [engine.Keeper].
type logs struct{ n *Node }

func (l logs) Begin(head []byte) dispatch.Log { return l.n.logs.Begin(head) }
func (l logs) After(f func())                 { l.n.logs.After(f) }
func (l logs) Room(ctx context.Context) error { return l.n.logs.Room(ctx) }
func (l logs) Sync(ctx context.Context) error {
	if l.n.logs == nil { // New failed before they were opened
		return nil
	}
	return l.n.logs.Sync(ctx)
}

// keeper is nil for a peer that forgets its particles when it ends.
func (n *Node) keeper() engine.Keeper {
	if !n.cfg.Durable {
		return nil
	}
	return logs{n}
}

// openLogs finds the particles of an earlier process. They come to life in restore.
func (n *Node) openLogs() (err error) {
	if !n.cfg.Durable {
		return nil
	}
	cfg := store.Config{MaxBytes: n.cfg.MaxDurable, Resumed: n.engine.Dispatcher.Rekeep}
	n.logs, n.found, err = store.OpenLogs(n.cfg.DataDir, cfg)
	return err
}

// liveVaults names the vaults of particles that an earlier process kept.
func (n *Node) liveVaults() (all []vault.Particle) {
	for _, k := range n.found {
		if p, scope, err := n.engine.Dispatcher.Recall(k.Head); err == nil {
			all = append(all, n.vaultOf(p, scope))
		}
	}
	return all
}

// restore brings the particles of an earlier process to life. From here on they expire, so every
// part that the end of a particle uses has to be there.
func (n *Node) restore() error {
	for _, k := range n.found {
		n.engine.Dispatcher.Restore(k.Head, k.Log)
	}
	n.found = nil
	return n.vault.Sweep(time.Now()) // of those whose time ended between New and Start
}
