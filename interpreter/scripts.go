package interpreter

import "github.com/aquanode/aquanode/interpreter/internal/program"

// Scripts keeps resolved scripts by their text, since a script arrives many times with one particle
// and again with the next. It is bounded and safe for concurrent use.
type Scripts = program.Cache

// NewScripts makes a cache that holds about max bytes.
func NewScripts(max int) *Scripts { return program.NewCache(max) }
