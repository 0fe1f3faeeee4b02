package wire

import (
	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/particle"
)

// prefix is the multicodec code 0x0201, MessagePack, as varint.
const prefix = "\x81\x04"

// MessageSize is the length of the particle's message, to be compared with a bound
// before encoding.
func MessageSize(p *particle.Particle) int {
	return fixedSize + msgpack.UintSize(uint64(p.TTL)) +
		msgpack.StringSize(len(p.ID)) + msgpack.StringSize(len(p.InitPeerID)) + msgpack.StringSize(len(p.Script)) +
		msgpack.BinSize(len(p.Signature)) + msgpack.BinSize(len(p.Data))
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
	dst = msgpack.AppendMap(dst, 8)
	dst = msgpack.AppendString(msgpack.AppendString(dst, "action"), "Particle")
	dst = msgpack.AppendString(msgpack.AppendString(dst, "id"), p.ID)
	dst = msgpack.AppendString(msgpack.AppendString(dst, "init_peer_id"), p.InitPeerID)
	dst = msgpack.AppendUint64(msgpack.AppendString(dst, "timestamp"), p.Timestamp)
	dst = msgpack.AppendUint(msgpack.AppendString(dst, "ttl"), uint64(p.TTL))
	dst = msgpack.AppendString(msgpack.AppendString(dst, "script"), p.Script)
	dst = msgpack.AppendBin(msgpack.AppendString(dst, "signature"), p.Signature)
	return msgpack.AppendBin(msgpack.AppendString(dst, "data"), p.Data)
}

// Frame is the particle's frame in one buffer of the right size.
func Frame(p *particle.Particle) []byte {
	n := MessageSize(p)
	return Append(make([]byte, 0, lengthSize(n)+n), p)
}
