package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/test/process"
)

// numberRows name numbers that are too large.
func numberRows() []Row {
	const kind = "numbers"
	key := `"12D3KooWFtf3rfCDAfWwt6oLZYZbDfn9Vn7bv7g6QjjQxUUEFVBt"`
	call := func(service, function, args string) string {
		return fmt.Sprintf(`(xor (call "HOST_PEER" (%q %q) [%s] r) (null))`, service, function, args)
	}
	counts := []string{"9223372036854775807", "200000000", "18446744073709551615", "-1", "4294967296", "1e300"}
	return []Row{
		{Name: "count", Kind: kind, Slice: true,
			Attack: particles(20, 1, time.Minute, func(i int) string {
				return call("kad", "neighborhood", key+" false "+counts[i%3])
			})},
		{Name: "counts of every kind", Kind: kind,
			Attack: particles(60, 2, time.Minute, func(i int) string {
				n := counts[i%len(counts)]
				return tree("seq", []string{
					call("kad", "neigh_with_addrs", key+" false "+n), call("kad", "merge", key+" [] [] "+n),
					call("array", "slice", "[] 0 "+n), call("array", "slice", "[] "+n+" "+n), call("math", "pow", n+" "+n), call("math", "log", n+" "+n),
					call("peer", "timeout", n+` "x"`), call("math", "div", n+" 0"), call("math", "rem", n+" -1"), call("math", "mul", n+" "+n),
				})
			})},
		{Name: "lens indexes", Kind: kind,
			Attack: particles(60, 2, time.Minute, func(i int) string {
				n := counts[i%3]
				return parsed(10, "a", fmt.Sprintf(`(seq (xor (ap a.$.[%s] x) (null)) (seq (ap 1 $s) (seq (canon "HOST_PEER" $s #c) (xor (ap #c.$.[%[1]s] y) (null)))))`, n))
			})},
		{Name: "module configurations", Kind: kind,
			Attack: particles(40, 1, time.Minute, func(i int) string {
				return call("dist", "make_module_config", fmt.Sprintf(`"m" %s "%s" true [] [] [] [] [] %[1]s`, counts[i%len(counts)], strings.Repeat("9", 10_000)))
			})},
		{Name: "timers, 100 times 10,000", Kind: kind, Reasons: overMemory,
			Attack: particles(100, 1, day, func(int) string {
				return parsed(10_000, "a", `(fold a i (par (call "HOST_PEER" ("peer" "timeout") [80000000 "x"]) (next i)))`)
			})},
		{Name: "timers of a millisecond", Kind: kind, Calm: 30 * time.Second,
			Attack: particles(20, 2, time.Minute, func(int) string {
				return parsed(1000, "a", `(fold a i (par (call "HOST_PEER" ("peer" "timeout") [1 "x"]) (next i)))`)
			})},
		{Name: "times beyond all bounds", Kind: kind, Reasons: []string{"refused/ttl", "refused/expired"},
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "clock")
				if err != nil {
					return err
				}
				var all [][]byte
				now := uint64(time.Now().UnixMilli())
				for _, ts := range []uint64{0, 1, 1<<64 - 1, 1 << 63, 1<<63 - 1, now + 1<<40, now - 1<<40, now + 3_600_000} {
					for _, ttl := range []uint32{0, 1, 1<<32 - 1, 1 << 31} {
						all = append(all, changed(s, "(null)", time.Second, func(p *particle.Particle) { p.Timestamp, p.TTL = ts, ttl }))
					}
				}
				return send(ctx, s, all...)
			}},
	}
}

// doubled is a script that makes a string of 2^n times size bytes.
func doubled(size, n int) (script, variable string) {
	steps := []string{fmt.Sprintf(`(call "HOST_PEER" ("op" "concat_strings") ["%s"] x0)`, strings.Repeat("x", size))}
	for i := range n {
		steps = append(steps, fmt.Sprintf(`(call "HOST_PEER" ("op" "concat_strings") [x%d x%[1]d] x%[2]d)`, i, i+1))
	}
	return tree("seq", steps), fmt.Sprint("x", n)
}

