package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrShort is the error of bytes that end inside an item, or cannot hold what its head announces.
var ErrShort = errors.New("unexpected end of input")

// Kind is the kind of an item: a format family of MessagePack.
type Kind uint8

// The kinds.
const (
	Nil Kind = iota
	Bool
	Int
	Float
	String
	Bin
	Array
	Map
	Ext
)

var kindNames = [...]string{
	"nil", "a boolean", "an integer", "a float", "a string", "bytes", "an array", "a map", "an extension",
}

func (k Kind) String() string { return kindNames[k] }

// Item is the head of an item: all of a scalar, the size of anything else.
type Item struct {
	Kind   Kind
	Size   int    // bytes of String, Bin, Ext; elements of Array; pairs of Map
	Bits   uint64 // of Int (two's complement if Signed), of Float (64 bits), of Bool
	Signed bool   // a negative integer
}

// Reader reads items from the front of Rest. A Size is never more than Rest can hold.
type Reader struct{ Rest []byte }

// Next reads the head of the next item.
func (r *Reader) Next() (Item, error) {
	b, err := r.Take(1)
	if err != nil {
		return Item{}, err
	}
	switch c := b[0]; {
	case c < 0x80:
		return Item{Kind: Int, Bits: uint64(c)}, nil
	case c < 0x90:
		return r.sized(Map, uint64(c&15), 2)
	case c < 0xa0:
		return r.sized(Array, uint64(c&15), 1)
	case c < 0xc0:
		return r.sized(String, uint64(c&31), 1)
	case c >= 0xe0:
		return signed(uint64(int64(int8(c)))), nil
	default:
		return r.longHead(c)
	}
}

// longHead reads a head whose first byte is not all of it.
func (r *Reader) longHead(c byte) (Item, error) {
	switch c {
	case 0xc0:
		return Item{Kind: Nil}, nil
	case 0xc2, 0xc3:
		return Item{Kind: Bool, Bits: uint64(c & 1)}, nil
	case 0xc4, 0xc5, 0xc6:
		return r.counted(Bin, 1<<(c-0xc4), 1)
	case 0xc7, 0xc8, 0xc9:
		return r.extension(1<<(c-0xc7), 0)
	case 0xca:
		bits, err := r.number(4)
		wide := float64(math.Float32frombits(uint32(bits)))
		return Item{Kind: Float, Bits: math.Float64bits(wide)}, err
	case 0xcb:
		bits, err := r.number(8)
		return Item{Kind: Float, Bits: bits}, err
	case 0xcc, 0xcd, 0xce, 0xcf:
		bits, err := r.number(1 << (c - 0xcc))
		return Item{Kind: Int, Bits: bits}, err
	case 0xd0, 0xd1, 0xd2, 0xd3:
		return r.signedInt(1 << (c - 0xd0))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return r.extension(0, 1<<(c-0xd4))
	case 0xd9, 0xda, 0xdb:
		return r.counted(String, 1<<(c-0xd9), 1)
	case 0xdc, 0xdd:
		return r.counted(Array, 2<<(c-0xdc), 1)
	case 0xde, 0xdf:
		return r.counted(Map, 2<<(c-0xde), 2)
	}
	return Item{}, fmt.Errorf("byte %#x is reserved", c)
}

// Take reads n bytes. They are a view into the input.
func (r *Reader) Take(n int) ([]byte, error) {
	if n > len(r.Rest) {
		return nil, ErrShort
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b, nil
}

// Content reads the bytes of a String, Bin or Ext. They are a view into the input.
func (r *Reader) Content(it Item) []byte {
	b, _ := r.Take(it.Size)
	return b
}

// Skip reads an item with everything in it. It does not recurse: it counts the items that are still to
// come, which the input bounds.
func (r *Reader) Skip() error {
	for pending := uint64(1); pending > 0; pending-- {
		it, err := r.Next()
		if err != nil {
			return err
		}
		switch it.Kind {
		case String, Bin, Ext:
			r.Content(it)
		case Array:
			pending += uint64(it.Size)
		case Map:
			pending += 2 * uint64(it.Size)
		}
	}
	return nil
}

// number reads a big-endian number of 1, 2, 4 or 8 bytes.
func (r *Reader) number(width int) (uint64, error) {
	b, err := r.Take(width)
	if err != nil {
		return 0, err
	}
	switch width {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), nil
	}
	return binary.BigEndian.Uint64(b), nil
}

func (r *Reader) signedInt(width int) (Item, error) {
	bits, err := r.number(width)
	shift := 64 - 8*width
	return signed(uint64(int64(bits<<shift) >> shift)), err
}

func signed(bits uint64) Item {
	return Item{Kind: Int, Bits: bits, Signed: int64(bits) < 0}
}

func (r *Reader) counted(k Kind, width, unit int) (Item, error) {
	n, err := r.number(width)
	if err != nil {
		return Item{}, err
	}
	return r.sized(k, n, unit)
}

// sized refuses sizes that the rest cannot hold: unit is the least number of bytes of one element.
func (r *Reader) sized(k Kind, n uint64, unit int) (Item, error) {
	if n > uint64(len(r.Rest)/unit) {
		return Item{}, ErrShort
	}
	return Item{Kind: k, Size: int(n)}, nil
}

// extension reads the size, unless it is known. The type byte counts as content.
func (r *Reader) extension(width int, known uint64) (Item, error) {
	if width > 0 {
		n, err := r.number(width)
		if err != nil {
			return Item{}, err
		}
		known = n
	}
	return r.sized(Ext, known+1, 1)
}
