package airgen

import (
	"context"
	"fmt"

	"github.com/aquanode/aquanode/interpreter/simulate"
)

// Recording is a case with what the reference answered to its events, so that it can be
// replayed where the reference is not at hand.
type Recording struct {
	Case
	Answers []Answer `json:"answers"`
}

// Record runs a case in the reference alone.
func (e Engines) Record(ctx context.Context, c *Case) (*Recording, error) {
	r := &Recording{Case: *c}
	r.Mixed = false
	s := newSession(&r.Case, e.New()[:1], e.Foreign)
	for _, ev := range c.Events {
		a, _, _, err := s.step(ctx, ev)
		if err != nil {
			return nil, err
		}
		r.Answers = append(r.Answers, *a)
	}
	return r, nil
}

// Replay holds engines against what was recorded.
func (r *Recording) Replay(ctx context.Context, engines []Engine) (*Failure, error) {
	e := Engines{Foreign: true, New: func() []Engine {
		return append([]Engine{&playback{answers: r.Answers}}, engines...)
	}}
	return e.Replay(ctx, &r.Case)
}

// playback is an engine that gives recorded answers in their order.
type playback struct{ answers []Answer }

func (*playback) Name() string { return "recording" }

func (p *playback) Step(context.Context, *simulate.Request, [][]byte) (*Answer, error) {
	if len(p.answers) == 0 {
		return nil, fmt.Errorf("the recording has no further answer")
	}
	a := p.answers[0]
	p.answers = p.answers[1:]
	return &a, nil
}
