// Package slab hands out memory for many small things of one kind that live about equally long,
// from few larger pieces: a run over a thousand values makes several things for each, and the
// allocator takes longer than most of them.
package slab

// Slab is a supply of memory for things of one kind. A piece stays as long as one of its things.
// The zero Slab is ready.
type Slab[T any] struct {
	free []T
	size int // of the latest piece
	made int // in all
}

const (
	smallestPiece = 4
	largestPiece  = 256
)

// New is room for one thing.
func (s *Slab[T]) New() *T { return &s.List(1)[0] }

// Put stores a thing.
func (s *Slab[T]) Put(thing T) *T {
	t := s.New()
	*t = thing
	return t
}

// List is room for n things next to each other.
func (s *Slab[T]) List(n int) []T {
	if n > len(s.free) {
		s.size = min(max(2*s.size, smallestPiece), largestPiece)
		s.free = make([]T, max(s.size, n))
		s.made += len(s.free)
	}
	list := s.free[:n:n]
	s.free = s.free[n:]
	return list
}

// Made is how many things there was room for in all.
func (s *Slab[T]) Made() int { return s.made }
