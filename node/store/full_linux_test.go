package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// small mounts a file system of some MiB for a test. Without root the test runs once more in a
// namespace of its own, in which it is; then mine is false here.
func small(t *testing.T, size string) (dir string, mine bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^"+t.Name()+"$")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return "", false
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "aquanode-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	return dir, true
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

// A disk that is full stops keeping, nobody waits for it, and when it has room again all that lives
// is kept: logs that lost records are asked for them, those that ended are gone.
func TestFullDisk(t *testing.T) {
	dir, mine := small(t, "4m")
	if !mine {
		return
	}
	s := open(t, dir)
	var l *Logs
	var asked atomic.Int32
	l, _, err := OpenLogs(dir, Config{Resumed: func() { asked.Add(1) }})
	check(t, err)
	ends, grows, lives := l.Begin([]byte("ends")), l.Begin([]byte("grows")), l.Begin([]byte("lives"))
	lives.Append([]byte("0"))
	check(t, l.Sync(t.Context()))
	ballast := filepath.Join(dir, "ballast")
	full := os.WriteFile(ballast, make([]byte, 4<<20), 0o600)
	if !errors.Is(full, syscall.ENOSPC) {
		t.Fatalf("want a full disk, got %v", full)
	}
	for i := range 100 {
		grows.Append(bytes.Repeat([]byte{byte(i)}, 20_000))
		if l.Sync(t.Context()) != nil {
			break
		}
	}
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("want the disk's error, got %v", err)
	}
	late := l.Begin([]byte("late"))
	late.Append([]byte("of late"))
	gone := l.Begin([]byte("gone"))
	gone.Append(nil)
	gone.Remove()
	ends.Remove()
	ends.Append([]byte("too late"))
	if err := l.Sync(t.Context()); err == nil {
		t.Error("Sync says that all is on disk")
	}
	if !grows.Torn() || !late.Torn() || lives.Torn() {
		t.Errorf("torn: grows %v, late %v, lives %v", grows.Torn(), late.Torn(), lives.Torn())
	}

	check(t, os.Remove(ballast))
	eventually(t, "writing is taken up", func() bool { return asked.Load() == 1 })
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "2 logs lack records") {
		t.Errorf("want the torn logs told, got %v", err)
	}
	grows.Append([]byte("does not help"))
	grows.Replace(texts("state"))
	grows.Append([]byte("new"))
	late.Replace(texts("state of late"))
	lives.Append([]byte("1"))
	check(t, l.Sync(t.Context()))
	check(t, l.Err())
	check(t, l.Close())
	check(t, s.Close())

	open(t, dir)
	l, logs := openLogs(t, dir)
	if len(logs) != 3 {
		t.Errorf("want 3 logs, got %v", logs)
	}
	wantRecords(t, logs["grows"], "state", "new")
	wantRecords(t, logs["late"], "state of late")
	wantRecords(t, logs["lives"], "0", "1")
	check(t, l.Close())
}

// A disk that is full again and again loses nothing that Sync has acknowledged and leaves whole files.
func TestFullAgainAndAgain(t *testing.T) {
	dir, mine := small(t, "6m")
	if !mine {
		return
	}
	s := open(t, dir)
	l, _ := openLogs(t, dir)
	ballast := filepath.Join(dir, "ballast")
	acknowledged := map[string]bool{}
	for round := range 3 {
		os.WriteFile(ballast, make([]byte, 8<<20), 0o600)
		for i := range 200 {
			name := fmt.Sprint(round, "-", i)
			l.Begin([]byte(name)).Append(bytes.Repeat([]byte{1}, 10_000))
			if l.Sync(t.Context()) != nil {
				break
			}
			acknowledged[name] = true
		}
		check(t, os.Remove(ballast))
		eventually(t, "writing is taken up", func() bool { return l.Sync(t.Context()) == nil })
	}
	l.Close() // some logs are torn: nobody wrote them again
	check(t, s.Close())
	open(t, dir)
	_, logs := openLogs(t, dir)
	for name := range acknowledged {
		if logs[name] == nil {
			t.Errorf("%s was acknowledged and is lost", name)
		} else if records, err := logs[name].Read(); err != nil || len(records) != 1 {
			t.Errorf("%s: %d records, %v", name, len(records), err)
		}
	}
	t.Logf("%d acknowledged, %d there", len(acknowledged), len(logs))
	if len(acknowledged) < 10 {
		t.Error("too few for a test")
	}
}

// Records have a bound in total.
func TestBytesOnDisk(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	l, _, err := OpenLogs(dir, Config{MaxBytes: 10_000})
	check(t, err)
	t.Cleanup(func() { l.Close() })
	g := l.Begin(make([]byte, 9000))
	check(t, l.Sync(t.Context()))
	check(t, l.Room(t.Context()))
	g.Append(make([]byte, 2000))
	check(t, l.Sync(t.Context()))
	if err := l.Room(t.Context()); !errors.Is(err, ErrFull) {
		t.Errorf("want %v, got %v", ErrFull, err)
	}
	g.Remove()
	check(t, l.Sync(t.Context()))
	check(t, l.Room(t.Context()))
	if l.Size() != 0 {
		t.Errorf("want nothing, got %d bytes", l.Size())
	}
}
