package node

import (
	"fmt"

	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/script"
)

// loadScripts serves the files of the services directory, except those whose service was
// removed and that have not changed since.
func (n *Node) loadScripts() error {
	if n.cfg.ServicesDir == "" {
		return nil
	}
	var removed map[string]string
	if n.store != nil {
		var err error
		if removed, err = n.store.Removed(n.ID()); err != nil {
			return err
		}
	}
	list, err := script.Load(n.cfg.ServicesDir)
	if err != nil {
		files, ok := err.(interface{ Unwrap() []error })
		switch {
		case !ok: // the directory cannot be read
			return err
		case !n.cfg.SkipBrokenServices:
			return fmt.Errorf("%w\nwith --skip-broken-services the peer starts without these", err)
		}
		for _, err := range files.Unwrap() {
			log.Errorw("file is not a service and is left out", "reason", err)
		}
	}
	for _, s := range list {
		if removed[s.ID()] == s.Blueprint() {
			log.Warnw("service was removed, and its file has not changed", "service", s.ID(), "file", s.File())
			continue
		}
		if err := s.Register(n.Services(), n.ID()); err != nil {
			return err
		}
	}
	return nil
}

// loadAliases adds the stored aliases of the services that are registered. Those of others stay
// in the store: a service may come back.
func (n *Node) loadAliases() error {
	if n.store == nil {
		return nil
	}
	aliases, err := n.store.Aliases(n.ID())
	if err != nil {
		return err
	}
	for alias, id := range aliases {
		if err := n.engine.Services.AddAlias(n.ID(), alias, id); err != nil {
			log.Warnw("alias is not in use", "alias", alias, "service", id, "reason", err)
		}
	}
	n.loaded.Store(true)
	return nil
}

// keep stores changes of services, and counts them.
func (n *Node) keep(c services.Change) error {
	err := n.persist(c)
	if err == nil {
		n.metrics.changed(c)
	}
	return err
}

func (n *Node) persist(c services.Change) error {
	scope, id := c.Service.Scope, c.Service.ID
	switch {
	case n.store == nil || scope == services.Everywhere:
		return nil
	case c.Alias == "" && c.Removed:
		return n.store.RemoveService(scope, id, c.Service.Blueprint)
	case c.Alias == "":
		return n.store.AddService(scope, id)
	case c.Removed:
		return n.store.RemoveAlias(scope, c.Alias)
	case !n.loaded.Load(): // it comes from there
		return nil
	}
	return n.store.SetAlias(scope, c.Alias, id)
}
