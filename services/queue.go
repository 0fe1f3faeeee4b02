package services

import (
	"context"
	"errors"
	"slices"
	"sync"
)

var errQueueFull = errors.New("queue is full")

// A queue gives one instance to one call at a time, first come, first served. It is a mutex
// whose waiters stand in line, are counted, and may give up.
type queue struct {
	limit int

	mu      sync.Mutex
	busy    bool
	waiting []*place
}

// A place is a call's position in the queue; turn is closed when the instance is its own.
type place struct {
	turn   chan struct{}
	behind int // calls ahead of it when it came
}

// enter takes the next place.
func (q *queue) enter() (*place, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &place{turn: make(chan struct{})}
	if !q.busy {
		q.busy = true
		close(p.turn)
		return p, nil
	}
	if len(q.waiting) >= q.limit {
		return nil, errQueueFull
	}
	p.behind = len(q.waiting) + 1
	q.waiting = append(q.waiting, p)
	return p, nil
}

// wait returns nil when the instance belongs to the caller, who then must call leave.
func (q *queue) wait(ctx context.Context, p *place) error {
	if ctx.Err() == nil {
		select {
		case <-p.turn:
			return nil
		case <-ctx.Done():
		}
	}
	q.giveUp(p)
	return ctx.Err()
}

// giveUp drops a place; a turn that was granted meanwhile goes to the next.
func (q *queue) giveUp(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, p); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	q.next()
}

// leave ends the caller's turn.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next()
}

// next passes the instance on; q.mu is held.
func (q *queue) next() {
	if len(q.waiting) == 0 {
		q.busy = false
		return
	}
	p := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	close(p.turn)
}

// length is the number of waiting calls.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
