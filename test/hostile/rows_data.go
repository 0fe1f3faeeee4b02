package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
)

// computed makes a particle whose data holds what the stranger's own part of the script came to,
// rightly signed. The results of its calls are those given.
func computed(ctx context.Context, s *load.Stranger, p *particle.Particle, result func(c interpreter.CallRequest) string) (*particle.Particle, error) {
	p.Sign(s.Key)
	state, err := interpreter.Open(p.Script, nil, interpreter.Params{
		InitPeerID: p.InitPeerID, CurrentPeerID: p.InitPeerID, ParticleID: p.ID, Timestamp: p.Timestamp, TTL: p.TTL, Key: s.Key,
	})
	if err != nil {
		return nil, err
	}
	out := state.Step(ctx, nil, nil)
	for len(out.CallRequests) > 0 {
		results := map[uint32]interpreter.CallResult{}
		for _, c := range out.CallRequests {
			results[c.ID] = interpreter.CallResult{Result: result(c)}
		}
		out = state.Step(ctx, nil, results)
	}
	if out.RetCode != 0 {
		return nil, fmt.Errorf("the stranger's part: %d %s", out.RetCode, out.ErrorMessage)
	}
	q := *p
	q.Data, err = state.Data()
	return &q, err
}

// withData sends a particle made from the stranger's part of a script, changed by spoil.
func withData(n int, ttl time.Duration, script func(i int) string, spoil func(i int, p *particle.Particle)) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		s, err := a.Stranger(ctx, "computes")
		if err != nil {
			return err
		}
		var frames [][]byte
		for i := range n {
			p, err := computed(ctx, s, particle.New(s.Key, a.Script(script(i)), ttl, time.Now()), func(interpreter.CallRequest) string { return fmt.Sprintf(`"value %d"`, i) })
			if err != nil {
				return err
			}
			if spoil != nil {
				spoil(i, p)
			}
			frames = append(frames, wire.Frame(p))
		}
		return send(ctx, s, frames...)
	}
}

// mine is a script with n calls at the stranger before one at the peer.
func mine(n int) func(int) string {
	return func(int) string {
		return `(seq ` + tree("seq", times(n, func(i int) string { return fmt.Sprintf(`(call %%init_peer_id%% ("a" "f%d") [] v%[1]d)`, i) })) +
			` (call "HOST_PEER" ("op" "identity") [v0] r))`
	}
}

// waiting is a script that the peer cannot be done with before the deadline: it has a call to make
// when another one has a result that never comes.
func waiting(peer string) string {
	return fmt.Sprintf(`(seq (call %s ("a" "b") [] z) (call "HOST_PEER" ("op" "noop") [z]))`, peer)
}

// flip changes a byte of the data, another one in each particle.
func flip(i int, p *particle.Particle) {
	p.Data = append([]byte(nil), p.Data...)
	p.Data[(i*7919+13)%len(p.Data)] ^= 1 << (i % 8)
}

