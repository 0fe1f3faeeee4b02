package program

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/air"
)

// TestResolvedSize compares the size that a script is booked with to what the heap holds for it
// once all of it is resolved. The cache of scripts, and with it a peer at rest, is as large as that
// says.
func TestResolvedSize(t *testing.T) {
	const call = `(call "12D3KooWpeer%[1]d" ("service" "function") ["text%[1]d" 1 true] x%[1]d)`
	kinds := map[string]string{
		"null": `(null)`, "ap": `(ap "text%d" $s)`, "call": call, "short call": `(call %init_peer_id% ("s" "f") [])`,
		"variables": `(seq (call "p" ("s" "f") [] x%[1]d) (call x%[1]d.$.peer (x%[1]d.$.service x%[1]d.$.[0].function) [x%[1]d x%[1]d.$.a.b] y%[1]d))`,
		"par":       `(par ` + call + ` (null))`, "xor": `(xor (fail 1 "text") (ap :error: $e))`,
		"match": `(match "a%d" 1 (null))`, "new": `(new $n (ap 1 $n))`, "canon": `(canon "p" $s #c%d)`,
		"fold": `(seq (ap 1 $s) (fold $s i%[1]d (par (ap i%[1]d $out) (next i%[1]d)) (null)))`, "map": `(ap ("key" "text%d") %%m)`,
		"lens":      `(seq (ap 1 x%[1]d) (ap x%[1]d.$` + strings.Repeat(".a", 30) + ` $s))`,
		"arguments": `(call "p" ("s" "f") [` + strings.Repeat("1 ", 50) + `])`,
	}
	for name, kind := range kinds {
		for _, n := range []int{1, 10, 300} {
			text := sequence(n, kind)
			all := make([]*Program, 300/n+10)
			before := heap()
			for i := range all {
				script, err := air.Parse(strings.Clone(text))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				all[i] = New(script)
				all[i].all(all[i].Root)
			}
			held, said := int(heap()-before)/len(all), all[0].size
			t.Logf("%-10s %4d held %8d said %8d %.2f", name, n, held, said, float64(said)/float64(held))
			if held > said*11/10 || said > 4*held {
				t.Errorf("%s, %d of them: a resolved script holds %d bytes and is booked with %d", name, n, held, said)
			}
			runtime.KeepAlive(all)
		}
	}
}

// TestCacheIsBounded fills a cache with far more scripts than it has room for.
func TestCacheIsBounded(t *testing.T) {
	const most = 1 << 20
	before := heap()
	s := NewCache(most)
	for i := range 2000 {
		text := sequence(1+i%20, fmt.Sprintf(`(call "peer" ("service" "function%d") ["text" 1] x%%d)`, i))
		p, err := s.Get(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.all(p.Root)
	}
	if held := heap() - before; held > most*11/10 || held < most/2 {
		t.Errorf("a cache of %d bytes holds %d", most, held)
	}
	runtime.KeepAlive(s)
}

// sequence is a script of n instructions one after the other.
func sequence(n int, kind string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("(seq ")
		if strings.Contains(kind, "%d") || strings.Contains(kind, "%[1]d") {
			fmt.Fprintf(&b, kind, i)
		} else {
			b.WriteString(kind)
		}
	}
	return b.String() + " (null)" + strings.Repeat(")", n)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// all resolves an instruction and its branches.
func (p *Program) all(n *Node) {
	p.Resolve(n)
	for _, k := range n.Kids {
		p.all(k)
	}
	if n.Last != nil {
		p.all(n.Last)
	}
}
