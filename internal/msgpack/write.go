// Package msgpack writes and reads MessagePack. Writing takes the shortest form of each item.
// Reading allocates nothing and believes no size before it is compared with the bytes that are left.
package msgpack

import (
	"encoding/binary"
	"math"
)

// AppendNil appends nil.
func AppendNil(dst []byte) []byte { return append(dst, 0xc0) }

// AppendBool appends a boolean.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}

// AppendUint appends an integer.
func AppendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return AppendUint64(dst, n)
}

// AppendUint64 appends an integer in its longest form, whatever its value.
func AppendUint64(dst []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return AppendUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// AppendFloat appends a float of 64 bits.
func AppendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

// AppendString appends a string.
func AppendString(dst []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

// AppendBin appends bytes.
func AppendBin(dst, b []byte) []byte { return append(AppendBinHead(dst, len(b)), b...) }

// AppendBinHead appends the head of n bytes, which the caller appends.
func AppendBinHead(dst []byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
}

// AppendArray appends the head of an array of n elements.
func AppendArray(dst []byte, n int) []byte { return appendCount(dst, n, 0x90, 0xdc) }

// AppendMap appends the head of a map of n pairs.
func AppendMap(dst []byte, n int) []byte { return appendCount(dst, n, 0x80, 0xde) }

func appendCount(dst []byte, n int, fix, form16 byte) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, form16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, form16+1), uint32(n))
}

// SetArray turns the byte at head, reserved for it, into the head of an array of the n elements that
// follow.
func SetArray(dst []byte, head, n int) []byte { return setCount(dst, head, n, 0x90, 0xdc) }

// SetMap turns the byte at head, reserved for it, into the head of a map of the n pairs that follow.
func SetMap(dst []byte, head, n int) []byte { return setCount(dst, head, n, 0x80, 0xde) }

// setCount moves the items if the head needs two or four bytes more: cheaper than to count them first.
func setCount(dst []byte, head, n int, fix, form16 byte) []byte {
	var buf [5]byte
	h := appendCount(buf[:0], n, fix, form16)
	if more := len(h) - 1; more > 0 {
		dst = append(dst, h[1:]...)
		copy(dst[head+1+more:], dst[head+1:])
	}
	copy(dst[head:], h)
	return dst
}

// StringSize returns the bytes that a string of n bytes takes.
func StringSize(n int) int {
	if n < 32 {
		return 1 + n
	}
	return BinSize(n)
}

// BinSize returns the bytes that n bytes take.
func BinSize(n int) int {
	switch {
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	}
	return 5 + n
}

// UintSize returns the bytes that AppendUint appends.
func UintSize(n uint64) int {
	switch {
	case n < 128:
		return 1
	case n <= math.MaxUint8:
		return 2
	case n <= math.MaxUint16:
		return 3
	case n <= math.MaxUint32:
		return 5
	}
	return 9
}
