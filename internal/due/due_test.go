package due

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type thing struct {
	Entry
	at time.Time
}

// A queue gives the same as a sorted list, whatever is added and removed.
func TestQueue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Unix(1e9, 0)
	var q Queue[*thing]
	var want, gone []*thing
	for range 10_000 {
		switch random.IntN(4) {
		case 0, 1:
			x := &thing{at: start.Add(time.Duration(random.IntN(1000)) * time.Second)}
			q.Add(x, x.at)
			want = append(want, x)
			slices.SortStableFunc(want, func(a, b *thing) int { return a.at.Compare(b.at) })
		case 2:
			if len(want) > 0 {
				i := random.IntN(len(want))
				if !q.Remove(want[i]) {
					t.Fatal("a thing is not here")
				}
				gone = append(gone, want[i])
				want = slices.Delete(want, i, i+1)
			}
		default:
			now := start.Add(time.Duration(random.IntN(200)) * time.Second)
			x, ok := q.Pop(now)
			if due := len(want) > 0 && !want[0].at.After(now); ok != due {
				t.Fatalf("something is due: %v, want %v", ok, due)
			}
			if ok {
				if !x.at.Equal(want[0].at) {
					t.Fatalf("due at %v, want %v", x.at, want[0].at)
				}
				want = slices.DeleteFunc(want, func(y *thing) bool { return y == x })
				gone = append(gone, x)
			}
		}
		if len(gone) > 0 {
			if q.Remove(gone[random.IntN(len(gone))]) {
				t.Fatal("a thing is here again")
			}
		}
		next := time.Time{}
		if len(want) > 0 {
			next = want[0].at
		}
		if q.Len() != len(want) || !q.Next().Equal(next) {
			t.Fatalf("%d things, the next at %v; want %d, %v", q.Len(), q.Next(), len(want), next)
		}
	}
	if all := q.Clear(); len(all) != len(want) || q.Len() != 0 || !q.Next().IsZero() {
		t.Errorf("%d things of %d, %d left", len(all), len(want), q.Len())
	}
	if q.Remove(want[0]) {
		t.Error("a thing is here after Clear")
	}
	q.Add(want[0], start)
	if x, ok := q.Pop(start); !ok || x != want[0] {
		t.Error("a thing cannot be added again")
	}
}
