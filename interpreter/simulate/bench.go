package simulate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/interpreter/fault"
)

// Timing says how long a request took.
type Timing struct {
	Name     string  `json:"name"`
	RetCode  int64   `json:"retCode"`
	MedianMS float64 `json:"median_ms"`
	MinMS    float64 `json:"min_ms"`
	Runs     int     `json:"runs"`
	Allocs   uint64  `json:"allocs"` // per run
	Bytes    uint64  `json:"bytes"`  // allocated per run
}

const (
	fewestRuns = 5
	mostRuns   = 3000
)

// meter collects the runs of one request.
type meter struct {
	times         []time.Duration
	spent         time.Duration
	code          int64
	allocs, bytes uint64
}

func (m *meter) enough(budget time.Duration) bool {
	n := len(m.times)
	return n >= mostRuns || n >= fewestRuns && m.spent >= budget
}

func (m *meter) run(do func() int64) {
	start := time.Now()
	m.code = do()
	took := time.Since(start)
	m.times = append(m.times, took)
	m.spent += took
}

// weigh counts allocations in a run of its own, since reading the counters takes longer than
// many a run.
func (m *meter) weigh(do func() int64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	m.allocs, m.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
}

func (m *meter) timing(name string) Timing {
	slices.Sort(m.times)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	return Timing{
		Name: name, RetCode: m.code, Runs: len(m.times), Allocs: m.allocs, Bytes: m.bytes,
		MedianMS: ms(m.times[len(m.times)/2]), MinMS: ms(m.times[0]),
	}
}

// Bench times a request in the cold form, from the input bytes to the output bytes. Scripts that
// scripts holds are not resolved again; give nil to measure that too.
func Bench(ctx context.Context, r *Request, budget time.Duration,
	scripts *interpreter.Scripts) (Timing, error) {
	in, err := r.Input(scripts)
	if err != nil {
		return Timing{}, err
	}
	do := func() int64 {
		out, _ := interpreter.Run(ctx, in)
		return out.RetCode
	}
	var m meter
	do()
	for !m.enough(budget) && ctx.Err() == nil {
		m.run(do)
	}
	m.weigh(do)
	return m.timing(r.Name), ctx.Err()
}

// BenchRetained times requests that follow each other at one peer, stepping one state through them.
// A step whose outcome names next peers includes the encoding of the data for them.
func BenchRetained(ctx context.Context, rs []*Request, budget time.Duration,
	scripts *interpreter.Scripts) ([]Timing, error) {
	meters := make([]meter, len(rs))
	for pass := 0; ; pass++ {
		s, err := rs[0].open(scripts)
		if err != nil {
			return nil, err
		}
		for i, r := range rs {
			do, err := r.retained(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("request %s: %w", r.Name, err)
			}
			if pass == 0 {
				meters[i].weigh(do)
			} else {
				meters[i].run(do)
			}
		}
		done := !slices.ContainsFunc(meters, func(m meter) bool { return !m.enough(budget) })
		if done || pass > mostRuns || ctx.Err() != nil {
			break
		}
	}
	out := make([]Timing, len(rs))
	for i, r := range rs {
		out[i] = meters[i].timing(r.Name)
	}
	return out, ctx.Err()
}

func (r *Request) open(scripts *interpreter.Scripts) (*interpreter.State, error) {
	p := r.params(scripts)
	key, err := interpreter.SigningKey(r.KeyFormat, r.SecretKey)
	if err != nil {
		return nil, err
	}
	p.Key = key
	return interpreter.Open(r.Air, r.PrevData, p)
}

func (r *Request) retained(ctx context.Context, s *interpreter.State) (func() int64, error) {
	results, err := r.results()
	if err != nil {
		return nil, err
	}
	var arrivals [][]byte
	if len(r.CurrData) > 0 {
		arrivals = [][]byte{r.CurrData}
	}
	return func() int64 {
		out := s.Step(ctx, arrivals, results)
		if len(out.NextPeers) > 0 {
			if _, err := s.Data(); err != nil {
				return fault.CodeStopped
			}
		}
		return out.RetCode
	}, nil
}

// Follows reports whether a request is of the same particle at the same peer as another.
func (r *Request) Follows(before *Request) bool {
	return r.Air == before.Air && r.CurrentPeerID == before.CurrentPeerID &&
		r.ParticleID == before.ParticleID
}

// Through is the time in ms that a state takes for all steps of a peer, from its opening on.
func Through(ctx context.Context, rs []*Request) (ms float64, err error) {
	scripts := interpreter.NewScripts(1 << 30)
	start := time.Now()
	s, err := rs[0].open(scripts)
	ms += float64(time.Since(start)) / 1e6
	if err != nil {
		return 0, err
	}
	for _, r := range rs {
		do, err := r.retained(ctx, s)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		code := do()
		ms += float64(time.Since(start)) / 1e6
		if code != 0 {
			return 0, fmt.Errorf("request %s ended with code %d", r.Name, code)
		}
	}
	return ms, nil
}
