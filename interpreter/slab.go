package interpreter

// slab hands out memory for many small things of one kind that live about equally long, from few larger pieces: a run over a thousand
// values makes several things for each, and the allocator takes longer than most of them. A piece stays as long as one
// of its things. The zero slab is ready.
type slab[T any] struct {
	free []T
	size int // of the latest piece
	made int // in all
}

const (
	smallestPiece = 4
	largestPiece  = 256
)

// take is room for one thing.
func (s *slab[T]) take() *T {
	return &s.some(1)[0]
}

// put keeps a thing.
func (s *slab[T]) put(thing T) *T {
	t := s.take()
	*t = thing
	return t
}

// some is room for n things next to each other.
func (s *slab[T]) some(n int) []T {
	if n > len(s.free) {
		s.size = min(max(2*s.size, smallestPiece), largestPiece)
		s.free = make([]T, max(s.size, n))
		s.made += len(s.free)
	}
	list := s.free[:n:n]
	s.free = s.free[n:]
	return list
}
