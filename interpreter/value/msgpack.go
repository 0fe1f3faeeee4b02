package value

import (
	"encoding/binary"
	"math"
	"strconv"
)

// AppendMsgpack writes a value as MessagePack, the way arguments of calls are handed to hosts: integers in their
// shortest form, floats always in 64 bits, maps with their keys in order. It goes straight from text to bytes.
// A raw value that is not JSON becomes nil.
func AppendMsgpack(dst []byte, v Value) []byte {
	text, ok := v.canon()
	if !ok {
		return append(dst, 0xc0)
	}
	dst, _ = appendMsgpack(dst, text, 0)
	return dst
}

// appendMsgpack writes the value at s[i] and returns the offset after it.
func appendMsgpack(dst []byte, s string, i int) ([]byte, int) {
	end := i
	switch s[i] {
	case '"':
		end = skipString(s, i)
		return appendMsgpackString(dst, unquote(s[i+1:end-1])), end
	case '[':
		return appendMsgpackArray(dst, s, i+1)
	case '{':
		return appendMsgpackMap(dst, s, i+1)
	case 'n':
		return append(dst, 0xc0), i + 4
	case 'f':
		return append(dst, 0xc2), i + 5
	case 't':
		return append(dst, 0xc3), i + 4
	}
	end = skip(s, i)
	return appendMsgpackNumber(dst, s[i:end]), end
}

func appendMsgpackArray(dst []byte, s string, i int) ([]byte, int) {
	header, n := len(dst), 0
	dst = append(dst, 0)
	for s[i] != ']' {
		if n > 0 {
			i++
		}
		dst, i = appendMsgpack(dst, s, i)
		n++
	}
	return setMsgpackCount(dst, header, n, 0x90, 0xdc), i + 1
}

func appendMsgpackMap(dst []byte, s string, i int) ([]byte, int) {
	header, n := len(dst), 0
	dst = append(dst, 0)
	for s[i] != '}' {
		if n > 0 {
			i++
		}
		dst, i = appendMsgpack(dst, s, i)
		dst, i = appendMsgpack(dst, s, i+1)
		n++
	}
	return setMsgpackCount(dst, header, n, 0x80, 0xde), i + 1
}

// setMsgpackCount writes the header of an array or map once its elements are there. One byte
// was kept for it; a count above 15 needs two or four more, and moving the elements by that costs
// less than counting them beforehand.
func setMsgpackCount(dst []byte, header, n int, fix, wide byte) []byte {
	if n < 16 {
		dst[header] = fix | byte(n)
		return dst
	}
	more := 2
	if n > math.MaxUint16 {
		more = 4
	}
	dst = append(dst, make([]byte, more)...)
	copy(dst[header+1+more:], dst[header+1:])
	if more == 2 {
		dst[header] = wide
		binary.BigEndian.PutUint16(dst[header+1:], uint16(n))
	} else {
		dst[header] = wide + 1
		binary.BigEndian.PutUint32(dst[header+1:], uint32(n))
	}
	return dst
}

func appendMsgpackString(dst []byte, s string) []byte {
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

func appendMsgpackNumber(dst []byte, text string) []byte {
	if numberKind(text) == KindFloat {
		f, _ := strconv.ParseFloat(text, 64)
		return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
	}
	if text[0] == '-' {
		n, _ := strconv.ParseInt(text, 10, 64)
		return appendMsgpackNegative(dst, n)
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return appendMsgpackUint(dst, n)
}

func appendMsgpackUint(dst []byte, n uint64) []byte {
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
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func appendMsgpackNegative(dst []byte, n int64) []byte {
	switch {
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
