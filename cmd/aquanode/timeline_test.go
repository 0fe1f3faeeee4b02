package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/node/journal"
)

func TestTimeline(t *testing.T) {
	ms := func(n int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(n)) }
	call := func(host, service string, at, took int, joins ...journal.Origin) journal.Entry {
		return journal.Entry{
			Kind: journal.Called, At: ms(at), Took: time.Duration(took) * time.Millisecond,
			Host: host, Service: service, Function: "f", Joins: joins,
		}
	}
	a := journal.Origin{Peer: "A", Service: "foo", Function: "f"}
	b := journal.Origin{Peer: "B", Service: "bar", Function: "f"}
	names := map[string]string{"A": "peer1", "B": "peer2", "C": "client"}
	arrived := []journal.Entry{
		{Kind: journal.Arrived, At: ms(0), Host: "C"}, {Kind: journal.Arrived, At: ms(0), Host: "A"},
	}
	failed := call("C", "baz", 90, 10, a, b)
	failed.Reason, failed.Detail = journal.ServiceFailed, "failed: oh"
	for _, c := range []struct {
		name   string
		events []journal.Entry
		want   string
	}{
		{"nothing", nil, ""},
		{"join", append(arrived, call("A", "foo", 0, 40), call("B", "bar", 0, 80),
			call("C", "getDataSrv", 1, 1), call("C", "baz", 80, 20, a, b)), `
particle p, 100 ms, over client, peer1
  peer1   foo.f  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                         40 ms
  peer2   bar.f  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇         80 ms
  client  baz.f                  ----------------▇▇▇▇▇▇▇▇  20 ms, waited 40 ms for bar.f of peer2
`},
		{"sequence", append(arrived, call("A", "foo", 0, 40), call("B", "bar", 40, 40), failed), `
particle p, 100 ms, over client, peer1
  peer1   foo.f  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                         40 ms
  peer2   bar.f                  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇         40 ms
  client  baz.f                                      ▇▇▇▇  10 ms, failed: oh
`},
	} {
		got := timeline("p", c.events, names)
		if got != "" {
			got = "\n" + got
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
