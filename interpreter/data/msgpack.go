package data

import (
	"fmt"

	"github.com/aquanode/aquanode/internal/msgpack"
)

// packed reads MessagePack, with what this package expects of items.
type packed struct{ msgpack.Reader }

func unpack(b []byte) packed { return packed{msgpack.Reader{Rest: b}} }

// text reads a string (or, where the reference does, bytes) as a string of its own.
func (p *packed) text(allow ...msgpack.Kind) (string, error) {
	b, err := p.textBytes(allow...)
	return string(b), err
}

func (p *packed) textBytes(allow ...msgpack.Kind) ([]byte, error) {
	it, err := p.Next()
	if err != nil {
		return nil, err
	}
	for _, k := range allow {
		if it.Kind == k {
			return p.Content(it), nil
		}
	}
	return nil, fmt.Errorf("%v where %v is expected", it.Kind, allow[0])
}
