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
	if err := s.SetAliases(scope, service, aliases); err != nil {
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
	s.set(t, "host", "s1", "a", "b")
	s.set(t, "host", "s2", "c")
	s.set(t, "worker", "s3", "a")
	s.set(t, "host", "s1", "b", "d") // a was taken away
	s.set(t, "host", "s2", "c", "b") // b moved
	want := map[string]string{"b": "s2", "c": "s2", "d": "s1"}
	s.want(t, "host", want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	s.want(t, "host", want)
	s.want(t, "worker", map[string]string{"a": "s3"})
	s.set(t, "host", "s2")
	s.want(t, "host", map[string]string{"d": "s1"})
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
