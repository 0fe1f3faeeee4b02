package lanes

import "golang.org/x/sys/cpu"

var available = cpu.X86.HasAVX2

// compress mixes the block of each lane into its chaining value.
//
//go:noescape
func compress(s *state)
