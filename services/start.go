package services

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	logging "github.com/ipfs/go-log/v2"

	"github.com/aquanode/aquanode/interpreter/value"
)

var log = logging.Logger("services")

// Grace is how long a call may go on after its context has ended. Then it is given up.
const Grace = time.Second

// A Starter is a Handler that need not block. It is asked first, by the goroutine that starts
// the call, unless the service has a queue.
type Starter interface {
	Handler
	// Start answers the call at once or later: it calls done once, before it returns or not
	// after ctx has ended, and returns true. It returns false, without calling done, when the
	// call has to block; Call is then run on a goroutine. Start itself must not block.
	Start(ctx context.Context, c *Call, done func(value.Value, error)) bool
}

// Start takes the call's place in the queue of its service and returns. The context ends at the
// particle's deadline. done is called once, at the latest [Grace] after the end of the context;
// by any goroutine, and before Start returns if the call needs no waiting. It must not block.
func (r *Registry) Start(ctx context.Context, c *Call, done func(Result)) {
	j := &job{registry: r, ctx: ctx, call: c, service: r.resolve(c), done: done, came: time.Now()}
	switch {
	case j.service == nil && c.Closure == nil:
		j.finish(NotFound, nil, Errorf("Service with id '%s' not found (function %s)", Cut(c.Service), Cut(c.Function)))
	case r.closed.Load():
		j.finish(Refused, nil, ErrClosed)
	case j.service != nil && j.service.queue != nil:
		j.service.queue.enter(j)
	case j.service != nil && j.service.stuck.Load() >= maxStuckConcurrent:
		j.finish(Refused, nil, j.errStuck())
	case !j.startHandler():
		r.ends.watch(ctx, j, &j.watch)
		go j.run()
	}
}

// Invoke answers a call.
func (r *Registry) Invoke(ctx context.Context, c *Call) Result {
	return r.Enqueue(ctx, c)()
}

// Enqueue starts a call and returns the function that waits for the answer.
func (r *Registry) Enqueue(ctx context.Context, c *Call) func() Result {
	answer := make(chan Result, 1)
	r.Start(ctx, c, func(result Result) { answer <- result })
	return func() Result { return <-answer }
}

// A job is one call on its way.
type job struct {
	registry *Registry
	ctx      context.Context
	call     *Call
	service  *instance // nil: not found, or the call's closure
	done     func(Result)
	came     time.Time

	watch    watch
	answered atomic.Bool

	mu      sync.Mutex
	started time.Time
	grace   *alarm

	// Of the queue, under its lock.
	prev, next *job
	waiting    bool
	behind     int // calls ahead of it when it came

	returned bool // by the handler, after the call was given up; under registry.stuckMu
}

// startHandler starts the call if its handler need not block.
func (j *job) startHandler() (begun bool) {
	s, ok := j.handler().(Starter)
	if !ok {
		return false
	}
	if j.ctx.Err() != nil {
		return j.notStarted()
	}
	j.begin()
	defer func() {
		if p := recover(); p != nil {
			if j.answered.Load() {
				panic(p) // not the handler's, but that of done
			}
			begun = true
			j.finish(Panicked, nil, j.errPanic(p))
		}
	}()
	return s.Start(j.ctx, j.call, func(v value.Value, err error) { j.answer(v, err) })
}

func (j *job) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.started = time.Now()
}

// run calls the handler. Its answer does not count if the call was given up meanwhile.
func (j *job) run() {
	if j.ctx.Err() != nil {
		j.notStarted()
		return
	}
	j.begin()
	v, panicked, err := j.callHandler()
	ok := false
	if panicked {
		ok = j.finish(Panicked, nil, err)
	} else {
		ok = j.answer(v, err)
	}
	if !ok {
		j.registry.returned(j)
	}
}

func (j *job) notStarted() bool {
	return j.finish(Expired, nil, Errorf("Function '%s' of service '%s' was not started: %s has passed",
		Cut(j.call.Function), Cut(j.call.Service), endOf(j.ctx.Err())))
}

// answer ends the call with what the handler returned.
func (j *job) answer(v value.Value, err error) bool {
	ended := j.ctx.Err()
	switch {
	case err == nil:
		return j.finish(Done, &v, nil)
	case ended != nil && errors.Is(err, ended):
		return j.finish(Stopped, nil, Errorf("Service '%s' was stopped in function '%s' at %s, after %s",
			Cut(j.call.Service), Cut(j.call.Function), endOf(ended), sinceMs(j.startedAt())))
	}
	return j.finish(Failed, nil, err)
}

func (j *job) startedAt() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.started
}

func (j *job) handler() Handler {
	if j.service != nil {
		return j.service.handler
	}
	return j.call.Closure
}

func (j *job) callHandler() (v value.Value, panicked bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			panicked, err = true, j.errPanic(p)
		}
	}()
	v, err = j.handler().Call(j.ctx, j.call)
	return v, false, err
}

func (j *job) errPanic(p any) error {
	c, text := j.call, Cut(fmt.Sprint(p))
	log.Errorw("service panicked", "service", Cut(c.Service), "function", Cut(c.Function),
		"particle", Cut(c.ParticleID), "panic", text, "stack", string(debug.Stack()))
	return Errorf("Service '%s' panicked in function '%s': %s", Cut(c.Service), Cut(c.Function), text)
}

// ended is called when the context has ended.
func (j *job) ended() {
	if j.service != nil && j.service.queue != nil && j.service.queue.remove(j) {
		j.finishBusy()
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.answered.Load() {
		j.grace = j.registry.clock.set(time.Now().Add(Grace), func(error) { j.giveUp() })
	}
}

func (j *job) finishBusy() {
	const text = "Function '%s' of service '%s' was not started before %s: it waited %s behind %d calls"
	j.finish(Expired, nil, Errorf(text, Cut(j.call.Function), Cut(j.call.Service),
		endOf(j.ctx.Err()), sinceMs(j.came), j.behind))
}

// finish ends the call with a value or else an error. It reports false if it had ended before.
func (j *job) finish(how Outcome, v *value.Value, err error) bool {
	if !j.answered.CompareAndSwap(false, true) {
		return false
	}
	j.registry.ends.forget(&j.watch)
	j.mu.Lock()
	started := j.started
	if j.grace != nil {
		j.registry.clock.cancel(j.grace)
	}
	j.mu.Unlock()
	j.observe(how, started, err)
	if v != nil {
		j.done(Result{Result: v.Text()})
	} else {
		j.done(errorResult(err))
	}
	return true
}

func (j *job) observe(how Outcome, started time.Time, err error) {
	o := Observation{Call: j.call, Outcome: how}
	if started.IsZero() {
		o.Wait = time.Since(j.came)
	} else {
		o.Wait, o.Time = started.Sub(j.came), time.Since(started)
	}
	if err != nil {
		o.Reason = cut(err.Error(), maxReason)
	}
	if s := j.service; s != nil {
		o.Service, o.Kind = s.info.ID, s.info.Kind
		o.Alias, _ = s.alias.Load().(string)
		s.counters.record(o, s.knows(j.call.Function))
	}
	if observe := j.registry.config.Observe; observe != nil {
		observe(o)
	}
}

func errorResult(err error) Result {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{}
	}
	return e.result(cut(err.Error(), maxMessage))
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
