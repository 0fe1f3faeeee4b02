package airgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/data"
)

// Stats counts what cases went through, to see that they are worth running.
type Stats struct {
	Programs, Refused int // refused by Parse
	Steps             int
	Codes             map[int64]int
	Traps             int

	// Steps that merged two traces, neither of them empty, and steps that left a stream fold
	// over several generations, an executed canon, a failed call.
	Merges, Generations, Canons, Failed int
	Largest                             int // data in bytes
}

func (s *Stats) program(script *air.Script, err error) {
	s.Programs++
	if err != nil {
		s.Refused++
	}
}

func (s *Stats) step(a *Answer, before []byte, arrival bool) {
	s.Steps++
	if s.Codes == nil {
		s.Codes = map[int64]int{}
	}
	if a.Trap != "" {
		s.Traps++
		return
	}
	s.Codes[a.RetCode]++
	s.Largest = max(s.Largest, len(a.Data))
	d, err := data.Decode(a.Data)
	if err != nil {
		return
	}
	if old, err := data.Decode(before); err == nil && arrival && len(old.Trace) > 0 &&
		!a.refused() {
		s.Merges++
	}
	s.states(d.Trace)
}

func (s *Stats) states(trace []data.State) {
	generations, canons, failed := false, false, false
	for k := range trace {
		switch st := &trace[k]; st.Kind {
		case data.CanonExecuted:
			canons = true
		case data.CallFailed:
			failed = true
		case data.Fold:
			generations = generations || severalGenerations(trace, st.Lore())
		}
	}
	for count, met := range map[*int]bool{&s.Generations: generations, &s.Canons: canons,
		&s.Failed: failed} {
		if met {
			*count++
		}
	}
}

// severalGenerations reports whether a fold visited values of more than one generation.
func severalGenerations(trace []data.State, lore []data.FoldLore) bool {
	first := -1
	for _, l := range lore {
		if int(l.ValuePos) >= len(trace) {
			continue
		}
		g := int(trace[l.ValuePos].Generation)
		if first >= 0 && g != first {
			return true
		}
		first = g
	}
	return false
}

func (s *Stats) String() string {
	share := func(n int) string {
		return fmt.Sprintf("%d (%.1f %%)", n,
			100*float64(n)/float64(max(1, s.Steps)))
	}
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(s.Codes)) {
		codes = append(codes, fmt.Sprintf("%d: %d", code, s.Codes[code]))
	}
	return fmt.Sprintf("%d programs, %d of them refused; %d steps: %s merged two traces, %s with a stream fold over several generations, "+
		"%s with canons, %s with failed calls, %d crashes of the reference, largest data %d bytes; codes %s",
		s.Programs, s.Refused, s.Steps, share(s.Merges), share(s.Generations), share(s.Canons), share(s.Failed), s.Traps, s.Largest, strings.Join(codes, ", "))
}
