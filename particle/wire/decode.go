package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/particle"
)

// maxDepth bounds the nesting of values under keys that are skipped.
const maxDepth = 32

// The fields of a particle message, as bits to tell which were there.
const (
	fieldAction = 1 << iota
	fieldID
	fieldInitPeerID
	fieldTimestamp
	fieldTTL
	fieldScript
	fieldSignature
	fieldData
	fieldsAll = 1<<iota - 1
)

var fieldNames = [...]string{"action", "id", "init_peer_id", "timestamp", "ttl", "script", "signature", "data"}

// Bounds of the fields that peers keep beyond the particle's life. The js-client's ids have 36
// bytes, peer ids with an inlined key 52 to 54, signatures 64 to 72, those of RSA keys 256 to 512.
const (
	MaxID         = 256
	MaxInitPeerID = 128
	MaxSignature  = 512
)

// maxAction is as much as an error shows of an action that does not exist.
const maxAction = 32

// Decode reads a message. The particle's data is a view into it when it is at least half of
// it; no other field keeps the message in memory. An Upgrade message returns [ErrUpgrade].
func Decode(message []byte) (*particle.Particle, error) {
	if len(message) < len(prefix) || string(message[:len(prefix)]) != prefix {
		return nil, ErrCodec
	}
	d := decoder{b: message[len(prefix):]}
	p := new(particle.Particle)
	action, seen := d.message(p)
	switch {
	case d.err != nil:
		return nil, d.err
	case len(d.b) != 0:
		return nil, fmt.Errorf("%w: %d bytes after the map", ErrMalformed, len(d.b))
	case string(action) == "Upgrade":
		return nil, ErrUpgrade
	case seen&fieldAction != 0 && string(action) != "Particle":
		return nil, fmt.Errorf("%w: unknown action %q", ErrField, text.Cut(string(action[:min(len(action), maxAction+1)]), maxAction))
	}
	for i, name := range fieldNames {
		if seen&(1<<i) == 0 {
			return nil, fmt.Errorf("%w: no %s", ErrField, name)
		}
	}
	if 2*len(p.Data) < len(message) { // a byte of data must not keep a script of 100 MB twice
		p.Data = bytes.Clone(p.Data)
	}
	return p, nil
}

// decoder walks over MessagePack. The first error sticks and ends all loops; b is what
// has not been read yet.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) message(p *particle.Particle) (action []byte, seen uint) {
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		key := d.str()
		field := uint(0)
		switch string(key) {
		case "action":
			field, action = fieldAction, d.str()
		case "id":
			field, p.ID = fieldID, d.text("id", MaxID)
		case "init_peer_id":
			field, p.InitPeerID = fieldInitPeerID, d.text("init_peer_id", MaxInitPeerID)
		case "timestamp":
			field, p.Timestamp = fieldTimestamp, d.uint("timestamp", math.MaxUint64)
		case "ttl":
			field, p.TTL = fieldTTL, uint32(d.uint("ttl", math.MaxUint32))
		case "script":
			field, p.Script = fieldScript, d.text("script", math.MaxInt)
		case "signature":
			field, p.Signature = fieldSignature, bytes.Clone(d.bytes("signature", MaxSignature))
		case "data":
			field, p.Data = fieldData, d.bytes("data", math.MaxInt)
		default:
			d.skip(0)
		}
		if seen&field != 0 {
			d.fail(ErrField, "%s twice", key)
		}
		seen |= field
	}
	return action, seen
}

func (d *decoder) fail(kind error, format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{kind}, args...)...)
	}
	d.b = nil
}

// take cuts n bytes off the input.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail(ErrMalformed, "a value of %d bytes ends early", n)
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// head reads the byte that says what follows; 0xc1, which MessagePack never uses,
// stands for the end of the input.
func (d *decoder) head() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0xc1
}

