package interpreter_test

import (
	"runtime"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
)

// TestMemSize compares what states say they hold with what the heap does. Their scripts are shared.
func TestMemSize(t *testing.T) {
	for _, d := range dimensions {
		scripts := interpreter.NewScripts(1 << 30)
		n := d.n / 4
		open := func() *interpreter.State {
			l := d.at(t, n, nil)
			l.params.Scripts = scripts
			l.retained()
			return l.state
		}
		open() // resolves the script
		states := make([]*interpreter.State, 0, 12)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range cap(states) {
			states = append(states, open())
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		held, said := int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(0)
		for _, s := range states {
			said += int64(s.MemSize())
		}
		const slack = 12 * 8192 // what else the heap does
		t.Logf("%-40s held %8d said %8d %.2f", d.name, held, said, float64(said)/float64(held))
		if said > held*13/10+slack || held > said*13/10+slack {
			t.Errorf("%s: %d states hold %d bytes and say %d", d.name, len(states), held, said)
		}
	}
}