// dataRows send interpreter data.
func dataRows() []Row {
	const kind = "data"
	refused := []string{"refused/interpreter", "failed/interpreter"}
	return []Row{
		{Name: "4000 good results", Kind: kind, Attack: withData(4, 10*time.Second, mine(4000), nil)},
		{Name: "one flipped bit in each of 300", Kind: kind, Reasons: refused, Attack: withData(300, 10*time.Second, mine(40), flip)},
		{Name: "one flipped bit in 4000 results", Kind: kind, Reasons: refused, Attack: withData(6, 10*time.Second, mine(4000), flip)},
		{Name: "data cut short", Kind: kind, Reasons: refused,
			Attack: withData(200, 10*time.Second, mine(40), func(i int, p *particle.Particle) { p.Data = p.Data[:len(p.Data)*(i%97)/97] })},
		{Name: "data of another particle", Kind: kind, Reasons: refused,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "mixes")
				if err != nil {
					return err
				}
				var data []byte
				for i := range 100 {
					p, err := computed(ctx, s, particle.New(s.Key, a.Script(mine(20)(i)), 10*time.Second, time.Now()), func(interpreter.CallRequest) string { return `"x"` })
					if err != nil {
						return err
					}
					p.Data, data = data, p.Data
					if err := send(ctx, s, wire.Frame(p)); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "500 conflicting data of one particle", Kind: kind, Reasons: refused,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "contradicts")
				if err != nil {
					return err
				}
				script := "(seq " + mine(10)(0) + waiting(fmt.Sprintf("%q", absentPeer())) + ")"
				p := particle.New(s.Key, a.Script(script), 10*time.Second, time.Now())
				for i := range 500 {
					q, err := computed(ctx, s, p, func(interpreter.CallRequest) string { return fmt.Sprintf(`"another %d"`, i) })
					if err != nil {
						return err
					}
					if err := send(ctx, s, wire.Frame(q)); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "replays of one particle", Kind: kind,
			Attack: flood(4, func(a *Arena, s *load.Stranger) func(int) []byte {
				f := frame(s, a.Script(`(call "HOST_PEER" ("op" "identity") ["x"] r)`), time.Minute)
				return func(int) []byte { return f }
			})},
		{Name: "replays of one particle with 1 MB of data", Kind: kind, Calm: 30 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "repeats")
				if err != nil {
					return err
				}
				big := `"` + strings.Repeat("z", 1<<20) + `"`
				p, err := computed(ctx, s, particle.New(s.Key, a.Script(mine(1)(0)), 10*time.Second, time.Now()), func(interpreter.CallRequest) string { return big })
				if err != nil {
					return err
				}
				f := wire.Frame(p)
				for range 300 {
					if err := send(ctx, s, f); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "replays after the end", Kind: kind, Lasts: 6 * time.Second, Reasons: []string{"refused/expired"},
			Attack: flood(2, prepared(200, func(a *Arena, s *load.Stranger, _ int) []byte {
				return frame(s, a.Script(`(call "HOST_PEER" ("op" "identity") ["x"] r)`), time.Second)
			}))},
		{Name: "one id, many signatures", Kind: kind,
			Attack: flood(2, prepared(5000, func(_ *Arena, s *load.Stranger, i int) []byte {
				return changed(s, "(null)", 5*time.Second, func(p *particle.Particle) { p.ID = "the same"; p.TTL += uint32(i) })
			}))},
		{Name: "a value of 60 MB", Kind: kind, Lasts: 8 * time.Second, Calm: 30 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "giant")
				if err != nil {
					return err
				}
				big := `"` + strings.Repeat("z", 60<<20) + `"`
				for range 3 {
					p, err := computed(ctx, s, particle.New(s.Key, a.Script(mine(1)(0)), 10*time.Second, time.Now()), func(interpreter.CallRequest) string { return big })
					if err != nil {
						return err
					}
					if err := send(ctx, s, wire.Frame(p)); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "a value nested a million deep", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "deep")
				if err != nil {
					return err
				}
				deep := strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000)
				p, err := computed(ctx, s, particle.New(s.Key, a.Script(`(seq (call %init_peer_id% ("a" "f") [] v) (call "HOST_PEER" ("json" "stringify") [v] r))`), 10*time.Second, time.Now()),
					func(interpreter.CallRequest) string { return deep })
				if err != nil {
					return nil // the stranger's own interpreter may refuse it
				}
				return send(ctx, s, wire.Frame(p))
			}},
	}
}

