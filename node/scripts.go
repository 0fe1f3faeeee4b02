package node

import (
	"fmt"

	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/script"
)

// loadScripts serves the files of the services directory.
func (n *Node) loadScripts() error {
	if n.cfg.ServicesDir == "" {
		return nil
	}
	return LoadScripts(n.services, n.id, n.cfg.ServicesDir)
}

// LoadScripts registers the .js files of a directory as services of a scope. One that is
// broken is an error: a peer that lacks a service it was told to offer is of no use.
func LoadScripts(r *services.Registry, scope, dir string) error {
	list, err := script.Load(dir)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := s.Register(r, scope); err != nil {
			return fmt.Errorf("%s: %w", s.File(), err)
		}
	}
	return nil
}
