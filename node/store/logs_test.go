package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openLogs(t testing.TB, dir string) (*Logs, map[string]*Log) {
	t.Helper()
	l, kept, err := OpenLogs(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	byHead := map[string]*Log{}
	for _, k := range kept {
		byHead[string(k.Head)] = k.Log
	}
	return l, byHead
}

func wantRecords(t *testing.T, g *Log, want ...string) {
	t.Helper()
	records, err := g.Read()
	check(t, err)
	var got []string
	for _, r := range records {
		got = append(got, string(r))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func texts(all ...string) (out [][]byte) {
	for _, s := range all {
		out = append(out, []byte(s))
	}
	return out
}

func TestLogs(t *testing.T) {
	dir := t.TempDir()
	l, logs := openLogs(t, dir)
	if len(logs) != 0 {
		t.Fatalf("a new directory has %v", logs)
	}
	a, b, c := l.Begin([]byte("a")), l.Begin([]byte("b")), l.Begin([]byte("c"))
	for i := range 3 {
		a.Append(fmt.Appendf(nil, "a%d", i))
		b.Append(fmt.Appendf(nil, "b%d", i))
		c.Append(nil)
	}
	check(t, l.Sync(t.Context()))
	b.Replace(texts("all of b", "and more"))
	b.Append([]byte("b3"))
	c.Remove()
	c.Append([]byte("late"))
	check(t, l.Close())
	a.Append([]byte("too late"))
	if err := l.Sync(t.Context()); err == nil {
		t.Error("closed logs can be synced")
	}

	l, logs = openLogs(t, dir)
	if diff := cmp.Diff([]string{"a", "b"}, slices.Sorted(maps.Keys(logs))); diff != "" {
		t.Fatalf("logs (-want +got):\n%s", diff)
	}
	logs["a"].Append([]byte("new")) // is not among those that were there
	check(t, l.Sync(t.Context()))
	wantRecords(t, logs["a"], "a0", "a1", "a2")
	wantRecords(t, logs["b"], "all of b", "and more", "b3")
	l.Begin([]byte("d"))
	logs["b"].Remove()
	check(t, l.Close())

	l, logs = openLogs(t, dir)
	wantRecords(t, logs["a"], "a0", "a1", "a2", "new")
	wantRecords(t, logs["d"])
	logs["a"].Remove()
	logs["d"].Remove()
	check(t, l.Close())
	openLogs(t, dir)
}

// After calls come in order, each when what was appended before it can be read.
func TestAfter(t *testing.T) {
	l, _ := openLogs(t, t.TempDir())
	const writers, each = 4, 50
	last := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			g := l.Begin(fmt.Appendf(nil, "%d", w))
			g.old = 1 << 30
			for i := range each {
				g.Append([]byte("x"))
				l.After(func() {
					mu.Lock()
					defer mu.Unlock()
					if last[w] != i {
						t.Errorf("writer %d: call %d comes after %d others", w, i, last[w])
					}
					last[w]++
					if records, err := g.Read(); err != nil || len(records) < i+1 {
						t.Errorf("writer %d: want %d records on disk, got %d, %v", w, i+1, len(records), err)
					}
				})
			}
		})
	}
	all.Wait()
	check(t, l.Sync(t.Context()))
	if last[0] != each {
		t.Errorf("want %d calls, got %d", each, last[0])
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, l.Room(ctx)) // there is room: it does not look at the context
	if err := l.Sync(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// When nothing can be written nobody waits for it, and it is told.
func TestLogsFail(t *testing.T) {
	l, _ := openLogs(t, t.TempDir())
	g := l.Begin([]byte("head"))
	check(t, l.Sync(t.Context()))
	check(t, l.db.Close())
	g.Append([]byte("x"))
	if err := l.Sync(t.Context()); err == nil || l.Err() == nil {
		t.Errorf("want an error, got %v and %v", err, l.Err())
	}
	g.Append([]byte("y"))
	if err := l.Sync(t.Context()); err == nil {
		t.Error("want the error again")
	}
	if err := l.Close(); err == nil {
		t.Error("Close says nothing of it")
	}
}

func TestBrokenLogs(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, LogsFile), []byte("this is no database, but longer than a header"), 0o600))
	if _, _, err := OpenLogs(dir, Config{}); err == nil {
		t.Error("want an error")
	}
}

// A record of 2 kB from its append until it is on disk, with many writers and with one.
func BenchmarkLogs(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			l, _ := openLogs(b, b.TempDir())
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					g := l.Begin(make([]byte, 2000))
					l.Sync(b.Context())
					g.Remove()
				}
			})
		})
	}
}
