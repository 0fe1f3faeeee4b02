package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aquanode/aquanode/node/journal"
)

// The timeline of a run has a line for each service call, with its bar on a common axis, so that
// parallel calls stand above each other:
//
//	particle 2883f959, 33 ms, over client, peer1, peer2, peer3
//	  peer1  foo.foo  ▇▇▇▇▇▇▇▇▇▇▇▇                              10 ms
//	  peer2  bar.bar   ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                20 ms
//	  peer3  baz.baz              ---------------▇▇▇            2 ms, waited 11 ms for bar.bar of peer2
//
// Dashes are the time in which a call waits: one of its arguments was there, another was not.
const timelineWidth = 40

// plumbing are the services for the traffic between a script and its initiator. They are not shown.
var plumbing = []string{"getDataSrv", "callbackSrv", "errorHandlingSrv"}

// bar is a line of the timeline.
type bar struct {
	call   journal.Entry
	waited time.Time      // when its first argument was there; zero if it did not wait
	last   journal.Origin // the call whose result came last
}

func timeline(particleID string, events []journal.Entry, names map[string]string) string {
	if len(events) == 0 {
		return ""
	}
	first, last := events[0].At, events[0].At
	var bars []bar
	for _, e := range events {
		if end(e).After(last) {
			last = end(e)
		}
		if e.Kind == journal.Called && !slices.Contains(plumbing, e.Service) {
			bars = append(bars, newBar(e, events))
		}
	}
	var b strings.Builder
	took := short(last.Sub(first))
	fmt.Fprintf(&b, "particle %s, %s, over %s\n", particleID, took, path(events, names))
	for _, line := range table(bars, first, last, names) {
		b.WriteString("  " + strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// newBar detects whether a call waited: its arguments come from several calls, and one of them was
// still running when another had ended.
func newBar(call journal.Entry, events []journal.Entry) bar {
	b := bar{call: call}
	var last journal.Entry
	for _, o := range call.Joins {
		done, ok := doneBefore(call, o, events)
		if !ok || slices.Contains(plumbing, o.Service) {
			continue
		}
		if b.waited.IsZero() || end(done).Before(b.waited) {
			b.waited = end(done)
		}
		if end(done).After(end(last)) {
			last, b.last = done, o
		}
	}
	if !last.At.Before(b.waited) || b.waited.Equal(end(last)) {
		b.waited = time.Time{}
	}
	return b
}

func end(e journal.Entry) time.Time { return e.At.Add(e.Took) }

// doneBefore returns the latest call of origin o that ended before call began.
func doneBefore(
	call journal.Entry, o journal.Origin, events []journal.Entry,
) (done journal.Entry, ok bool) {
	for _, e := range events {
		from := journal.Origin{Peer: e.Host, Service: e.Service, Function: e.Function}
		if e.Kind == journal.Called && from == o && !end(e).After(call.At) {
			done, ok = e, true
		}
	}
	return done, ok
}

func table(bars []bar, first, last time.Time, names map[string]string) []string {
	var who, what int
	for _, b := range bars {
		who = max(who, len(shortName(b.call.Host, names)))
		what = max(what, len(b.call.Service)+1+len(b.call.Function))
	}
	var lines []string
	for _, b := range bars {
		lines = append(lines, fmt.Sprintf("%-*s  %-*s  %s  %s", who, shortName(b.call.Host, names),
			what, b.call.Service+"."+b.call.Function, b.draw(first, last), b.note(names)))
	}
	return lines
}

// draw draws the bar on the axis.
func (b *bar) draw(first, last time.Time) string {
	span := max(last.Sub(first), time.Microsecond)
	column := func(t time.Time) int {
		return min(timelineWidth-1, max(0, int(t.Sub(first)*timelineWidth/span)))
	}
	row := []rune(strings.Repeat(" ", timelineWidth))
	from, to := column(b.call.At), column(b.call.At.Add(b.call.Took))
	if !b.waited.IsZero() {
		for i := column(b.waited); i < from; i++ {
			row[i] = '-'
		}
	}
	for i := from; i <= to; i++ {
		row[i] = '▇'
	}
	return string(row)
}

func (b *bar) note(names map[string]string) string {
	note := short(b.call.Took)
	if !b.waited.IsZero() {
		note += fmt.Sprintf(", waited %s for %s.%s of %s", short(b.call.At.Sub(b.waited)),
			b.last.Service, b.last.Function, shortName(b.last.Peer, names))
	}
	if b.call.Reason != "" {
		note += ", " + b.call.Detail
	}
	return note
}

// path lists the peers in the order in which the particle arrived.
func path(events []journal.Entry, names map[string]string) string {
	var seen []string
	for _, e := range events {
		if name := shortName(e.Host, names); e.Kind == journal.Arrived && !slices.Contains(seen, name) {
			seen = append(seen, name)
		}
	}
	return strings.Join(seen, ", ")
}

// shortName returns a peer's name, or the end of its ID: all IDs begin alike.
func shortName(id string, names map[string]string) string {
	if name := names[id]; name != "" {
		return name
	}
	return "…" + id[max(0, len(id)-6):]
}

func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return d.Round(100 * time.Millisecond).String()
}
