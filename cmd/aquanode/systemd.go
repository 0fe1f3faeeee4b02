package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// A supervisor is the service manager that started this process. For units of Type=notify, systemd
// sets NOTIFY_SOCKET to a socket; see sd_notify(3) for the protocol. Without it, a supervisor does
// nothing.
type supervisor struct {
	conn     net.Conn
	watchdog time.Duration // 0 if there is none
}

// findSupervisor connects to the supervisor in the environment.
func findSupervisor(getenv func(string) string) (*supervisor, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return &supervisor{}, nil
	}
	if path[0] == '@' { // an abstract socket
		path = "\x00" + path[1:]
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	s := &supervisor{conn: conn}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s, nil // the watchdog is for another process
	}
	if text := getenv("WATCHDOG_USEC"); text != "" {
		usec, err := strconv.ParseInt(text, 10, 64)
		if err != nil || usec <= 0 {
			return nil, fmt.Errorf("WATCHDOG_USEC: %q is not a number of microseconds", text)
		}
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s, nil
}

// notify sends a state such as READY=1. It only prints an error: the peer runs without a supervisor
// too.
func (s *supervisor) notify(state string) {
	if s.conn == nil {
		return
	}
	if _, err := s.conn.Write([]byte(state)); err != nil {
		say("service manager: sending %q: %v", state, err)
	}
}

// watch sends WATCHDOG=1 at twice the required rate until stop is closed. alive must use the parts
// that the peer depends on: if one is stuck, nothing is sent and the service manager ends the
// process.
func (s *supervisor) watch(alive func(), stop <-chan struct{}) {
	if s.watchdog == 0 {
		return
	}
	ticks := time.NewTicker(s.watchdog / 2)
	defer ticks.Stop()
	for {
		alive()
		s.notify("WATCHDOG=1")
		select {
		case <-ticks.C:
		case <-stop:
			return
		}
	}
}

func (s *supervisor) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}
