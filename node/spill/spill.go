// Package spill keeps states of particles at rest on disk while memory is short. Nothing of it
// outlives the process.
package spill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/aquanode/aquanode/node/dispatch"
)

// A Store is a directory with a file for each state. It is made when the first state comes.
type Store struct {
	parent string
	limit  int64

	mu     sync.Mutex
	dir    string
	last   int
	bytes  int64
	closed bool
}

// New makes a store of at most limit bytes in a new directory in parent, which is that for
// temporary files when empty.
func New(parent string, limit int64) *Store { return &Store{parent: parent, limit: limit} }

// Clean removes what processes that were killed left in a directory.
func Clean(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// prefix is how the names of stores' directories begin.
const prefix = "aquanode-spill-"

// Put writes a state.
func (s *Store) Put(state []byte) (dispatch.Spilled, error) {
	f, err := s.reserve(int64(len(state)))
	if err != nil {
		return nil, fmt.Errorf("spill: %w", err)
	}
	if err := os.WriteFile(f.path, state, 0o600); err != nil {
		f.Drop()
		return nil, fmt.Errorf("spill: %w", err)
	}
	return f, nil
}

func (s *Store) reserve(n int64) (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, os.ErrClosed
	case s.bytes+n > s.limit:
		return nil, fmt.Errorf("%d bytes are there, the limit is %d", s.bytes, s.limit)
	case s.dir == "":
		dir, err := os.MkdirTemp(s.parent, prefix)
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	s.bytes += n
	s.last++
	return &file{s: s, path: filepath.Join(s.dir, strconv.Itoa(s.last)), size: n}, nil
}

// Bytes is what is on disk.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Close removes all states.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// A file is used by one goroutine at a time.
type file struct {
	s    *Store
	path string
	size int64
	gone bool
}

// Take reads the state and removes its file.
func (f *file) Take() ([]byte, error) {
	defer f.Drop()
	b, err := os.ReadFile(f.path)
	if err == nil && int64(len(b)) != f.size {
		err = fmt.Errorf("%d bytes of %d are there", len(b), f.size)
	}
	if err != nil {
		return nil, fmt.Errorf("spill: %w", err)
	}
	return b, nil
}

// Drop removes the file.
func (f *file) Drop() {
	if f.gone {
		return
	}
	f.gone = true
	_ = os.Remove(f.path) // it may not be there, and Close removes the directory
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.bytes -= f.size
}
