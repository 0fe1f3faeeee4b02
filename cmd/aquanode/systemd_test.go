package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// manager is the socket of a service manager.
func manager(t *testing.T) (conn *net.UnixConn, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, path
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 256)
	n, err := conn.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if value, ok := strings.CutPrefix(p, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestSupervisorIsTold(t *testing.T) {
	conn, path := manager(t)
	s, err := findSupervisor(environment("NOTIFY_SOCKET=" + path))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.watchdog != 0 {
		t.Errorf("want no watchdog, got %s", s.watchdog)
	}
	s.notify("READY=1")
	if got := heard(t, conn); got != "READY=1" {
		t.Errorf("want READY=1, got %q", got)
	}
}

// The watchdog is notified as long as the peer answers, and not later.
func TestWatchdog(t *testing.T) {
	conn, path := manager(t)
	s, err := findSupervisor(environment("NOTIFY_SOCKET="+path, "WATCHDOG_USEC=20000", "WATCHDOG_PID="+strconv.Itoa(os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	stop, stuck, told := make(chan struct{}), make(chan struct{}), 0
	alive := func() {
		if told++; told > 3 {
			<-stuck
		}
	}
	var watch sync.WaitGroup
	watch.Go(func() { s.watch(alive, stop) })
	for range 3 {
		if got := heard(t, conn); got != "WATCHDOG=1" {
			t.Errorf("want WATCHDOG=1, got %q", got)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 10)); err == nil {
		t.Errorf("a peer that is stuck told the watchdog something of %d bytes", n)
	}
	close(stuck)
	close(stop)
	watch.Wait()
}

func TestSupervisorOfOthers(t *testing.T) {
	_, path := manager(t)
	s, err := findSupervisor(environment("NOTIFY_SOCKET="+path, "WATCHDOG_USEC=20000", "WATCHDOG_PID=1"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.watchdog != 0 {
		t.Errorf("the watchdog of another process is told every %s", s.watchdog/2)
	}
	none, err := findSupervisor(environment())
	if err != nil {
		t.Fatal(err)
	}
	none.notify("READY=1")
	none.watch(func() { t.Error("there is no watchdog") }, nil)
	for _, bad := range []string{"", "x", "0", "-1"} {
		s, err := findSupervisor(environment("NOTIFY_SOCKET="+path, "WATCHDOG_USEC="+bad))
		if (err != nil) != (bad != "") {
			t.Errorf("WATCHDOG_USEC=%q: %v", bad, err)
		}
		if err == nil {
			s.close()
		}
	}
}
