package topology

import (
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua/step"
)

// at parses a place, "peer via relay relay / peer ...", the outermost first.
func at(text string) *place {
	var p *place
	for _, part := range strings.Split(text, "/") {
		peer, via, _ := strings.Cut(strings.TrimSpace(part), " via ")
		on := &step.OnOp{Peer: step.Var(peer)}
		for _, r := range strings.Fields(via) {
			on.Via = append(on.Via, step.Var(r))
		}
		p = newPlace(on, p)
	}
	return p
}

func names(list []step.Operand) string {
	var out []string
	for _, o := range list {
		out = append(out, o.Name)
	}
	return strings.Join(out, " ")
}

func TestRoute(t *testing.T) {
	for _, c := range []struct{ from, to, route, arrive string }{
		{"i via r", "i via r", "", "i"},
		{"i via r", "i via r / p", "r", "r p"},
		{"i via r / p", "i via r", "r", "r i"},
		{"i via r", "i via r / p via a b", "r a b", "r a b p"},
		{"i via r / p via a b", "i via r", "b a r", "b a r i"},
		{"i via r / p via a", "i via r / q via b", "a b", "a b q"},
		{"i via r / p via a", "i via r / q via a", "a", "a q"},
		{"i via r / p", "i via r / p / q", "", "q"},
		{"i via r / p via a", "i via r / p via a / q via a", "a", "a q"},
		{"i via r / r", "i via r / r / p", "", "p"},
		{"i via r", "i via r / r", "", "r"},
		{"i", "i / p", "", "p"},
		{"i via r / p / i via r", "i via r", "", "i"},
	} {
		if got := names(route(at(c.from), at(c.to))); got != c.route {
			t.Errorf("from %s to %s goes over [%s], want [%s]", c.from, c.to, got, c.route)
		}
		if got := names(arrive(at(c.from), at(c.to))); got != c.arrive {
			t.Errorf("from %s to %s arrives over [%s], want [%s]", c.from, c.to, got, c.arrive)
		}
	}
}

func TestRelay(t *testing.T) {
	for place, want := range map[string]string{
		"i via r": "r", "i via r / p": "r", "i via r / p via a b": "i via r / b via a", "i via r / p via a": "i via r / a",
	} {
		if got := at(place).relay(); !got.same(at(want)) {
			t.Errorf("the relay of %s is %s at depth %d, want %s", place, got.key, got.depth, want)
		}
	}
	if got := at("i / p").relay(); got != nowhere {
		t.Errorf("a place without relays has the relay %s", got.key)
	}
}
