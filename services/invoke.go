package services

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter/value"
)

var log = logging.Logger("services")

// Invoke answers a call. The context ends at the particle's deadline.
func (r *Registry) Invoke(ctx context.Context, c *Call) Result {
	return r.Enqueue(ctx, c)()
}

// Enqueue takes the call's place in the queue of its service and returns the function that
// waits for the turn and answers the call. That function must be called exactly once, by any
// goroutine: until then the place is held.
func (r *Registry) Enqueue(ctx context.Context, c *Call) func() Result {
	job := &job{registry: r, call: c, service: r.resolve(c), came: time.Now()}
	switch {
	case job.service == nil && c.Closure == nil:
		return func() Result {
			return job.end(NotFound, nil, Errorf("Service with id '%s' not found (function %s)", c.Service, c.Function))
		}
	case job.service == nil || job.service.queue == nil:
		return func() Result { return job.run(ctx) }
	}
	return job.enqueue(ctx)
}

// A job is one call on its way.
type job struct {
	registry *Registry
	call     *Call
	service  *instance // nil: not found, or the call's closure
	came     time.Time
	started  time.Time
}

func (j *job) enqueue(ctx context.Context) func() Result {
	q, c := j.service.queue, j.call
	place, err := q.enter()
	if err != nil {
		return func() Result {
			return j.end(Refused, nil, Errorf("Service '%s' is overloaded: %d calls are waiting, function '%s' is refused",
				c.Service, q.limit, c.Function))
		}
	}
	return func() Result {
		if err := q.wait(ctx, place); err != nil {
			return j.end(Expired, nil, Errorf("Service '%s' was busy until %s: function '%s' waited %s behind %d calls",
				c.Service, endOf(err), c.Function, sinceMs(j.came), place.behind))
		}
		defer q.leave()
		return j.run(ctx)
	}
}

// run calls the handler.
func (j *job) run(ctx context.Context) Result {
	c := j.call
	if err := ctx.Err(); err != nil {
		return j.end(Expired, nil, Errorf("Function '%s' of service '%s' was not started: %s has passed", c.Function, c.Service, endOf(err)))
	}
	j.started = time.Now()
	v, panicked, err := j.callHandler(ctx)
	switch {
	case err == nil:
		return j.end(Done, &v, nil)
	case panicked:
		return j.end(Panicked, nil, err)
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return j.end(Stopped, nil, Errorf("Service '%s' was stopped in function '%s' at %s, after %s",
			c.Service, c.Function, endOf(ctx.Err()), sinceMs(j.started)))
	}
	return j.end(Failed, nil, err)
}

func (j *job) callHandler(ctx context.Context) (v value.Value, panicked bool, err error) {
	c := j.call
	defer func() {
		if p := recover(); p != nil {
			log.Errorw("service panicked", "service", c.Service, "function", c.Function,
				"particle", c.ParticleID, "panic", p, "stack", string(debug.Stack()))
			panicked, err = true, Errorf("Service '%s' broke in function '%s': %v", c.Service, c.Function, p)
		}
	}()
	h := c.Closure
	if j.service != nil {
		h = j.service.handler
	}
	v, err = h.Call(ctx, c)
	return v, false, err
}

// end books the call and makes the result of a value, or else of an error.
func (j *job) end(how Outcome, v *value.Value, err error) Result {
	o := Observation{Call: j.call, Outcome: how}
	if j.started.IsZero() {
		o.Wait = time.Since(j.came)
	} else {
		o.Wait, o.Time = j.started.Sub(j.came), time.Since(j.started)
	}
	if err != nil {
		o.Reason = err.Error()
	}
	if s := j.service; s != nil {
		o.Service, o.Kind = s.info.ID, s.info.Kind
		o.Alias, _ = s.alias.Load().(string)
		s.counters.record(o, s.knows(j.call.Function))
	}
	if observe := j.registry.config.Observe; observe != nil {
		observe(o)
	}
	if v != nil {
		return Result{Result: v.Text()}
	}
	return errorResult(err)
}

func errorResult(err error) Result {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{}
	}
	return e.result(err.Error())
}

// endOf names the end of a context.
func endOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the particle's deadline"
	}
	return "the end of the particle"
}

func sinceMs(t time.Time) string {
	return fmt.Sprint(time.Since(t).Round(time.Millisecond))
}
