package p2p

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// clock is a pace whose time passes as the test says. It has one core to give, a quarter of
// it to debtors.
func clock() (*pace, func(time.Duration)) {
	now := time.Unix(1000, 0)
	p := newPace()
	p.share = 0.25
	p.now = func() time.Time { return now }
	return p, func(d time.Duration) { now = now.Add(d) }
}

func TestPaceAlone(t *testing.T) {
	p, _ := clock()
	a := p.account("a")
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
	a, b := p.account("a"), p.account("b")
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
	a, b := p.account("a"), p.account("b")
	serve := func(a *account, n int) (waited time.Duration) {
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
	// A second one in debt gets half of the share, and one that is not does not wait.
	serve(b, 1000)
	if p.debtors != 2 {
		t.Errorf("want 2 in debt, got %d", p.debtors)
	}
	pass(paceLag)
	serve(a, 300)
	serve(b, 300)
	p.charge(a, 0)
	before := p.charge(b, 0)
	if got, want := p.charge(b, frameCost)-before, 8*frameCost; got != want {
		t.Errorf("one more frame with two in debt: want %s more, got %s", want, got)
	}
	c := p.account("c")
	if wait := p.begin(c, true); wait != 0 {
		t.Errorf("one with a first frame waits for %s", wait)
	}
	p.end(c)
	if wait := serve(a, 10_000); wait > paceLag {
		t.Errorf("nobody waits longer than %s, got %s", paceLag, wait)
	}
	// Debts are paid back by resting, and what rests for long is forgotten.
	pass(time.Second)
	if wait := serve(a, 10); wait != 0 || p.charge(b, 0) != 0 || p.debtors != 0 {
		t.Errorf("after a rest: wait %s, %d in debt", wait, p.debtors)
	}
	pass(2 * paceRest)
	for i := range 100 {
		p.account(peer.ID(fmt.Sprint(i)))
		pass(2 * paceRest)
	}
	if n := len(p.accounts); n > 10 {
		t.Errorf("%d accounts are kept", n)
	}
}

// Who waits for the end of each frame is never in debt, however fast that is.
func TestPaceOneAfterTheOther(t *testing.T) {
	p, pass := clock()
	a, b := p.account("a"), p.account("b")
	for range 10_000 {
		p.charge(b, 0)
		if wait := p.begin(a, false); wait != 0 {
			t.Fatalf("waits for %s", wait)
		}
		p.end(a)
		pass(10 * time.Microsecond)
	}
}