// quotaRows use up what belongs to all.
func quotaRows() []Row {
	const kind = "shares"
	return []Row{
		{Name: "five keys fill the peer", Kind: kind, Args: []string{"--max-particles", "4000"}, Lasts: 6 * time.Second,
			Attack: particles(6000, 5, day, func(int) string { return "(null)" })},
		{Name: "five keys fill the peer, waiting", Kind: kind, Args: []string{"--max-particles", "4000"}, Lasts: 6 * time.Second,
			Attack: particles(6000, 5, day, func(int) string { return waiting("%init_peer_id%") })}, // at rest they use no quota
		{Name: "five keys fill the peer, calling", Kind: kind, Args: []string{"--max-particles", "4000"}, Lasts: 6 * time.Second,
			Reasons: []string{"refused/particles", "ended/displaced", "refused/rate"},
			Attack:  particles(6000, 5, day, func(int) string { return `(call "HOST_PEER" ("peer" "timeout") [80000000 "x"])` })},
		{Name: "40,000 particles of five keys", Kind: kind, Args: []string{"--max-particles", "40000"}, Lasts: 30 * time.Second, Calm: 30 * time.Second,
			Attack: manyParticles(5, 12_000, day)},
		{Name: "500 keys over one connection", Kind: kind, Lasts: 8 * time.Second,
			Attack: forwarded(500, 20)},
		{Name: "a forwarder with one bad client of many", Kind: kind, Lasts: 8 * time.Second, Args: []string{"--max-particles", "4000"},
			Attack: badClient},
		{Name: "200 connections of one address", Kind: kind, Lasts: 8 * time.Second,
			Attack: particles(2000, 200, 10*time.Second, func(int) string { return `(call "HOST_PEER" ("op" "noop") [])` })},
		{Name: "16 connections of one key", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				for range 16 {
					s, err := a.Stranger(ctx, "twin")
					if err != nil {
						return nil
					}
					if err := send(ctx, s, times16(func() []byte { return frame(s, "(null)", time.Minute) })...); err != nil {
						return nil // libp2p may close the older connection of a key
					}
				}
				return nil
			}},
		{Name: "good particles", Kind: kind, Reasons: []string{"refused/particles", "refused/rate", "stepped/"},
			Attack: flood(4, prepared(10_000, func(_ *Arena, s *load.Stranger, _ int) []byte { return frame(s, "(null)", 10*time.Second) }))},
		{Name: "good particles, a stream each", Kind: kind,
			Attack: particles(20_000, 2, 10*time.Second, func(int) string { return "(null)" })},
		{Name: "TTLs of a millisecond", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "mayfly")
				if err != nil {
					return err
				}
				return stream(ctx, s, func(i int) []byte {
					return frame(s, a.Script(`(call "HOST_PEER" ("peer" "timeout") [50 "x"] r)`), time.Duration(1+i%40)*time.Millisecond)
				})
			}},
	}
}

func times16(f func() []byte) (all [][]byte) {
	for range 16 {
		all = append(all, f())
	}
	return all
}

// manyParticles sends n particles of each of some keys, over one stream for each.
func manyParticles(keys, n int, ttl time.Duration) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		errs := make(chan error, keys)
		for k := range keys {
			s, err := a.Stranger(ctx, fmt.Sprint("fills ", k))
			if err != nil {
				return err
			}
			go func() {
				errs <- stream(ctx, s, func(i int) []byte {
					if i == n {
						return nil
					}
					return frame(s, "(null)", ttl)
				})
			}()
		}
		for range keys {
			if err := <-errs; err != nil {
				return err
			}
		}
		return nil
	}
}

// forwarded sends particles of many init peers over one connection, as a peer does that forwards.
func forwarded(keys, each int) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		s, err := a.Stranger(ctx, "forwards")
		if err != nil {
			return err
		}
		var frames [][]byte
		for k := range keys {
			key := keyOf(fmt.Sprint("client ", k))
			for range each {
				frames = append(frames, wire.Frame(particle.New(key, a.Script(`(call "HOST_PEER" ("op" "identity") ["x"] r)`), 10*time.Second, time.Now())))
			}
		}
		return stream(ctx, s, func(i int) []byte {
			if i == len(frames) {
				return nil
			}
			return frames[i]
		})
	}
}

// badClient is a peer that forwards for many clients, of which one floods. What the good ones asked
// for has to be answered.
func badClient(ctx context.Context, a *Arena) error {
	s, err := a.Stranger(ctx, "forwards")
	if err != nil {
		return err
	}
	bad := keyOf("bad client")
	script := a.Script(`(call "HOST_PEER" ("op" "noop") [])`)
	flooding, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- stream(flooding, s, func(int) []byte { return wire.Frame(particle.New(bad, script, day, time.Now())) })
	}()
	defer func() { stop(); <-done }()
	const good = 40
	answer := `(seq (call "HOST_PEER" ("op" "identity") ["x"] r) (call "` + particleID(s) + `" ("a" "b") [r]))`
	for k := range good {
		key := keyOf(fmt.Sprint("good client ", k))
		if err := send(ctx, s, wire.Frame(particle.New(key, a.Script(answer), 10*time.Second, time.Now()))); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	for end := time.Now().Add(5 * time.Second); a.Answers.Load() < good; time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%d of %d particles of good clients of a forwarder were answered", a.Answers.Load(), good)
		}
	}
	return nil
}
