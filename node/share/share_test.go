package share

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// use takes a slot again and again for some time.
func use(ctx context.Context, s *Scheduler, o Owner, each time.Duration) (used time.Duration) {
	for {
		slot, ok := s.Acquire(ctx, o)
		if !ok {
			return used
		}
		time.Sleep(each)
		used += each
		slot.Release(each)
	}
}

// Owners get equal time whatever their steps take and however many wait for them: ranges first,
// remotes in a range, init peers of a remote.
func TestTimeIsDivided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewScheduler(2, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var mu sync.Mutex
		got := map[Owner]time.Duration{}
		var wg sync.WaitGroup
		start := func(o Owner, n int, each time.Duration) {
			for range n {
				wg.Go(func() {
					used := use(ctx, s, o, each)
					mu.Lock()
					defer mu.Unlock()
					got[o] += used
				})
			}
		}
		heavy, light := Owner{"a", "r", "x"}, Owner{"b", "s", "y"}
		start(heavy, 100, 20*time.Millisecond)
		start(light, 3, 100*time.Microsecond)
		forwarder := func(init string) Owner { return Owner{"c", "t", init} }
		start(forwarder("bad"), 100, time.Millisecond)
		start(forwarder("good"), 3, time.Millisecond)
		wg.Wait()
		third := 20 * time.Second / 3
		near := func(what string, got, want time.Duration) {
			if got < want*85/100 || got > want*115/100 {
				t.Errorf("%s got %s, want about %s", what, got, want)
			}
		}
		near("the one with long steps", got[heavy], third)
		near("the one with short steps", got[light], third)
		near("the forwarder's bad client", got[forwarder("bad")], third/2)
		near("the forwarder's good client", got[forwarder("good")], third/2)
	})
}

// A newcomer waits for the steps that run, not for all that wait.
func TestNewcomerIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewScheduler(2, 0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var heavy sync.WaitGroup
		defer heavy.Wait()
		for range 1000 {
			heavy.Go(func() { use(ctx, s, Owner{Range: "a"}, 2*time.Millisecond) })
		}
		synctest.Wait()
		for range 50 {
			time.Sleep(7 * time.Millisecond)
			began := time.Now()
			slot, ok := s.Acquire(ctx, Owner{Range: "b"})
			if waited := time.Since(began); !ok || waited > 2*time.Millisecond {
				t.Fatalf("waited %s", waited)
			}
			slot.Release(0)
		}
	})
}

// One range may not use more than its part of each second, even alone; the peer itself may.
func TestPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			of   Owner
			want time.Duration
		}{{Owner{Range: "a"}, 11 * 500 * time.Millisecond}, {Owner{Range: Self}, 10 * time.Second}} {
			s := NewScheduler(1, 500*time.Millisecond)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			used := use(ctx, s, c.of, 10*time.Millisecond)
			if used < c.want-100*time.Millisecond || used > c.want+100*time.Millisecond {
				t.Errorf("%v used %s, want %s", c.of, used, c.want)
			}
			if slot, ok := s.Acquire(context.Background(), Owner{Range: "b"}); ok {
				slot.Release(0)
			}
			cancel()
			time.Sleep(time.Minute) // whoever waits for its second has given up
			synctest.Wait()
			if s.Free() != 1 || s.waiting != 0 || len(s.root.kids) != 0 {
				t.Errorf("not at rest: %+v", s)
			}
		}
	})
}

// Whatever owners do, no slot is lost or given twice, and nothing stays behind.
func TestSlotsAreKept(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, 3).Draw(rt, "slots")
		type job struct {
			of          Owner
			after, used int
			patience    int
		}
		jobs := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) job {
			name := rapid.SampledFrom([]string{"a", "b", "c"})
			return job{
				Owner{name.Draw(rt, "range"), name.Draw(rt, "remote"), name.Draw(rt, "init")},
				rapid.IntRange(0, 50).Draw(rt, "after"), rapid.IntRange(0, 20).Draw(rt, "used"), rapid.IntRange(1, 100).Draw(rt, "patience"),
			}
		}), 1, 60).Draw(rt, "jobs")
		synctest.Test(t, func(*testing.T) {
			s := NewScheduler(slots, 300*time.Millisecond)
			inUse, mu := 0, sync.Mutex{}
			var wg sync.WaitGroup
			for _, j := range jobs {
				wg.Go(func() {
					time.Sleep(time.Duration(j.after) * time.Millisecond)
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(j.patience)*10*time.Millisecond)
					defer cancel()
					slot, ok := s.Acquire(ctx, j.of)
					if !ok {
						return
					}
					mu.Lock()
					if inUse++; inUse > slots {
						rt.Errorf("%d slots of %d in use", inUse, slots)
					}
					mu.Unlock()
					time.Sleep(time.Duration(j.used) * 10 * time.Millisecond)
					mu.Lock()
					inUse--
					mu.Unlock()
					slot.Release(time.Duration(j.used) * 10 * time.Millisecond)
				})
			}
			wg.Wait()
			time.Sleep(time.Minute)
			synctest.Wait()
			if s.Free() != slots || s.waiting != 0 {
				rt.Errorf("%d of %d slots are free, %d wait", s.Free(), slots, s.waiting)
			}
		})
	})
}

