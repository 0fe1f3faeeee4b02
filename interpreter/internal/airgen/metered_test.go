package airgen

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// guest is a run that others let go first.
type guest struct {
	r        *simulate.Request
	arrivals [][]byte
	data     []byte // what it gives
}

// pauser is a meter that at every 40th question runs other particles to the end.
type pauser struct {
	t      *testing.T
	guests []guest
	next   int
	within bool
	pauses int
}

func (*pauser) Batch() int { return 3 }

func (*pauser) Grow(int64) error { return nil }

func (p *pauser) Work(int) error {
	p.pauses++
	if p.within || len(p.guests) == 0 || p.pauses%40 > 0 {
		return nil
	}
	p.within = true
	defer func() { p.within = false }()
	g := p.guests[p.next%len(p.guests)]
	p.next++
	for _, e := range []Engine{Cold{}, &Retained{Meter: p}} {
		a, err := e.Step(context.Background(), g.r, g.arrivals)
		if err != nil || !bytes.Equal(a.Data, g.data) {
			p.t.Errorf("a run while another waited gave other data: %v", err)
		}
	}
	return nil
}

// metered is an engine of which every run waits for others. Steps of particles before are what
// those are.
type metered struct {
	Engine
	*pauser
	run func(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error)
}

func (m *metered) Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	a, err := m.run(ctx, r, arrivals)
	if err != nil || m.within || severalRuns(r, arrivals) || len(m.guests) == 20 {
		return a, err
	}
	plain, err := Cold{}.Step(ctx, r, arrivals)
	if err == nil {
		q := *r
		m.guests = append(m.guests, guest{&q, arrivals, plain.Data})
	}
	return a, err
}

// coldMetered runs as Cold does, with a meter.
func coldMetered(p *pauser) func(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	return func(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
		return OneByOne(r, arrivals, func(r *simulate.Request) (*Answer, error) {
			in, err := r.Input(nil)
			if err != nil {
				return nil, err
			}
			in.Params.Meter = p
			out, b := interpreter.Run(ctx, in)
			return &Answer{Answer: simulate.Answer{
				RetCode: out.RetCode, ErrorMessage: out.ErrorMessage, NextPeerPks: out.NextPeers,
				CallRequests: callRequests(out.CallRequests), Data: b,
			}}, nil
		})
	}
}

// TestRunsThatWait lets all runs wait every few instructions, while other particles run: they give
// what they give without waiting.
func TestRunsThatWait(t *testing.T) {
	p := &pauser{t: t}
	engines := func() []Engine {
		retained, lazy := &Retained{Meter: p}, &Retained{Meter: p, Lazy: true}
		return []Engine{
			Cold{},
			&metered{Cold{}, p, coldMetered(p)},
			&metered{retained, p, retained.Step},
			lazy,
		}
	}
	campaign{engines: Engines{New: engines}, cases: 40, seed: 3_000_000}.run(t)
	if p.pauses < 2_000 || len(p.guests) < 20 {
		t.Errorf("runs were asked %d times, with %d others", p.pauses, len(p.guests))
	}
}

var errOver = errors.New("over the budget")

// breaker is a meter that stops at the question after left more.
type breaker struct{ left int }

func (*breaker) Batch() int { return 1 }

func (b *breaker) Grow(int64) error { return nil }

func (b *breaker) Work(int) error {
	if b.left == 0 {
		return errOver
	}
	b.left--
	return nil
}

const forever = 1 << 60

// broken is an engine whose steps are stopped somewhere a few times before they are done.
type broken struct {
	Retained
	t       *testing.T
	rng     *rand.Rand
	stopped *int
}

func (b *broken) Name() string { return b.Retained.Name() + ", stopped before" }

func (b *broken) Step(ctx context.Context, r *simulate.Request, arrivals [][]byte) (*Answer, error) {
	m := b.Meter.(*breaker)
	defer func() { m.left = forever }()
	results, err := callResults(r)
	if err != nil {
		return nil, err
	}
	in, err := r.Input(nil)
	if err != nil {
		return nil, err
	}
	m.left = forever
	s, err := b.state(r, in)
	if err != nil || severalRuns(r, arrivals) {
		return b.Retained.Step(ctx, r, arrivals)
	}
	for range 3 {
		m.left = b.rng.IntN(1 << b.rng.IntN(9))
		out := s.Step(ctx, arrivals, results)
		if out.Stopped == nil {
			m.left = forever
			return b.answer(r, s, out)
		}
		b.check(out, s, r)
	}
	m.left = forever
	return b.Retained.Step(ctx, r, arrivals)
}

// check sees that a state which was stopped is as before.
func (b *broken) check(out interpreter.Outcome, s *interpreter.State, r *simulate.Request) {
	*b.stopped++
	m := b.Meter.(*breaker)
	m.left = b.rng.IntN(20)
	if _, err := s.Data(); err != nil && !errors.Is(err, errOver) {
		b.t.Errorf("data failed with %v", err)
	}
	if !errors.Is(out.Stopped, errOver) || out.RetCode != fault.CodeStopped || len(out.NextPeers)+len(out.CallRequests) > 0 {
		b.t.Errorf("a run that was stopped with %v says %+v", errOver, out)
	}
	if m.left = forever; b.Lazy {
		return
	}
	if got, err := s.Data(); err != nil || !bytes.Equal(got, r.PrevData) {
		b.t.Errorf("the data changed in a run that was stopped: %v", err)
	}
}

// TestRunsThatAreStopped stops runs anywhere: that changes nothing.
func TestRunsThatAreStopped(t *testing.T) {
	stopped := 0
	rng := rand.New(rand.NewPCG(1, 2))
	engines := func() []Engine {
		b := func(lazy bool) *broken {
			return &broken{Retained{Meter: &breaker{forever}, Lazy: lazy}, t, rng, &stopped}
		}
		return []Engine{Cold{}, b(false), b(true)}
	}
	campaign{engines: Engines{New: engines}, cases: 100, seed: 4_000_000}.run(t)
	if stopped < 500 {
		t.Errorf("%d runs were stopped only", stopped)
	}
}
