package wire

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/internal/text"
	"github.com/aquanode/aquanode/particle"
)

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
	d := decoder{Reader: msgpack.Reader{Rest: message[len(prefix):]}}
	p := new(particle.Particle)
	action, seen := d.message(p)
	switch {
	case d.err != nil:
		return nil, d.err
	case len(d.Rest) != 0:
		return nil, fmt.Errorf("%w: %d bytes after the map", ErrMalformed, len(d.Rest))
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

// decoder reads the fields. The first error sticks and ends all loops.
type decoder struct {
	msgpack.Reader
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
			d.skip()
		}
		if seen&field != 0 {
			d.fail(ErrField, "%s twice", key)
		}
		seen |= field
	}
	return action, seen
}

// fail keeps the first error and ends the input.
func (d *decoder) fail(kind error, format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{kind}, args...)...)
	}
	d.Rest = nil
}

// next reads the head of an item; nil after an error.
func (d *decoder) next() msgpack.Item {
	it, err := d.Next()
	if err != nil {
		d.fail(ErrMalformed, "%v", err)
	}
	return it
}

func (d *decoder) mapLen() int {
	it := d.next()
	if it.Kind != msgpack.Map {
		d.fail(ErrMalformed, "%v where a map is expected", it.Kind)
	}
	return it.Size
}

// str reads a string as it is, for keys and the action.
func (d *decoder) str() []byte {
	it := d.next()
	if it.Kind != msgpack.String {
		d.fail(ErrMalformed, "%v where a string is expected", it.Kind)
		return nil
	}
	return d.Content(it)
}

// text reads a string field of at most limit bytes, which must be UTF-8.
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
		d.fail(ErrField, "%s has %d bytes, the limit is %d", field, n, limit)
	}
	return n > limit
}

// uint reads an integer field, in signed or unsigned form.
func (d *decoder) uint(field string, limit uint64) uint64 {
	switch it := d.next(); {
	case it.Kind != msgpack.Int:
		d.fail(ErrField, "%s: %v where an unsigned integer is expected", field, it.Kind)
	case it.Signed:
		d.fail(ErrField, "%s is negative", field)
	case it.Bits > limit:
		d.fail(ErrField, "%s is %d, the limit is %d", field, it.Bits, limit)
	default:
		return it.Bits
	}
	return 0
}

// bytes reads a byte field of at most limit bytes in either form.
func (d *decoder) bytes(field string, limit int) []byte {
	it := d.next()
	if d.tooLong(field, it.Size, limit) {
		return nil
	}
	switch it.Kind {
	case msgpack.Bin:
		return d.Content(it)
	case msgpack.Array:
		return d.byteArray(field, it.Size)
	}
	d.fail(ErrField, "%s: %v where bytes or an array is expected", field, it.Kind)
	return nil
}

// byteArray reads an array of n integers from 0 to 255.
func (d *decoder) byteArray(field string, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		switch b := d.Rest; {
		case len(b) > 0 && b[0] < 0x80:
			out[i], d.Rest = b[0], b[1:]
		case len(b) > 1 && b[0] == 0xcc:
			out[i], d.Rest = b[1], b[2:]
		default:
			out[i] = byte(d.uint(field, math.MaxUint8))
		}
		if d.err != nil {
			return nil
		}
	}
	return out
}

func (d *decoder) skip() {
	if err := d.Skip(); err != nil {
		d.fail(ErrMalformed, "%v", err)
	}
}
