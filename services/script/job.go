package script

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/dop251/goja"

	"github.com/aquanode/aquanode/services"
)

// A job is one use of a machine: the loading of its file, or a call.
type job struct {
	machine *machine
	ctx     context.Context
	call    *services.Call // nil while loading
	info    goja.Value     // the global "call", made when it is first looked at
	timers  timers

	// The context's end and the memory watch interrupt from other goroutines; they must not
	// hit the job after this one.
	mu    sync.Mutex
	ended bool
	watch *time.Timer
	base  uint64 // bytes of heap after the first 20 ms
}

// during runs f as a job that ends with the context. Everything that looks at objects of the
// script belongs in there: a getter, a toString or a proxy may throw, or loop.
func (m *machine) during(ctx context.Context, c *services.Call, f func(*job) error) error {
	j := &job{machine: m, ctx: ctx, call: c}
	m.job = j
	stop := context.AfterFunc(ctx, func() { j.interrupt(ctx.Err()) })
	j.watchMemory()
	defer func() {
		stop()
		j.end()
		m.job = nil
		m.rt.ClearInterrupt()
	}()
	return m.try(func() error { return f(j) })
}

// try makes errors of what a script throws at the runtime's Go functions, and of its interrupts.
func (m *machine) try(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *goja.InterruptedError:
			err = p
		case *goja.StackOverflowError:
			err = p
		default:
			panic(p)
		}
	}()
	if ex := m.rt.Try(func() { err = f() }); ex != nil {
		return ex
	}
	return err
}

func (j *job) interrupt(cause error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.machine.rt.Interrupt(cause)
	}
}

func (j *job) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	j.watch.Stop()
}

// maxGrowth of the live heap ends a job. The heap is that of the process, so others may be to
// blame, or be ended too; it is a guard against the worst.
const maxGrowth = 512 << 20

// Reading the size of the heap takes 1 us. A garbage collection, which tells live from dead,
// is run only when the growth is suspicious.
const (
	watchEvery   = 20 * time.Millisecond
	watchAfterGC = 500 * time.Millisecond
)

func (j *job) watchMemory() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watch = time.AfterFunc(watchEvery, j.checkMemory)
}

var errGrew = errors.New("the call was ended: memory grew")

func (j *job) checkMemory() {
	next := watchEvery
	if j.base == 0 {
		j.base = heapBytes()
	} else if heapBytes() > j.base+j.machine.growth {
		runtime.GC()
		if heapBytes() > j.base+j.machine.growth {
			j.interrupt(fmt.Errorf("%w by more than %d MiB", errGrew, j.machine.growth>>20))
			return
		}
		next = watchAfterGC
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended {
		j.watch.Reset(next)
	}
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// wait waits, and at the end of the job's context interrupts the code that waits.
func (j *job) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-j.ctx.Done():
		j.interrupt(j.ctx.Err())
		return j.ctx.Err()
	}
}

// timers are the callbacks of setTimeout and setInterval that are due, by id.
type timers struct {
	last    int64 // number of the last timer set; an id is the number of the first setting
	pending map[int64]*timer
}

type timer struct {
	id, number int64 // of equal times the lower number is first
	due        time.Time
	interval   time.Duration // 0 for setTimeout
	run        func() error
}

// add sets a timer.
func (t *timers) add(after, interval time.Duration, run func() error) int64 {
	x := &timer{id: t.last + 1, interval: interval, run: run}
	if t.pending == nil {
		t.pending = map[int64]*timer{}
	}
	t.pending[x.id] = x
	t.set(x, after)
	return x.id
}

func (t *timers) set(x *timer, after time.Duration) {
	t.last++
	x.number, x.due = t.last, time.Now().Add(after)
}

func (t *timers) next() *timer {
	var first *timer
	for _, x := range t.pending {
		if first == nil || x.due.Before(first.due) || x.due.Equal(first.due) && x.number < first.number {
			first = x
		}
	}
	return first
}

var errNeverSettles = errors.New("the promise is never settled: nothing is left to wait for")

// runNextTimer waits for the first timer and runs it.
func (j *job) runNextTimer() error {
	t := j.timers.next()
	if t == nil {
		return errNeverSettles
	}
	if err := j.wait(time.Until(t.due)); err != nil {
		return err
	}
	if t.interval > 0 {
		j.timers.set(t, t.interval)
	} else {
		delete(j.timers.pending, t.id)
	}
	return t.run()
}