// number reads a big-endian number of 1, 2, 4 or 8 bytes.
func (d *decoder) number(size int) uint64 {
	b := d.take(size)
	if b == nil {
		return 0
	}
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

func (d *decoder) mapLen() int {
	switch h := d.head(); {
	case h&0xf0 == 0x80:
		return int(h & 0x0f)
	case h == 0xde:
		return int(d.number(2))
	case h == 0xdf:
		return int(d.number(4))
	default:
		d.fail(ErrMalformed, "a map is expected, found %#02x", h)
		return 0
	}
}

// str reads a string as it is, for keys and the action.
func (d *decoder) str() []byte {
	switch h := d.head(); {
	case h&0xe0 == 0xa0:
		return d.take(int(h & 0x1f))
	case h >= 0xd9 && h <= 0xdb:
		return d.take(int(d.number(1 << (h - 0xd9))))
	default:
		d.fail(ErrMalformed, "a string is expected, found %#02x", h)
		return nil
	}
}

// text reads a string field of at most limit bytes, which has to be UTF-8.
func (d *decoder) text(field string, limit int) string {
	b := d.str()
	if d.tooLong(field, len(b), limit) {
		return ""
	}
	if !utf8.Valid(b) {
		d.fail(ErrField, "%s is not UTF-8", field)
	}
	return string(b)
}

func (d *decoder) tooLong(field string, n, limit int) bool {
	if n > limit {
		d.fail(ErrField, "%s has %d bytes, at most %d are taken", field, n, limit)
	}
	return n > limit
}

func (d *decoder) uint(field string, limit uint64) uint64 {
	var n uint64
	switch h := d.head(); {
	case h < 0x80:
		n = uint64(h)
	case h >= 0xcc && h <= 0xcf:
		n = d.number(1 << (h - 0xcc))
	case h >= 0xd0 && h <= 0xd3: // signed forms, good for numbers that are not negative
		size := 1 << (h - 0xd0)
		n = d.number(size)
		if n>>(8*size-1) != 0 {
			d.fail(ErrField, "%s is negative", field)
		}
	default:
		d.fail(ErrField, "%s is not an unsigned integer (%#02x)", field, h)
	}
	if n > limit {
		d.fail(ErrField, "%s is %d, at most %d fit", field, n, limit)
	}
	return n
}

// bytes reads a byte field of at most limit bytes in either form.
func (d *decoder) bytes(field string, limit int) []byte {
	switch h := d.head(); {
	case h >= 0xc4 && h <= 0xc6:
		n := int(d.number(1 << (h - 0xc4)))
		if d.tooLong(field, n, limit) {
			return nil
		}
		return d.take(n)
	case h&0xf0 == 0x90:
		return d.byteArray(field, int(h&0x0f), limit)
	case h == 0xdc || h == 0xdd:
		return d.byteArray(field, int(d.number(2<<(h-0xdc))), limit)
	default:
		d.fail(ErrField, "%s is neither bin nor array (%#02x)", field, h)
		return nil
	}
}

// byteArray reads an array of n integers from 0 to 255. Each takes a byte or more, so
// the bytes left bound what is allocated.
func (d *decoder) byteArray(field string, n, limit int) []byte {
	if d.tooLong(field, n, limit) {
		return nil
	}
	if n > len(d.b) {
		d.fail(ErrMalformed, "%s has %d elements in %d bytes", field, n, len(d.b))
		return nil
	}
	out := make([]byte, n)
	for i := range out {
		switch {
		case len(d.b) > 0 && d.b[0] < 0x80:
			out[i], d.b = d.b[0], d.b[1:]
		case len(d.b) > 1 && d.b[0] == 0xcc:
			out[i], d.b = d.b[1], d.b[2:]
		default:
			out[i] = byte(d.uint(field, math.MaxUint8))
		}
		if d.err != nil {
			return nil
		}
	}
	return out
}

// skip passes over one value of any kind.
func (d *decoder) skip(depth int) {
	if depth > maxDepth {
		d.fail(ErrMalformed, "more than %d levels", maxDepth)
		return
	}
	switch h := d.head(); {
	case h < 0x80, h >= 0xe0, h == 0xc0, h == 0xc2, h == 0xc3: // small integers, nil, booleans
	case h <= 0x8f:
		d.skipMany(2*int(h&0x0f), depth)
	case h <= 0x9f:
		d.skipMany(int(h&0x0f), depth)
	case h <= 0xbf:
		d.take(int(h & 0x1f))
	case h >= 0xc4 && h <= 0xc6: // bin
		d.take(int(d.number(1 << (h - 0xc4))))
	case h >= 0xc7 && h <= 0xc9: // ext: length, type
		d.take(1 + int(d.number(1<<(h-0xc7))))
	case h == 0xca || h == 0xcb: // floats
		d.take(4 << (h - 0xca))
	case h >= 0xcc && h <= 0xd3: // integers
		d.take(1 << ((h - 0xcc) & 3))
	case h >= 0xd4 && h <= 0xd8: // fixext: type
		d.take(1 + 1<<(h-0xd4))
	case h >= 0xd9 && h <= 0xdb:
		d.take(int(d.number(1 << (h - 0xd9))))
	case h == 0xdc || h == 0xdd:
		d.skipMany(int(d.number(2<<(h-0xdc))), depth)
	case h == 0xde || h == 0xdf:
		d.skipMany(2*int(d.number(2<<(h-0xde))), depth)
	default:
		d.fail(ErrMalformed, "byte %#02x begins no value", h)
	}
}

func (d *decoder) skipMany(n, depth int) {
	for ; n > 0 && d.err == nil; n-- {
		d.skip(depth + 1)
	}
}
