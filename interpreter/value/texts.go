package value

// Texts makes many short texts that live about equally long, in few pieces of memory. A piece stays
// as long as one of its texts. The zero Texts is ready.
type Texts struct {
	piece []byte
	made  int // bytes in all pieces
}

// Size is the memory of all texts that share memory.
func (t *Texts) Size() int { return t.made }

const (
	smallestPiece = 64
	largestPiece  = 4096
)

// space is where a text of at most n bytes can be appended, nil if it is too long to share memory.
func (t *Texts) space(n int) []byte {
	if n > largestPiece/8 {
		return nil
	}
	if n > cap(t.piece)-len(t.piece) {
		t.piece = make([]byte, 0, max(min(2*cap(t.piece), largestPiece), smallestPiece, n))
		t.made += cap(t.piece)
	}
	return t.piece[len(t.piece):]
}

// took says that n bytes were appended to space. If there were more than space had room for, they
// are elsewhere.
func (t *Texts) took(n int) {
	if n <= cap(t.piece)-len(t.piece) {
		t.piece = t.piece[:len(t.piece)+n]
	}
}

// Keep makes a string of bytes that the caller goes on to use.
func (t *Texts) Keep(b []byte) string {
	to := t.space(len(b))
	if to == nil {
		return string(b)
	}
	t.took(len(b))
	return owned(append(to, b...))
}

// Object is the function Object with the text in shared memory, if it is short.
func (t *Texts) Object(fields []Field) Value {
	to := t.space(objectSize(fields))
	if to == nil {
		return Object(fields)
	}
	v := appendObject(to, fields)
	t.took(len(v.text))
	return v
}
