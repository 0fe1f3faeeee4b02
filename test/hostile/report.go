package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes a verdict as a line of a table, and a line for each fault.
func (v *Verdict) print(w io.Writer, verbose bool) {
	state := "ok"
	switch {
	case v.Broken != "":
		state = "BROKEN"
	case v.Pending != "" && len(v.Faults) > 0:
		state = "pending"
	case v.Failed():
		state = "FAIL"
	}
	fmt.Fprintf(w, "%-8s %-34s ", state, v.Name)
	if v.Calls > 0 {
		fmt.Fprintf(w, "calls %5d lost %3d  p50 %8s (quiet %8s)  p99 %8s (quiet %8s, limit %8s)  peak %4d MB rest %4d MB  cpu %6s calm %4s stop %6s",
			v.Calls, v.Lost, round(v.P50), round(v.QuietP50), round(v.P99), round(v.QuietP99), round(v.Limit), v.PeakMB, v.RestMB, round(v.CPU),
			round(v.Calmed).Round(1e9), round(v.Stopped))
	}
	fmt.Fprintf(w, "  [%s]\n", round(v.Took).Round(1e8))
	if v.Broken != "" {
		fmt.Fprintf(w, "         - not judged: %s\n", v.Broken)
	}
	for _, f := range v.Faults {
		fmt.Fprintf(w, "         - %s\n", f)
	}
	if v.Pending != "" {
		fmt.Fprintf(w, "         pending: %s\n", v.Pending)
		if len(v.Faults) == 0 {
			fmt.Fprintf(w, "         - passes now: take the mark away\n")
		}
	}
	if verbose && v.Counted != nil {
		var all []string
		for _, what := range slices.Sorted(maps.Keys(v.Counted)) {
			all = append(all, fmt.Sprintf("%s %d", what, v.Counted[what]))
		}
		fmt.Fprintf(w, "         journal: %s; %d bytes of log\n", strings.Join(all, ", "), v.LogBytes)
	}
}
