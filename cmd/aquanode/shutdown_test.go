package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop returns the watcher of a peer, and the channel with the exit status of its process.
func stop(t *testing.T, grace time.Duration) (*stopping, <-chan int) {
	t.Helper()
	status := make(chan int, 1)
	s := &stopping{
		signals: make(chan os.Signal, 2), grace: grace, begun: make(chan struct{}), over: make(chan struct{}),
		exit: func(code int) { status <- code },
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.watch(t.Context())
	}()
	t.Cleanup(func() { <-done })
	return s, status
}

func TestStopInTime(t *testing.T) {
	s, status := stop(t, time.Hour)
	s.signals <- syscall.SIGTERM
	<-s.begun
	close(s.over)
	select {
	case code := <-status:
		t.Errorf("the process ended with %d", code)
	default:
	}
}

func TestSecondSignal(t *testing.T) {
	s, status := stop(t, time.Hour)
	s.signals <- syscall.SIGTERM
	<-s.begun
	s.signals <- syscall.SIGTERM
	if code := <-status; code != exitFailure {
		t.Errorf("want status %d, got %d", exitFailure, code)
	}
}

func TestStopTakesTooLong(t *testing.T) {
	s, status := stop(t, 0)
	s.signals <- syscall.SIGTERM
	if code := <-status; code != exitFailure {
		t.Errorf("want status %d, got %d", exitFailure, code)
	}
}

// stuckOwner and stuckCall must appear in the list of goroutines.
func stuckOwner(end chan struct{}) { stuckCall(end) }

//go:noinline
func stuckCall(end chan struct{}) { <-end }

func TestRunning(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	for range 50 {
		go stuckOwner(end)
	}
	for {
		lines := running(3)
		if len(lines) > 3 {
			t.Fatalf("want 3 lines at most, got %q", lines)
		}
		if len(lines) > 0 && strings.HasPrefix(lines[0], "50 in ") {
			if !strings.Contains(lines[0], "stuckCall, started by ") ||
				!strings.Contains(lines[0], "stuckOwner") {
				t.Fatalf("got %q, want stuckCall, started by stuckOwner", lines[0])
			}
			return
		}
		time.Sleep(time.Millisecond) // some have not started yet
	}
}
