package services

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// An Outcome says how a call ended.
type Outcome string

// The outcomes of a call.
const (
	Done     Outcome = "done"     // the handler gave a value
	Failed   Outcome = "failed"   // the handler gave an error
	Panicked Outcome = "panicked" // the handler panicked
	Stopped  Outcome = "stopped"  // the context ended while the handler ran
	Expired  Outcome = "expired"  // the context ended while the call waited for its turn
	GivenUp  Outcome = "givenUp"  // the handler did not return when the context had ended
	Refused  Outcome = "refused"  // the queue was full, or the service is stuck
	NotFound Outcome = "notFound" // no such service
)

// An Observation is one finished call, for metrics and the journal.
type Observation struct {
	Call    *Call
	Service string // id of the service that answered; empty when none was found
	Kind    Kind
	Alias   string // its first, if it has any
	Outcome Outcome
	Reason  string        // error text of a call that is not Done, cut to 1000 bytes
	Wait    time.Duration // for the instance
	Time    time.Duration // in the handler
}

// Stats are the counters of one service since its registration.
type Stats struct {
	Scope, ID string
	Kind      Kind
	Calls     uint64 // calls that reached the handler
	Failures  uint64 // of these: Failed, Panicked, Stopped, GivenUp
	Panics    uint64
	Stopped   uint64
	GivenUp   uint64
	Stuck     int    // of the given up, those that still run
	Expired   uint64 // never reached the handler
	Refused   uint64 // never reached the handler
	Queue     int    // calls waiting now
	WaitTime  time.Duration
	CallTime  time.Duration
}

// FunctionStats are the counters of one function of a service, as the built-in function
// stat.service_stat reports them.
type FunctionStats struct {
	Name             string // empty for the whole service
	Success, Failure uint64
	Total            time.Duration // of the successful calls
	Times            []time.Duration
	Timestamps       []uint64 // of the particles that called
}

// Times and Timestamps keep the last 5 calls. UnknownFunction gathers the calls of functions
// that the service does not list or, without a list, long names and those after the first
// maxFunctions: callers choose names, so their number and length need bounds.
const (
	seriesLength    = 5
	maxFunctions    = 256
	UnknownFunction = "<unknown>"
)

// counters belong to one instance.
type counters struct {
	mu        sync.Mutex
	stats     Stats
	total     FunctionStats
	functions map[string]*FunctionStats
}

func (c *counters) record(o Observation, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.stats
	s.WaitTime += o.Wait
	switch o.Outcome {
	case Expired:
		s.Expired++
		return
	case Refused:
		s.Refused++
		return
	case Panicked:
		s.Panics++
	case Stopped:
		s.Stopped++
	case GivenUp:
		s.GivenUp++
	}
	s.Calls++
	s.CallTime += o.Time
	if o.Outcome != Done {
		s.Failures++
	}
	c.total.add(o)
	c.function(o.Call.Function, known).add(o)
}

func (c *counters) function(name string, known bool) *FunctionStats {
	f := c.functions[name]
	if f == nil && (!known || len(name) > maxShown || len(c.functions) >= maxFunctions) {
		name = UnknownFunction
		f = c.functions[name]
	}
	if f == nil {
		name = strings.Clone(name) // a piece of a script keeps all of it
		f = &FunctionStats{Name: name}
		c.functions[name] = f
	}
	return f
}

func (f *FunctionStats) add(o Observation) {
	f.Timestamps = appendLast(f.Timestamps, o.Call.Timestamp)
	if o.Outcome != Done {
		f.Failure++
		return
	}
	f.Success++
	f.Total += o.Time
	f.Times = appendLast(f.Times, o.Time)
}

// appendLast appends and keeps the last seriesLength elements.
func appendLast[T any](s []T, x T) []T {
	if len(s) == seriesLength {
		s = slices.Delete(s, 0, 1)
	}
	return append(s, x)
}

func (f *FunctionStats) clone() FunctionStats {
	c := *f
	c.Times = slices.Clone(f.Times)
	c.Timestamps = slices.Clone(f.Timestamps)
	return c
}
