package value

import (
	"strconv"

	"github.com/aquanode/aquanode/internal/msgpack"
)

// AppendMsgpack appends a value as MessagePack, in the form that hosts get arguments of calls:
// integers in their shortest form, floats always in 64 bits, maps with sorted keys. It goes
// straight from text to bytes. A raw value that is not JSON becomes nil.
func AppendMsgpack(dst []byte, v Value) []byte {
	text, ok := v.canon()
	if !ok {
		return msgpack.AppendNil(dst)
	}
	dst, _ = appendMsgpack(dst, text, 0)
	return dst
}

// appendMsgpack appends the value at s[i] and returns the offset after it.
func appendMsgpack(dst []byte, s string, i int) ([]byte, int) {
	end := i
	switch s[i] {
	case '"':
		end = skipString(s, i)
		return msgpack.AppendString(dst, unquote(s[i+1:end-1])), end
	case '[':
		return appendMsgpackArray(dst, s, i+1)
	case '{':
		return appendMsgpackMap(dst, s, i+1)
	case 'n':
		return msgpack.AppendNil(dst), i + 4
	case 'f':
		return msgpack.AppendBool(dst, false), i + 5
	case 't':
		return msgpack.AppendBool(dst, true), i + 4
	}
	end = skip(s, i)
	return appendMsgpackNumber(dst, s[i:end]), end
}

func appendMsgpackArray(dst []byte, s string, i int) ([]byte, int) {
	head, n := len(dst), 0
	dst = append(dst, 0)
	for s[i] != ']' {
		if n > 0 {
			i++
		}
		dst, i = appendMsgpack(dst, s, i)
		n++
	}
	return msgpack.SetArray(dst, head, n), i + 1
}

func appendMsgpackMap(dst []byte, s string, i int) ([]byte, int) {
	head, n := len(dst), 0
	dst = append(dst, 0)
	for s[i] != '}' {
		if n > 0 {
			i++
		}
		dst, i = appendMsgpack(dst, s, i)
		dst, i = appendMsgpack(dst, s, i+1)
		n++
	}
	return msgpack.SetMap(dst, head, n), i + 1
}

func appendMsgpackNumber(dst []byte, text string) []byte {
	if numberKind(text) == KindFloat {
		f, _ := strconv.ParseFloat(text, 64)
		return msgpack.AppendFloat(dst, f)
	}
	if text[0] == '-' {
		n, _ := strconv.ParseInt(text, 10, 64)
		return msgpack.AppendInt(dst, n)
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return msgpack.AppendUint(dst, n)
}
