package wire

import (
	"encoding/binary"
	"math"

	"github.com/aquanode/aquanode/particle"
)

// prefix is the multicodec code 0x0201, MessagePack, as varint.
const prefix = "\x81\x04"

// MessageSize is the length of the particle's message, to be compared with a bound
// before encoding.
func MessageSize(p *particle.Particle) int {
	return fixedSize + uintSize(uint64(p.TTL)) +
		strSize(len(p.ID)) + strSize(len(p.InitPeerID)) + strSize(len(p.Script)) +
		binSize(len(p.Signature)) + binSize(len(p.Data))
}

// fixedSize counts the parts that do not depend on the particle: prefix, map header,
// the keys with their one-byte headers, the action's value and the timestamp.
const fixedSize = len(prefix) + 1 +
	len("action") + len("id") + len("init_peer_id") + len("timestamp") + len("ttl") + len("script") + len("signature") + len("data") + 8 +
	1 + len("Particle") + 9

// Append appends the particle's frame to dst.
func Append(dst []byte, p *particle.Particle) []byte {
	dst = appendLength(dst, MessageSize(p))
	dst = append(dst, prefix...)
	dst = append(dst, 0x88) // map of 8
	dst = appendStr(appendStr(dst, "action"), "Particle")
	dst = appendStr(appendStr(dst, "id"), p.ID)
	dst = appendStr(appendStr(dst, "init_peer_id"), p.InitPeerID)
	dst = append(appendStr(dst, "timestamp"), 0xcf)
	dst = binary.BigEndian.AppendUint64(dst, p.Timestamp)
	dst = appendUint(appendStr(dst, "ttl"), uint64(p.TTL))
	dst = appendStr(appendStr(dst, "script"), p.Script)
	dst = appendBin(appendStr(dst, "signature"), p.Signature)
	return appendBin(appendStr(dst, "data"), p.Data)
}

// Frame is the particle's frame in one buffer of the right size.
func Frame(p *particle.Particle) []byte {
	n := MessageSize(p)
	return Append(make([]byte, 0, lengthSize(n)+n), p)
}

func appendStr(dst []byte, s string) []byte {
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

func strSize(n int) int {
	switch {
	case n < 32:
		return 1 + n
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	}
	return 5 + n
}

func appendBin(dst, b []byte) []byte {
	switch n := len(b); {
	case n <= math.MaxUint8:
		dst = append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
	}
	return append(dst, b...)
}

func binSize(n int) int {
	switch {
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	}
	return 5 + n
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
}

func uintSize(n uint64) int {
	switch {
	case n < 0x80:
		return 1
	case n <= math.MaxUint8:
		return 2
	case n <= math.MaxUint16:
		return 3
	}
	return 5
}
