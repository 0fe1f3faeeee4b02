package services

import "sync"

// A queue lets one call use an instance at a time, first come, first served. A waiting call is
// an entry of a list and has no goroutine; the running one has.
type queue struct {
	limit int

	mu          sync.Mutex
	running     *job // nil: idle
	blocked     bool // running was given up, and nothing can take its place
	first, last *job
	waiting     int
}

// enter takes the next place, or ends the call.
func (q *queue) enter(j *job) {
	j.registry.ends.watch(j.ctx, j, &j.watch)
	q.mu.Lock()
	switch {
	case q.blocked:
		q.mu.Unlock()
		j.finish(Refused, nil, j.errStuck())
	case q.running == nil:
		q.running = j
		q.mu.Unlock()
		go q.work(j)
	case j.ctx.Err() != nil:
		j.behind = q.waiting + 1
		q.mu.Unlock()
		j.finishBusy()
	case q.waiting >= q.limit:
		q.mu.Unlock()
		j.finish(Refused, nil, Errorf("Service '%s' is overloaded: %d calls are waiting, function '%s' is refused",
			Cut(j.call.Service), q.limit, Cut(j.call.Function)))
	default:
		q.push(j)
		q.mu.Unlock()
		if j.ctx.Err() != nil && q.remove(j) { // it ended before the call was in the list
			j.finishBusy()
		}
	}
}

// work runs a call and those that wait behind it.
func (q *queue) work(j *job) {
	for ; j != nil; j = q.leave(j) {
		j.run()
	}
}

// leave ends the turn of a call and returns the one whose turn it is. A call that was given up
// has lost its turn before.
func (q *queue) leave(j *job) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running != j {
		return nil
	}
	q.blocked = false
	q.running = q.first
	if q.running != nil {
		q.unlink(q.running)
	}
	return q.running
}

// remove takes a waiting call out and reports whether it was waiting.
func (q *queue) remove(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !j.waiting {
		return false
	}
	q.unlink(j)
	return true
}

// block refuses calls as long as j is running, and returns those that were waiting.
func (q *queue) block(j *job) []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running != j {
		return nil
	}
	q.blocked = true
	return q.drain()
}

// drain takes all waiting calls out; q.mu is held.
func (q *queue) drain() (all []*job) {
	for q.first != nil {
		all = append(all, q.first)
		q.unlink(q.first)
	}
	return all
}

func (q *queue) push(j *job) {
	q.waiting++
	j.waiting, j.behind = true, q.waiting
	j.prev = q.last
	if q.last != nil {
		q.last.next = j
	} else {
		q.first = j
	}
	q.last = j
}

func (q *queue) unlink(j *job) {
	if j.prev != nil {
		j.prev.next = j.next
	} else {
		q.first = j.next
	}
	if j.next != nil {
		j.next.prev = j.prev
	} else {
		q.last = j.prev
	}
	j.prev, j.next, j.waiting = nil, nil, false
	q.waiting--
}

// length is the number of waiting calls.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
