package node

import "fmt"

func (n *Node) loadScripts() error {
	if n.cfg.ServicesDir == "" {
		return nil
	}
	return fmt.Errorf("services of %s: script services are not part of this build", n.cfg.ServicesDir)
}
