package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// errShort is the error of bytes that end in the middle of something.
var errShort = errors.New("unexpected end of input")

// packed reads MessagePack. Its methods take one item each and leave the rest; lengths are compared with what is there
// before they are believed.
type packed struct{ rest []byte }

// family is what MessagePack calls a format family.
type family uint8

const (
	packNil family = iota
	packBool
	packInt
	packFloat
	packStr
	packBin
	packArray
	packMap
	packExt
)

var familyNames = [...]string{"nil", "a boolean", "an integer", "a float", "a string", "bytes", "an array", "a map", "an extension"}

func (f family) String() string { return familyNames[f] }

// item is the head of one MessagePack item: all of a scalar, the size of anything else.
type item struct {
	family family
	size   int    // bytes of str, bin, ext; elements of array; pairs of map
	bits   uint64 // of an integer (two's complement if signed) or a 64-bit float
	signed bool   // a negative integer
}

// head takes the head of the next item, and no more than that.
func (p *packed) head() (it item, err error) {
	b, err := p.take(1)
	if err != nil {
		return it, err
	}
	switch c := b[0]; {
	case c < 0x80:
		return item{family: packInt, bits: uint64(c)}, nil
	case c < 0x90:
		return p.sized(packMap, uint64(c&15), 2)
	case c < 0xa0:
		return p.sized(packArray, uint64(c&15), 1)
	case c < 0xc0:
		return p.sized(packStr, uint64(c&31), 1)
	case c >= 0xe0:
		return integer(uint64(int64(int8(c)))), nil
	default:
		return p.longHead(c)
	}
}

// longHead goes on where the first byte did not say everything.
func (p *packed) longHead(c byte) (item, error) {
	switch c {
	case 0xc0:
		return item{family: packNil}, nil
	case 0xc2, 0xc3:
		return item{family: packBool, bits: uint64(c & 1)}, nil
	case 0xc4, 0xc5, 0xc6:
		return p.counted(packBin, 1<<(c-0xc4), 1)
	case 0xc7, 0xc8, 0xc9:
		return p.extension(1<<(c-0xc7), 0)
	case 0xca:
		bits, err := p.number(4)
		wide := float64(math.Float32frombits(uint32(bits)))
		return item{family: packFloat, bits: math.Float64bits(wide)}, err
	case 0xcb:
		bits, err := p.number(8)
		return item{family: packFloat, bits: bits}, err
	case 0xcc, 0xcd, 0xce, 0xcf:
		bits, err := p.number(1 << (c - 0xcc))
		return item{family: packInt, bits: bits}, err
	case 0xd0, 0xd1, 0xd2, 0xd3:
		return p.signedInt(1 << (c - 0xd0))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return p.extension(0, 1<<(c-0xd4))
	case 0xd9, 0xda, 0xdb:
		return p.counted(packStr, 1<<(c-0xd9), 1)
	case 0xdc, 0xdd:
		return p.counted(packArray, 2<<(c-0xdc), 1)
	case 0xde, 0xdf:
		return p.counted(packMap, 2<<(c-0xde), 2)
	}
	return item{}, fmt.Errorf("byte %#x is reserved", c)
}

func (p *packed) take(n int) ([]byte, error) {
	if n > len(p.rest) {
		return nil, errShort
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b, nil
}

// number takes a big-endian number of 1, 2, 4 or 8 bytes.
func (p *packed) number(width int) (uint64, error) {
	b, err := p.take(width)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[8-width:], b)
	return binary.BigEndian.Uint64(wide[:]), nil
}

func (p *packed) signedInt(width int) (item, error) {
	bits, err := p.number(width)
	shift := 64 - 8*width
	return integer(uint64(int64(bits<<shift) >> shift)), err
}

func integer(bits uint64) item {
	return item{family: packInt, bits: bits, signed: int64(bits) < 0}
}

func (p *packed) counted(f family, width, unit int) (item, error) {
	n, err := p.number(width)
	if err != nil {
		return item{}, err
	}
	return p.sized(f, n, unit)
}

// sized refuses sizes that what is left cannot hold: a unit is the least number of bytes
// that one of what is counted takes.
func (p *packed) sized(f family, n uint64, unit int) (item, error) {
	if n > uint64(len(p.rest)/unit) {
		return item{}, errShort
	}
	return item{family: f, size: int(n)}, nil
}

// extension takes the size, unless it is known, and the type byte, which counts as content here.
func (p *packed) extension(width int, known uint64) (item, error) {
	if width > 0 {
		n, err := p.number(width)
		if err != nil {
			return item{}, err
		}
		known = n
	}
	return p.sized(packExt, known+1, 1)
}

// content takes the bytes of a str, bin or ext.
func (p *packed) content(it item) []byte {
	b, _ := p.take(it.size)
	return b
}

// skip passes over one item with all that is in it. It does not recurse: it counts what is
// still to come, which the bytes bound.
func (p *packed) skip() error {
	for pending := uint64(1); pending > 0; pending-- {
		it, err := p.head()
		if err != nil {
			return err
		}
		switch it.family {
		case packStr, packBin, packExt:
			p.content(it)
		case packArray:
			pending += uint64(it.size)
		case packMap:
			pending += 2 * uint64(it.size)
		}
	}
	return nil
}

// text takes a str (or, where the reference does, a bin) as a string of its own.
func (p *packed) text(allow ...family) (string, error) {
	b, err := p.textBytes(allow...)
	return string(b), err
}

func (p *packed) textBytes(allow ...family) ([]byte, error) {
	it, err := p.head()
	if err != nil {
		return nil, err
	}
	for _, f := range allow {
		if it.family == f {
			return p.content(it), nil
		}
	}
	return nil, fmt.Errorf("%v where %v is expected", it.family, allow[0])
}

// The functions below write MessagePack, each in the shortest form.

func appendPackedStr(dst []byte, s string) []byte {
	if len(s) < 32 {
		return append(append(dst, 0xa0|byte(len(s))), s...)
	}
	return append(appendPackedSize(dst, len(s), 0xd9), s...)
}

func appendPackedBin(dst, b []byte) []byte { return append(appendPackedSize(dst, len(b), 0xc4), b...) }

// appendPackedSize writes the head of a str or bin whose form with an 8-bit size is form8.
func appendPackedSize(dst []byte, n int, form8 byte) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, form8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, form8+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, form8+2), uint32(n))
}

// appendPackedCount writes the head of an array (0x90, 0xdc) or a map (0x80, 0xde).
func appendPackedCount(dst []byte, n int, fix, form16 byte) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, form16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, form16+1), uint32(n))
}

func appendPackedUint(dst []byte, n uint32) []byte {
	switch {
	case n < 128:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xce), n)
}

func appendPackedInt(dst []byte, n int32) []byte {
	switch {
	case n >= 0:
		return appendPackedUint(dst, uint32(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
}
