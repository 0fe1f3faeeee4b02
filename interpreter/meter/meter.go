// Package meter counts the work and the memory of a run while it lasts, so that its host can make
// it wait or end it.
package meter

import (
	"context"
	"fmt"
	"unsafe"
)

// A Meter is asked during a run. One goroutine at a time.
type Meter interface {
	// Work is told of units of work done since the last call. A unit is about 50 ns: one
	// instruction, 64 bytes decoded, hashed or encoded; a signature is 1000. It may wait: so a run
	// returns its slot and continues later. The run ends with the error that
	// it returns.
	Work(units int) error
	// Grow is asked before a run takes n more bytes; n < 0 returns bytes.
	Grow(n int64) error
}

// Units of work.
const (
	Byte      = 64   // bytes in a unit
	JSON      = 32   // bytes of JSON parsed, or searched, in a unit
	Signature = 1000 // units of a signature, made or verified
)

// batch is the units between two questions to the meter, 50 us. Of bytes it is asked when as many
// are taken as can be read in them.
const batch = 1000

// Stop is the error of a run that its meter or its context ended.
type Stop struct{ Err error }

func (s *Stop) Error() string { return fmt.Sprintf("execution was stopped: %v", s.Err) }

func (s *Stop) Unwrap() error { return s.Err }

// Counter adds up small amounts of work and asks a Meter about each thousand units. After the first
// error it returns only that, until the next Begin: loops may ignore it, and whoever called them
// looks at Err. A nil Counter counts nothing and never stops. Of one with a nil Meter, only the
// context does.
type Counter struct {
	meter   Meter
	ctx     context.Context
	pending int // units since the meter was asked
	most    int // units pending from which on it is asked: batch, or 0 once it has stopped
	batch   int
	owed    int64
	taken   int64 // bytes that the meter was told of since Begin
	units   int64 // ever, without pending
	bytes   int64 // ever, without owed
	err     error
}

// NewCounter makes a counter that asks m: after about 1000 units, or as many as its method Batch()
// int says, if it has one.
func NewCounter(m Meter) Counter {
	c := Counter{meter: m, batch: batch}
	if b, ok := m.(interface{ Batch() int }); ok {
		c.batch = b.Batch()
	}
	c.most = c.batch
	return c
}

// Begin starts a call of a run. It stops when ctx does; ctx may be nil.
func (c *Counter) Begin(ctx context.Context) { c.ctx, c.err, c.most = ctx, nil, c.batch }

// End returns all bytes that were taken since Begin.
func (c *Counter) End() {
	if c.taken > 0 {
		_ = c.meter.Grow(-c.taken)
	}
	c.bytes += c.owed
	c.ctx, c.taken, c.owed = nil, 0, 0
}

// Work counts units. It may wait.
func (c *Counter) Work(units int) error {
	if c == nil {
		return nil
	}
	if c.pending += units; c.pending < c.most {
		return nil
	}
	return c.ask()
}

// Bytes counts the work of reading or writing n bytes.
func (c *Counter) Bytes(n int) error { return c.Work(1 + n/Byte) }

func (c *Counter) ask() error {
	n := c.pending
	c.pending, c.units = 0, c.units+int64(n)
	if c.err == nil && c.ctx != nil && c.ctx.Err() != nil {
		c.stop(context.Cause(c.ctx))
	}
	if c.err == nil && c.meter != nil {
		c.stop(c.meter.Work(n))
	}
	return c.err
}

func (c *Counter) stop(err error) {
	if err != nil {
		c.err, c.most = &Stop{err}, 0
	}
}

// Grow counts bytes that are about to be taken.
func (c *Counter) Grow(n int) error {
	if c == nil {
		return nil
	}
	if c.owed += int64(n); c.owed < int64(c.batch)*Byte {
		return c.err
	}
	return c.askBytes()
}

func (c *Counter) askBytes() error {
	n := c.owed
	c.owed, c.bytes = 0, c.bytes+n
	if c.meter == nil || c.err != nil {
		return c.err
	}
	err := c.meter.Grow(n)
	if err == nil {
		c.taken += n
	}
	c.stop(err)
	return c.err
}

// Err is the error that stopped the run, or nil.
func (c *Counter) Err() error {
	if c == nil {
		return nil
	}
	return c.err
}

// Units is the number of units ever counted.
func (c *Counter) Units() int64 { return c.units + int64(c.pending) }

// Grown is the number of bytes ever counted.
func (c *Counter) Grown() int64 { return c.bytes + c.owed }

// SizeOf is the bytes of n things of a type, without what they refer to.
func SizeOf[T any](n int) int { return n * int(unsafe.Sizeof(*new(T))) }
