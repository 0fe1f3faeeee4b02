// Package wire is the particle protocol's frame and message.
//
//	frame   = length as unsigned varint | message
//	message = 81 04 (multicodec MessagePack) | one MessagePack map
//
// The map has string keys in any order: action ("Particle", or "Upgrade", which carries
// nothing and asks for nothing), id, init_peer_id, timestamp, ttl, script, signature,
// data. A particle needs all of them; keys not named here are skipped.
//
// The byte fields are written as MessagePack bin, the only form the js-client takes, and
// read as bin or as the array of small integers that the js-client sends.
//
// The id has at most [MaxID] bytes, the init peer id [MaxInitPeerID], the signature
// [MaxSignature]: peers keep these in journals and indexes.
//
// The codec reads bytes from strangers. It allocates nothing by a length that the input does not back
// up, skips values without recursion and refuses bytes after the map. Of a decoded particle only the
// data may share the message's memory, and only when it is at least half of it.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// ProtocolID names the protocol towards libp2p.
const ProtocolID = "/fluence/particle/2.0.0"

// Bounds of a message in bytes.
const (
	MaxMessage       = 100 << 20 // what peers accept
	MaxClientMessage = 4 << 20   // what the js-client accepts; it goes deaf on a stream after more
)

// Reasons for refusing a frame or a message.
var (
	ErrTooLong   = errors.New("frame too long")
	ErrTruncated = errors.New("frame ends early")
	ErrCodec     = errors.New("message is not MessagePack (prefix 81 04)")
	ErrMalformed = errors.New("message is malformed")
	ErrField     = errors.New("message does not make a particle")
	// ErrUpgrade marks an Upgrade message, to be ignored.
	ErrUpgrade = errors.New("upgrade message carries no particle")
)

// firstRead is how much is allocated on a length alone; longer messages double their
// buffer as bytes arrive, so that a stranger pays for memory with traffic.
const firstRead = 64 << 10

// Source is what frames are read from, such as a bufio.Reader.
type Source interface {
	io.Reader
	io.ByteReader
}

// ReadMessage reads one frame and returns its message in a buffer of its own. It
// returns io.EOF only before the first byte of a frame. Other errors of the source are
// passed on, so that a deadline can be told from a stream that ends early.
func ReadMessage(r Source, limit int) ([]byte, error) {
	size, err := ReadLength(r, limit)
	if err != nil {
		return nil, err
	}
	return ReadBody(r, size, func(int) error { return nil })
}

// ReadLength reads the head of a frame, for those who ask for memory before they read on
// with [ReadBody].
func ReadLength(r io.ByteReader, limit int) (int, error) {
	size, err := readLength(r)
	if err == nil && size > uint64(limit) {
		err = fmt.Errorf("%w: %d bytes of at most %d", ErrTooLong, size, limit)
	}
	return int(size), err
}

// ReadBody reads a message of the given size. It asks for memory with the number of bytes
// before it takes any, and passes on the error if there is none. What it asked for comes to
// size when it succeeds; it is less as long as little has arrived.
func ReadBody(r io.Reader, size int, reserve func(bytes int) error) ([]byte, error) {
	if err := reserve(min(size, firstRead)); err != nil {
		return nil, err
	}
	buf := make([]byte, min(size, firstRead))
	for filled := 0; ; {
		if _, err := io.ReadFull(r, buf[filled:]); err != nil {
			return nil, early(err)
		}
		if filled = len(buf); filled == size {
			return buf, nil
		}
		if err := reserve(min(size, 2*filled) - filled); err != nil {
			return nil, err
		}
		grown := make([]byte, min(size, 2*filled))
		copy(grown, buf)
		buf = grown
	}
}

func readLength(r io.ByteReader) (uint64, error) {
	var size uint64
	for shift := 0; shift < 63; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			if shift == 0 {
				return 0, err
			}
			return 0, early(err)
		}
		if b < 0x80 {
			return size | uint64(b)<<shift, nil
		}
		size |= uint64(b&0x7f) << shift
	}
	return 0, fmt.Errorf("%w: length of more than 9 bytes", ErrTooLong)
}

func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// appendLength appends the frame length.
func appendLength(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

func lengthSize(n int) int { return max(1, (bits.Len(uint(n))+6)/7) }
