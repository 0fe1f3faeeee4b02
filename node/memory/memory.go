// Package memory keeps a process within the memory that it may have.
package memory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// systemPart is which part of the machine's memory a process takes as its limit when it has no
// control group of its own: others live there too.
const systemPart = 0.75

// Limit is the memory limit of this process: GOMEMLIMIT, or that of its control group, or else three
// quarters of the machine's memory.
func Limit() (int64, error) {
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		return n, nil
	}
	n, err := memlimit.FromCgroup()
	if err != nil || n == 0 || n > math.MaxInt64 {
		system, systemErr := memlimit.FromSystem()
		if systemErr != nil {
			return 0, fmt.Errorf("memory limit: %w", errors.Join(err, systemErr))
		}
		n = uint64(systemPart * float64(system))
	}
	return int64(n), nil
}

// softPart is which part of the limit the runtime tries to stay under: what it does not count is
// stacks of the kernel, files that are mapped, and the memory it has not yet given back.
const softPart = 0.9

// Keep makes a limit the runtime's soft limit, and gives memory back to the system after load. It
// returns when the context ends.
func Keep(ctx context.Context, limit int64) {
	before := debug.SetMemoryLimit(int64(softPart * float64(limit)))
	defer debug.SetMemoryLimit(before)
	tick := time.NewTicker(giveBackEvery)
	defer tick.Stop()
	var last usage
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := measure()
			if now.allocated-last.allocated < quiet && now.resident > giveBackFrom {
				debug.FreeOSMemory()
			}
			last = now
		}
	}
}

// Go collects garbage when the heap has doubled, or after two minutes, and gives pages back slowly: a
// peer at rest would keep what its busiest moment took. A collection of a small heap takes some
// ms of one processor, so it is made only where there is little to do.
const (
	giveBackEvery = 10 * time.Second
	quiet         = 16 << 20 // bytes allocated meanwhile
	giveBackFrom  = 48 << 20 // bytes resident; a peer at rest takes some 40
)

type usage struct{ allocated, resident uint64 }

func measure() usage {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	return usage{s[0].Value.Uint64(), s[1].Value.Uint64() - s[2].Value.Uint64()}
}
