package services

import (
	"cmp"
	"slices"
	"time"
)

// A Renewer is a Handler that can go on beside a call that does not return. Renew is called when
// such a call was given up: further calls must not touch what that one uses.
type Renewer interface {
	Handler
	Renew()
}

// How many calls that were given up a service may have before it answers errors until one of
// them returns. Each of them may take a core for ever. Of a service with a queue that is no
// [Renewer], one call is enough.
const (
	maxStuck           = 3
	maxStuckConcurrent = 64
)

// A StuckCall is a call that did not end within [Grace] of the end of its context, was given up,
// and still runs.
type StuckCall struct {
	Scope, Service, Function string // the service by its id; names are cut
	ParticleID, InitPeerID   string
	Since                    time.Time // when it began to run
}

// Stuck lists the calls that were given up and still run, the oldest first.
func (r *Registry) Stuck() []StuckCall {
	r.stuckMu.Lock()
	defer r.stuckMu.Unlock()
	list := make([]StuckCall, 0, len(r.stuckCalls))
	for _, s := range r.stuckCalls {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b StuckCall) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ParticleID, b.ParticleID))
	})
	return list
}

// giveUp answers a call whose handler does not return, and stops waiting for it.
func (j *job) giveUp() {
	if j.answered.Load() || !j.noteStuck() {
		return
	}
	c := j.call
	if !j.finish(GivenUp, nil, Errorf("Service '%s' did not stop function '%s' within %v of %s: the call was given up",
		Cut(c.Service), Cut(c.Function), Grace, endOf(j.ctx.Err()))) {
		j.registry.returned(j) // it has ended just now
		return
	}
	log.Errorw("a call does not end and was given up", "service", Cut(c.Service), "function", Cut(c.Function),
		"particle", Cut(c.ParticleID), "init_peer", Cut(c.InitPeerID))
	if s := j.service; s != nil && s.queue != nil {
		s.passOn(j)
	}
}

// noteStuck enters the call into the list, unless its handler has returned.
func (j *job) noteStuck() bool {
	r, started := j.registry, j.startedAt()
	r.stuckMu.Lock()
	defer r.stuckMu.Unlock()
	if j.returned {
		return false
	}
	c := j.call
	call := StuckCall{Scope: c.HostPeerID, Service: Cut(c.Service), Function: Cut(c.Function),
		ParticleID: Cut(c.ParticleID), InitPeerID: Cut(c.InitPeerID), Since: started}
	if s := j.service; s != nil {
		call.Scope, call.Service = s.info.Scope, s.info.ID
		s.stuck.Add(1)
	}
	if r.stuckCalls == nil {
		r.stuckCalls = map[*job]StuckCall{}
	}
	r.stuckCalls[j] = call
	return true
}

// passOn lets the next call run in place of one that was given up, or refuses all.
func (s *instance) passOn(j *job) {
	h, ok := s.handler.(Renewer)
	if ok && s.stuck.Load() < maxStuck {
		h.Renew()
		if next := s.queue.leave(j); next != nil {
			go s.queue.work(next)
		}
		return
	}
	for _, waiting := range s.queue.block(j) {
		waiting.finish(Refused, nil, waiting.errStuck())
	}
}

// returned records that a call returned after it was given up.
func (r *Registry) returned(j *job) {
	r.stuckMu.Lock()
	_, listed := r.stuckCalls[j]
	delete(r.stuckCalls, j)
	j.returned = true
	r.stuckMu.Unlock()
	s := j.service
	if !listed || s == nil {
		return
	}
	s.stuck.Add(-1)
	if h, ok := s.handler.(Renewer); ok && s.queue != nil {
		s.queue.renewBlocked(h)
	}
}

// renewBlocked lets calls in again when there is room for a fresh instance.
func (q *queue) renewBlocked(h Renewer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.blocked {
		h.Renew()
		q.blocked, q.running = false, nil
	}
}

func (j *job) errStuck() error {
	return Errorf("Service '%s' is stuck: %d calls did not end at their deadlines, function '%s' is refused",
		Cut(j.call.Service), j.service.stuck.Load(), Cut(j.call.Function))
}

// Close refuses all further calls, ends those that wait, and gives up those whose context has
// ended. Others go on until they or their contexts end. It does not wait.
func (r *Registry) Close() {
	r.closed.Store(true)
	r.clock.close()
	for _, q := range r.queues() {
		q.mu.Lock()
		waiting := q.drain()
		q.mu.Unlock()
		for _, j := range waiting {
			j.finish(Refused, nil, ErrClosed)
		}
	}
}

func (r *Registry) queues() (all []*queue) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, sc := range r.scopes {
		for _, s := range sc.services {
			if s.queue != nil {
				all = append(all, s.queue)
			}
		}
	}
	return all
}
