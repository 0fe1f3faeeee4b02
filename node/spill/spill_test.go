package spill

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestStore(t *testing.T) {
	parent := t.TempDir()
	s := New(parent, 250)
	if entries, _ := os.ReadDir(parent); len(entries) != 0 {
		t.Error("there is a directory before anything came")
	}
	one, err := s.Put(bytes.Repeat([]byte("a"), 100))
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Put(bytes.Repeat([]byte("b"), 100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(make([]byte, 51)); err == nil {
		t.Error("more than the limit is taken")
	}
	if b, err := one.Take(); err != nil || string(b) != string(bytes.Repeat([]byte("a"), 100)) {
		t.Errorf("got %q, %v", b, err)
	}
	if s.Bytes() != 100 {
		t.Errorf("%d bytes are there", s.Bytes())
	}
	if _, err := one.Take(); err == nil {
		t.Error("taken twice")
	}
	if files, _ := filepath.Glob(filepath.Join(parent, "*", "*")); len(files) != 1 {
		t.Errorf("want one file, got %v", files)
	}
	two.Drop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
	if _, err := s.Put(nil); err == nil {
		t.Error("taken after Close")
	}
}

// A file that was cut short is not taken for a state.
func TestCutShort(t *testing.T) {
	parent := t.TempDir()
	s := New(parent, 1000)
	one, err := s.Put([]byte("a state"))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(parent, "*", "*"))
	if err := os.Truncate(files[0], 3); err != nil {
		t.Fatal(err)
	}
	if b, err := one.Take(); err == nil {
		t.Errorf("got %q", b)
	}
}

func TestClean(t *testing.T) {
	parent := t.TempDir()
	killed := New(parent, 100)
	if _, err := killed.Put([]byte("left")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(parent, "peer.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Clean(parent); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 1 || entries[0].Name() != "peer.db" {
		t.Errorf("want what is not ours alone, got %v", entries)
	}
}
