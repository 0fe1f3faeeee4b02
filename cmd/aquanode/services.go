package main

import (
	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/services/script"
)

// knownServices are the services of a directory, with their functions: what a script may
// call without declaring it.
func knownServices(dir string) ([]aqua.ServiceInfo, error) {
	if dir == "" {
		return nil, nil
	}
	list, err := script.Load(dir)
	if err != nil {
		return nil, err
	}
	var known []aqua.ServiceInfo
	for _, s := range list {
		known = append(known, aqua.ServiceInfo{ID: s.ID(), Functions: s.Functions()})
	}
	return known, nil
}