// overMemory are the reasons for the end of what takes too much memory.
var overMemory = []string{"ended/memory", "refused/memory", "called/service", "lost/memory", "failed/interpreter", "ended/budget", "ended/displaced"}

// memoryRows take memory.
func memoryRows() []Row {
	const kind = "memory"
	oom := testdata("oom.air")
	mega, x := doubled(1000, 10)
	return []Row{
		{Name: "oom", Kind: kind, Slice: true, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: one(time.Minute, oom)},
		{Name: "oom from 8 keys", Kind: kind, Reasons: overMemory, Calm: 40 * time.Second,
			Attack: particles(8, 8, 30*time.Second, func(int) string { return oom })},
		{Name: "64 calls with 1000 references to 1 MB", Kind: kind, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: one(20*time.Second, "(seq "+mega+" "+tree("par", times(64, func(i int) string {
				return fmt.Sprintf(`(call "HOST_PEER" ("op" "array") [%s] r%d)`, strings.Repeat(x+" ", 1000), i)
			}))+")")},
		{Name: "strings that double", Kind: kind, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: particles(4, 2, 20*time.Second, func(int) string { s, _ := doubled(1000, 30); return s })},
		{Name: "arrays that double", Kind: kind, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: particles(4, 2, 20*time.Second, func(int) string {
				return parsed(1000, "x0", tree("seq", times(28, func(i int) string {
					return fmt.Sprintf(`(call "HOST_PEER" ("op" "concat") [x%d x%[1]d] x%[2]d)`, i, i+1)
				})))
			})},
		{Name: "ap of doubled arrays", Kind: kind, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: particles(4, 2, 20*time.Second, func(int) string {
				return tree("seq", append([]string{"(ap 1 $s0)"}, times(30, func(i int) string {
					return fmt.Sprintf(`(seq (canon "HOST_PEER" $s%d #c%[1]d) (seq (ap #c%[1]d $s%[2]d) (ap #c%[1]d $s%[2]d)))`, i, i+1)
				})...))
			})},
		{Name: "stringify of stringify", Kind: kind, Reasons: overMemory, Calm: 30 * time.Second,
			Attack: particles(4, 2, 20*time.Second, func(int) string {
				return tree("seq", append([]string{`(ap "\"" x0)`}, times(40, func(i int) string {
					return fmt.Sprintf(`(call "HOST_PEER" ("json" "stringify") [x%d] x%d)`, i, i+1)
				})...))
			})},
		{Name: "errors over a string of 16 MB", Kind: kind, Calm: 30 * time.Second,
			Attack: one(20*time.Second, func() string {
				s, x := doubled(1000, 14)
				return "(seq " + s + " " + tree("seq", times(1000, func(int) string {
					return fmt.Sprintf(`(xor (call "HOST_PEER" ("op" "noop") [%s.$.x]) (null))`, x)
				})) + ")"
			}())},
		{Name: "errors over a literal of 20 MB", Kind: kind, Calm: 30 * time.Second,
			Attack: one(20*time.Second, `(seq (ap "`+strings.Repeat("b", 20<<20)+`" b) `+tree("seq", times(1000, func(int) string {
				return `(xor (call "HOST_PEER" ("op" "noop") [b.$.x]) (null))`
			}))+")")},
		{Name: "error objects kept", Kind: kind, Calm: 30 * time.Second,
			Attack: one(20*time.Second, func() string {
				s, x := doubled(1000, 12)
				return "(seq " + s + " " + tree("seq", times(1000, func(int) string {
					return fmt.Sprintf(`(xor (match %s "no" (null)) (ap :error: $errors))`, x)
				})) + ")"
			}())},
		{Name: "frames of 65 MB for absent peers", Kind: kind, Reasons: absent, Lasts: 12 * time.Second, Calm: 60 * time.Second,
			Attack: particles(8, 1, 30*time.Second, func(int) string {
				return fmt.Sprintf(`(seq (ap "%s" x) (call %q ("a" "b") [x]))`, strings.Repeat("b", 65<<20), absentPeer())
			})},
		{Name: "frames of 1 MB for 200 absent peers", Kind: kind, Reasons: absent, Lasts: 8 * time.Second, Calm: 60 * time.Second,
			Attack: particles(200, 4, 30*time.Second, func(int) string {
				return fmt.Sprintf(`(seq (ap "%s" x) (call %q ("a" "b") [x]))`, strings.Repeat("b", 1<<20), absentPeer())
			})},
		{Name: "scripts of 30 MB", Kind: kind, Lasts: 8 * time.Second,
			Attack: particles(10, 2, 10*time.Second, func(int) string {
				return "(ap \"" + strings.Repeat("b", 30<<20) + "\" x)"
			})},
		{Name: "scripts of a million instructions", Kind: kind, Lasts: 8 * time.Second, Calm: 30 * time.Second,
			Attack: particles(8, 2, 10*time.Second, func(int) string { return tree("seq", times(1_000_000, func(int) string { return "(null)" })) })},
		{Name: "vault files", Kind: kind, Lasts: 8 * time.Second, Calm: 40 * time.Second,
			Attack: particles(8, 2, 20*time.Second, func(int) string {
				s, x := doubled(1000, 12)
				return "(seq " + s + " " + parsed(300, "a", fmt.Sprintf(`(fold a i (seq (call "HOST_PEER" ("vault" "put") [%s]) (next i)))`, x)) + ")"
			})},
		{Name: "streams of large values", Kind: kind, Reasons: overMemory, Calm: 40 * time.Second,
			Attack: particles(4, 2, 20*time.Second, func(int) string {
				s, x := doubled(1000, 12)
				return "(seq " + s + " " + parsed(2000, "a", fmt.Sprintf(`(fold a i (seq (seq (call "HOST_PEER" ("json" "stringify") [i] t) (call "HOST_PEER" ("op" "concat_strings") [%s t] $all)) (next i)))`, x)) + ")"
			})},
		{Name: "rest, TTL 10 s", Kind: kind, Lasts: 20 * time.Second, Memory: 200, Calm: 30 * time.Second,
			Attack: roundTrips(3600, 10*time.Second)},
		{Name: "rest, TTL 60 s", Kind: kind, Lasts: 70 * time.Second, Memory: 500, Calm: 90 * time.Second,
			Attack: roundTrips(3600, 60*time.Second)},
		{Name: "rest, particles that wait for ever", Kind: kind, Reasons: []string{"expired/unfinished", "ended/displaced"}, Lasts: 10 * time.Second, Calm: 30 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "waits")
				if err != nil {
					return err
				}
				return stream(ctx, s, func(int) []byte {
					return frame(s, a.Script(waiting("%init_peer_id%")), 10*time.Second)
				})
			}},
	}
}