// A ledger never gives more than its limits, and all that is given back leaves nothing.
func TestLedgerAddsUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := NewLedger(Limits{Memory: 1000})
		held := map[Owner]int64{}
		name := rapid.SampledFrom([]string{"a", "b"})
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			o := Owner{name.Draw(rt, "range"), name.Draw(rt, "remote"), name.Draw(rt, "init")}
			n := rapid.Int64Range(-held[o], 300).Draw(rt, "n")
			err := l.Grow(o, Particles, n)
			var full *ErrFull
			switch {
			case err == nil:
				held[o] += n
			case n <= 0 || !errors.As(err, &full) || full.Held+n <= full.Limit:
				rt.Fatalf("Grow(%v, %d): %v", o, n, err)
			}
			sum := map[string]int64{}
			for o, n := range held {
				sum["all"] += n
				sum[o.Range] += n
				sum[o.Range+"/"+o.Remote] += n
				sum[fmt.Sprint(o)] += n
			}
			for what, n := range sum {
				limit := int64(250)
				switch {
				case what == "all":
					limit = 1000
				case len(what) == 1:
					limit = 500
				}
				if n > limit {
					rt.Fatalf("%s holds %d", what, n)
				}
			}
			if got := l.Held(Memory, o.Range, o.Remote, o.Init); got != held[o] || l.Held(Memory) != sum["all"] {
				rt.Fatalf("%v holds %d, want %d", o, got, held[o])
			}
		}
		for o, n := range held {
			_ = l.Grow(o, Particles, -n)
		}
		if l.Held(Memory) != 0 || len(l.root.kids) != 0 || len(l.Kinds()) != 0 {
			rt.Errorf("something is left: %+v", l.root)
		}
	})
}

// Who makes room is found from the level that is full downwards.
func TestLargest(t *testing.T) {
	l := NewLedger(Limits{})
	for o, n := range map[Owner]int64{
		{Self, "", "host"}: 1000,
		{"a", "r", "x"}:    50, {"a", "r", "y"}: 10, {"a", "s", "z"}: 55,
		{"b", "t", "x"}: 100,
	} {
		l.Force(o, Particles, n)
	}
	for _, c := range []struct {
		of    Owner
		depth int
		want  Owner
	}{
		{Owner{"c", "u", "v"}, 0, Owner{"a", "r", "x"}}, // a has 115
		{Owner{"b", "t", "x"}, 0, Owner{"a", "r", "x"}},
		{Owner{"a", "s", "z"}, 0, Owner{"a", "r", "x"}}, // its own range has most; in it, the other remote
		{Owner{"a", "r", "y"}, 0, Owner{"a", "r", "x"}}, // the same remote, another init peer
		{Owner{"a", "r", "x"}, 0, Owner{}},              // itself
		{Owner{"a", "r", "x"}, 3, Owner{}},
		{Owner{"a", "r", "y"}, 2, Owner{"a", "r", "x"}},
		{Owner{"b", "t", "y"}, 1, Owner{"b", "t", "x"}},
	} {
		if got, ok := l.Largest(c.of, Memory, c.depth); ok != (c.want != Owner{}) || ok && got != c.want {
			t.Errorf("for %v at %d: %v, %v; want %v", c.of, c.depth, got, ok, c.want)
		}
	}
}

// Two owners are compared where they part, with what the smaller one asks for.
func TestOutweighs(t *testing.T) {
	l := NewLedger(Limits{})
	for o, n := range map[Owner]int64{{"a", "r", "x"}: 50, {"a", "r", "y"}: 10, {"a", "s", "z"}: 25, {"b", "t", "x"}: 30} {
		l.Force(o, Particles, n)
	}
	for _, c := range []struct {
		larger, of Owner
		more       int64
		want       bool
	}{
		{Owner{"a", "r", "x"}, Owner{"a", "r", "y"}, 10, true}, // 50 to 20
		{Owner{"a", "r", "x"}, Owner{"a", "r", "y"}, 15, false},
		{Owner{"a", "r", "x"}, Owner{"a", "s", "z"}, 1, true},   // the remotes: 60 to 26
		{Owner{"a", "r", "y"}, Owner{"b", "t", "x"}, 12, true},  // the ranges: 85 to 42
		{Owner{"a", "r", "y"}, Owner{"b", "t", "x"}, 13, false}, // 85 to 43
		{Owner{"a", "r", "x"}, Owner{"c", "u", "v"}, 42, true},
		{Owner{"a", "r", "x"}, Owner{"a", "r", "x"}, 0, false},
	} {
		if got := l.Outweighs(c.larger, c.of, Memory, c.more); got != c.want {
			t.Errorf("%v against %v with %d more: %v", c.larger, c.of, c.more, got)
		}
	}
}

func BenchmarkSlot(b *testing.B) {
	s, o := NewScheduler(2, time.Hour), Owner{"a", "b", "c"}
	b.ReportAllocs()
	for b.Loop() {
		slot, _ := s.Acquire(context.Background(), o)
		slot.Release(time.Microsecond)
	}
}

func BenchmarkGrow(b *testing.B) {
	l, o := NewLedger(Limits{Memory: 1 << 30}), Owner{"a", "b", "c"}
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Grow(o, Particles, 100)
		_ = l.Grow(o, Particles, -100)
	}
}
