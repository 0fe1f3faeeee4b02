package p2p

import (
	"fmt"
	"testing"
	"time"
)

// clock is a pace whose time passes as the test says. It has one core to give, a quarter of
// it to those with empty buckets.
func clock() (*pace, func(time.Duration)) {
	now := time.Unix(1000, 0)
	p := newPace()
	p.rate = 0.25
	p.now = func() time.Time { return now }
	return p, func(d time.Duration) { now = now.Add(d) }
}

// alone returns the sender of a remote that is alone in its range.
func (p *pace) alone(name string) *sender { return p.sender(Remote{name, "loopback/" + name}) }

func TestPaceAlone(t *testing.T) {
	p, _ := clock()
	a := p.alone("a")
	for range 10_000 {
		if wait := p.begin(a, true); wait != 0 {
			t.Fatalf("who is alone waits for %s", wait)
		}
		p.end(a)
	}
}

// Who only reads what it gets is no rival of who sends.
func TestPaceAnswersAreNoRivals(t *testing.T) {
	p, pass := clock()
	a, b := p.alone("a"), p.alone("b")
	for range 10_000 {
		p.passive(b, payEvery)
		if wait := p.begin(a, true); wait != 0 {
			t.Fatalf("waits for %s", wait)
		}
		p.end(a)
		pass(100 * time.Microsecond)
	}
}

func TestPaceDebt(t *testing.T) {
	p, pass := clock()
	a, b := p.alone("a"), p.alone("b")
	serve := func(a *sender, n int) (waited time.Duration) {
		for range n {
			waited = p.begin(a, true)
			p.end(a)
		}
		return waited
	}
	p.charge(b, 0)
	if wait := serve(a, int(paceBurst/frameCost)); wait != 0 {
		t.Errorf("the burst waits for %s", wait)
	}
	if want, got := 100*frameCost*4, serve(a, 100); got < want-8*frameCost || got > want {
		t.Errorf("100 frames beyond the burst: want to wait for about %s, got %s", want, got)
	}
	// A second one with an empty bucket gets half of the rate; one with tokens does not wait.
	serve(b, 1000)
	if p.empty != 2 {
		t.Errorf("want 2 empty buckets, got %d", p.empty)
	}
	pass(paceLag)
	serve(a, 300)
	serve(b, 300)
	p.charge(a, 0)
	before := p.charge(b, 0)
	if got, want := p.charge(b, frameCost)-before, 8*frameCost; got != want {
		t.Errorf("one more frame with two empty buckets: want %s more, got %s", want, got)
	}
	c := p.alone("c")
	if wait := p.begin(c, true); wait != 0 {
		t.Errorf("one with a first frame waits for %s", wait)
	}
	p.end(c)
	if wait := serve(a, 10_000); wait > paceLag {
		t.Errorf("nobody waits longer than %s, got %s", paceLag, wait)
	}
	// Buckets refill by resting, and what rests for long is forgotten.
	pass(time.Second)
	if wait := serve(a, 10); wait != 0 || p.charge(b, 0) != 0 || p.empty != 0 {
		t.Errorf("after a rest: wait %s, %d buckets are empty", wait, p.empty)
	}
	pass(2 * paceRest)
	for i := range 100 {
		p.release(p.alone(fmt.Sprint(i)))
		pass(2 * paceRest)
	}
	if n := len(p.senders); n > 10 {
		t.Errorf("%d senders are kept", n)
	}
}

// Who waits for the end of each frame never empties its bucket, however fast that is.
func TestPaceOneAfterTheOther(t *testing.T) {
	p, pass := clock()
	a, b := p.alone("a"), p.alone("b")
	for range 10_000 {
		p.charge(b, 0)
		if wait := p.begin(a, false); wait != 0 {
			t.Fatalf("waits for %s", wait)
		}
		p.end(a)
		pass(10 * time.Microsecond)
	}
}

// 500 remotes of one range get what one remote of another range gets, and a neighbour of
// theirs that asks for little does not wait. New keys bring no new tokens.
func TestPaceRanges(t *testing.T) {
	p, pass := clock()
	in := func(address string, i int) *sender { return p.sender(Remote{fmt.Sprint(i), address}) }
	const step = time.Millisecond
	crowd := make([]*sender, 500)
	for i := range crowd {
		crowd[i] = in("192.0.2.0/24", i)
	}
	neighbour, single := in("192.0.2.0/24", 1000), in("198.51.100.0/24", 1)
	due := map[*sender]time.Time{}
	served := map[*sender]int{}
	ask := func(s *sender) { // as readFrames does: the next frame after the wait for this one
		if now := p.now(); !now.Before(due[s]) {
			due[s] = now.Add(p.begin(s, true))
			p.end(s)
			served[s]++
		}
	}
	run := func(steps int) (ofCrowd, ofSingle int) {
		clear(served)
		for i := range steps {
			for _, s := range crowd {
				ask(s)
			}
			for range 10 {
				ask(single)
			}
			if i%1000 == 0 {
				if wait := p.begin(neighbour, false); wait > 0 {
					t.Fatalf("the neighbour waits for %s", wait)
				}
				p.end(neighbour)
			}
			pass(step)
		}
		for _, s := range crowd {
			ofCrowd += served[s]
		}
		return ofCrowd, served[single]
	}
	run(10_000) // the bursts, and until everybody waits
	ofCrowd, ofSingle := run(20_000)
	if ofCrowd > 3*ofSingle || ofSingle > 3*ofCrowd {
		t.Errorf("500 remotes of one range got %d frames, one of another %d", ofCrowd, ofSingle)
	}
	total := 0
	for i := range 1000 { // each frame from a new key
		s := in("192.0.2.0/24", 10_000+i)
		if p.begin(s, true) == 0 {
			total++
		}
		p.end(s)
		p.release(s)
	}
	if total > 10 {
		t.Errorf("%d frames of 1000 new keys did not wait", total)
	}
}
