package scope

import (
	"testing"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/internal/program"
)

// A released table holds nothing of the run before, also beyond the length of its lists, and not more
// memory than it may.
func TestReleasedTablesAreEmpty(t *testing.T) {
	var scopes Scopes
	var table Table[*int]
	scopes.Reset()
	table.Reset(3)
	for depth := range 5 {
		table.Set(&scopes, int32(depth%3), new(int), 0)
		scopes.Enter()
	}
	table.Open(&scopes, 0)
	table.Close(&scopes, 0)
	table.Release(100)
	if len(table.cells) != 3 || cap(table.cells[0]) == 0 {
		t.Error("the memory is gone")
	}
	for _, list := range table.cells {
		for _, c := range list[:cap(list)] {
			if c.val != nil {
				t.Error("a value is left")
			}
		}
	}
	scopes.Reset()
	if _, how := table.Get(&scopes, 1); how != Missing {
		t.Error("a variable is left")
	}
	table.Set(&scopes, 1, new(int), 0)
	if table.Release(3); table.cells != nil {
		t.Error("a table keeps more than it may")
	}
}

func TestReleasedStreamsAreEmpty(t *testing.T) {
	script, err := air.Parse(`(new $a (new $b (null)))`)
	if err != nil {
		t.Fatal(err)
	}
	p := program.New(script)
	p.Resolve(p.Root)
	p.Resolve(p.Root.Kids[0])
	outer, inner := p.Root, p.Root.Kids[0]
	var streams Streams
	streams.Reset(2)
	for range 40 {
		streams.Open(outer)
	}
	streams.Open(inner)
	streams.Open(inner)
	streams.Close(inner)
	streams.Release(100)
	if streams[outer.Out.Slot] != nil {
		t.Error("a list of 40 streams is kept")
	}
	list := streams[inner.Out.Slot]
	if cap(list) == 0 {
		t.Error("a list of 2 streams is gone")
	}
	for _, s := range list[:cap(list)] {
		if s != nil {
			t.Error("a stream is left")
		}
	}
	if streams.Release(1); streams != nil {
		t.Error("more lists are kept than may")
	}
}
