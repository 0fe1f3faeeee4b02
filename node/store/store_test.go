package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) set(t *testing.T, scope, service string, aliases ...string) {
	t.Helper()
	for _, alias := range aliases {
		check(t, s.SetAlias(scope, alias, service))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Store) want(t *testing.T, scope string, want map[string]string) {
	t.Helper()
	got, err := s.Aliases(scope)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("aliases of %s (-want +got):\n%s", scope, diff)
	}
}

func TestAliases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	s := open(t, dir)
	s.want(t, "host", map[string]string{})
	s.set(t, "host", "s1", "a", "b", "d")
	s.set(t, "host", "s2", "c", "b") // b moved
	s.set(t, "worker", "s3", "a")
	check(t, s.RemoveAlias("host", "a"))
	check(t, s.RemoveAlias("host", "nobody's"))
	want := map[string]string{"b": "s2", "c": "s2", "d": "s1"}
	s.want(t, "host", want)
	check(t, s.Close())
	s = open(t, dir)
	s.want(t, "host", want)
	s.want(t, "worker", map[string]string{"a": "s3"})
}

func TestRemovedServices(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.set(t, "host", "s1", "a")
	s.set(t, "host", "s2", "b", "c")
	check(t, s.AddService("host", "s2")) // was never removed
	check(t, s.RemoveService("host", "s2", "blueprint 2"))
	check(t, s.Close())
	s = open(t, dir)
	s.want(t, "host", map[string]string{"a": "s1"})
	removed, err := s.Removed("host")
	check(t, err)
	if diff := cmp.Diff(map[string]string{"s2": "blueprint 2"}, removed); diff != "" {
		t.Errorf("removed services (-want +got):\n%s", diff)
	}
	check(t, s.AddService("host", "s2"))
	if removed, err = s.Removed("host"); err != nil || len(removed) > 0 {
		t.Errorf("added again: %v, %v", removed, err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("want %v, got %v", ErrInUse, err)
	}
}

func TestBrokenFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte("this is no database, but longer than a header"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("want an error")
	}
}
