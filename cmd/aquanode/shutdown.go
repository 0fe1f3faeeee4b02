package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// overtime is the time that a peer may take to end after the grace time.
const overtime = 2 * time.Second

// stopSignal starts to listen for a signal, which may come while a peer starts; wait returns when
// it has come. Then the peer has the grace time and two seconds to end, which the caller reports
// with ended. After that, or at a second signal, the process exits at once: its files are as after
// a crash.
func stopSignal(ctx context.Context, grace time.Duration) (wait, ended func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	s := &stopping{
		signals: signals, grace: grace,
		begun: make(chan struct{}), over: make(chan struct{}), exit: os.Exit,
	}
	go s.watch(ctx)
	return func() { <-s.begun }, func() {
		signal.Stop(signals)
		close(s.over)
	}
}

type stopping struct {
	signals chan os.Signal
	grace   time.Duration
	begun   chan struct{} // closed when a signal has come
	over    chan struct{} // closed when the peer has ended
	exit    func(status int)
}

func (s *stopping) watch(ctx context.Context) {
	select {
	case <-s.signals:
	case <-ctx.Done():
	case <-s.over:
		return
	}
	close(s.begun)
	select {
	case got := <-s.signals:
		say("second signal (%s): exiting now", got)
		s.exit(exitFailure)
	case <-time.After(s.grace + overtime):
		say("still running %s after the signal, exiting now; goroutines:", s.grace+overtime)
		for _, line := range running(10) {
			say("  %s", line)
		}
		s.exit(exitFailure)
	case <-s.over:
	}
}

// ours is the prefix of the names of our functions.
const ours = "github.com/aquanode/aquanode/"

// running lists the goroutines in our code, the most frequent first: by the innermost function of
// ours, with the outermost one, which shows the owner.
func running(most int) (lines []string) {
	records := make([]runtime.StackRecord, runtime.NumGoroutine()+100)
	n, ok := runtime.GoroutineProfile(records)
	if !ok {
		return []string{fmt.Sprintf("%d goroutines", n)}
	}
	counts := map[string]int{}
	for _, r := range records[:n] {
		if where := place(r.Stack()); where != "" {
			counts[where]++
		}
	}
	places := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for _, p := range places[:min(most, len(places))] {
		lines = append(lines, fmt.Sprintf("%d in %s", counts[p], p))
	}
	return lines
}

// place returns the innermost and the outermost function of ours on a stack.
func place(stack []uintptr) string {
	inner, outer := "", ""
	frames := runtime.CallersFrames(stack)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if name, ok := strings.CutPrefix(f.Function, ours); ok {
			inner, outer = cmp.Or(inner, name), name
		}
	}
	if inner == outer {
		return inner
	}
	return inner + ", started by " + outer
}
