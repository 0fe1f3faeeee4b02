package services

import "strings"

// errGuard is the text of the reference implementation.
var errGuard = &Error{RetCode: 1, Message: "This function is only available to the host or worker spells"}

// IsManagement reports whether a peer has the rights of the host.
func (r *Registry) IsManagement(peer string) bool { return r.management[peer] }

// Guard is the permission check of protected functions. It permits the host, management peers,
// and particles of worker spells: those named spell_<spell id>_<n>, started by the host
// or a local worker in whose scope the alias worker-spell belongs to that very spell. The
// particle's signature proves its init peer, and the keys of host and workers live on this
// peer, so nobody else can send such a particle.
func (r *Registry) Guard(c *Call) error {
	if c.InitPeerID == r.config.Host || r.IsManagement(c.InitPeerID) || r.isWorkerSpell(c) {
		return nil
	}
	return errGuard
}

func (r *Registry) isWorkerSpell(c *Call) bool {
	rest, ok := strings.CutPrefix(c.ParticleID, "spell_")
	id, n, counted := strings.Cut(rest, "_")
	if !ok || !counted || n == "" || c.InitPeerID == Everywhere {
		return false
	}
	info, ok := r.Lookup(c.InitPeerID, "worker-spell")
	return ok && info.Kind == Spell && info.ID == id
}