// roundTrips makes honest calls, at most so many a second: a call at the peer, whose result goes
// back to the stranger.
func roundTrips(rate int, ttl time.Duration) func(context.Context, *Arena) error {
	const senders = 8
	return func(ctx context.Context, a *Arena) error {
		script := a.Script(`(seq (call "HOST_PEER" ("op" "identity") ["x"] r) (call %init_peer_id% ("callbackSrv" "response") [r]))`)
		var all sync.WaitGroup
		var first error
		var once sync.Once
		for k := range senders {
			s, err := a.Stranger(ctx, fmt.Sprint("caller ", k))
			if err != nil {
				return err
			}
			all.Go(func() {
				tick := time.NewTicker(time.Second * senders / time.Duration(rate))
				defer tick.Stop()
				err := stream(ctx, s, func(int) []byte {
					<-tick.C
					return frame(s, script, ttl)
				})
				if err != nil && ctx.Err() == nil {
					once.Do(func() { first = err })
				}
			})
		}
		all.Wait()
		return first
	}
}

// answered wants most of what arrived to have been answered.
func answered(atLeast int64) func(*Arena, process.Counts) error {
	return func(a *Arena, c process.Counts) error {
		if n := a.Answers.Load(); n < atLeast {
			return fmt.Errorf("%d answers, want at least %d; the journal has %v", n, atLeast, c)
		}
		return nil
	}
}
