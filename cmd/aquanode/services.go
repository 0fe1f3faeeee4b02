package main

import (
	"github.com/aquanode/aquanode/aqua"
)

// knownServices are the services of a directory, with their functions.
func knownServices(dir string) ([]aqua.ServiceInfo, error) {
	return nil, nil
}
