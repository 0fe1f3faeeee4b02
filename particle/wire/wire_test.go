package wire

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	library "github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/particle"
)

func sample() *particle.Particle {
	signature, _ := base64.StdEncoding.DecodeString("KceXDnOfqe0dOnAxiDsyWBIvUq6WHoT0ge+VMHXOZsjZvCNH7/10oufdlYfcPomfv28On6E87ZhDcHGBZcb7Bw==")
	return &particle.Particle{
		ID:         "2883f959-e9e7-4843-8c37-205d393ca372",
		InitPeerID: "12D3KooWANqfCDrV79MZdMnMqTvDdqSAPSxdgFY1L6DCq2DVGB4D",
		Timestamp:  1696934545662,
		TTL:        7000,
		Script:     "abc",
		Signature:  signature,
		Data:       []byte{},
	}
}

// clientFrame is a frame as clients send it: byte fields as arrays of integers in their
// shortest forms, keys in alphabetical order.
func clientFrame(p *particle.Particle) []byte {
	b := []byte("\x81\x04\x88\xa6action\xa8Particle\xa4data")
	b = appendArray(b, p.Data)
	b = msgpack.AppendString(append(b, "\xa2id"...), p.ID)
	b = msgpack.AppendString(append(b, "\xacinit_peer_id"...), p.InitPeerID)
	b = msgpack.AppendString(append(b, "\xa6script"...), p.Script)
	b = appendArray(append(b, "\xa9signature"...), p.Signature)
	b = binary.BigEndian.AppendUint64(append(b, "\xa9timestamp\xcf"...), p.Timestamp)
	b = msgpack.AppendUint(append(b, "\xa3ttl"...), uint64(p.TTL))
	return append(appendLength(nil, len(b)), b...)
}

func appendArray(dst, b []byte) []byte {
	dst = msgpack.AppendArray(dst, len(b))
	for _, c := range b {
		dst = msgpack.AppendUint(dst, uint64(c))
	}
	return dst
}

func read(t testing.TB, frame []byte) *particle.Particle {
	t.Helper()
	message, err := ReadMessage(bufio.NewReader(bytes.NewReader(frame)), MaxMessage)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	p, err := Decode(message)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return p
}

// The recorded client frame of docs/spec/node.md, 2.2, is 335 bytes long and begins
// with these bytes; the rest of it is ours.
func TestClientFrame(t *testing.T) {
	p := sample()
	for len(clientFrame(p)) < 2+335 {
		p.Script += " "
	}
	frame := clientFrame(p)
	begin := "\xcf\x02\x81\x04\x88\xa6action\xa8Particle\xa4data\x90\xa2id\xd9\x24"
	if !bytes.HasPrefix(frame, []byte(begin)) {
		t.Fatalf("want a frame beginning %x, got %x", begin, frame[:40])
	}
	if diff := cmp.Diff(p, read(t, frame)); diff != "" {
		t.Errorf("decoded particle (-want +got):\n%s", diff)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.SampledFrom([]int{0, 15, 16, 31, 32, 255, 256, 65535, 65536, 100_000})
		pad := func(s string, n int) string { return s + strings.Repeat("x", n) }
		p := &particle.Particle{
			ID:         rapid.StringN(-1, -1, MaxID).Draw(t, "id"),
			InitPeerID: rapid.StringN(-1, -1, MaxInitPeerID).Draw(t, "init"),
			Timestamp:  rapid.Uint64().Draw(t, "timestamp"),
			TTL:        rapid.Uint32().Draw(t, "ttl"),
			Script:     pad(rapid.String().Draw(t, "script"), long.Draw(t, "script length")),
			Signature:  rapid.SliceOfN(rapid.Byte(), 0, MaxSignature).Draw(t, "signature"),
			Data:       []byte(pad(string(rapid.SliceOf(rapid.Byte()).Draw(t, "data")), long.Draw(t, "data length"))),
		}
		frame := Frame(p)
		if cap(frame) != len(frame) {
			t.Fatalf("frame of %d bytes in a buffer of %d", len(frame), cap(frame))
		}
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(frame), bytes.NewReader(frame)))
		for range 2 { // many frames in a stream
			message, err := ReadMessage(r, MaxMessage)
			if err != nil {
				t.Fatal(err)
			}
			if len(message) != MessageSize(p) {
				t.Fatalf("want %d bytes, got %d", MessageSize(p), len(message))
			}
			got, err := Decode(message)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("decoded particle (-want +got):\n%s", diff)
			}
		}
		if _, err := ReadMessage(r, MaxMessage); err != io.EOF {
			t.Fatalf("after the last frame: want EOF, got %v", err)
		}
	})
}

// An independent MessagePack library reads what we write.
func TestEncodeAgainstLibrary(t *testing.T) {
	p := sample()
	message, err := ReadMessage(bufio.NewReader(bytes.NewReader(Frame(p))), MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := library.Unmarshal(message[2:], &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"action": "Particle", "id": p.ID, "init_peer_id": p.InitPeerID, "timestamp": p.Timestamp,
		"ttl": uint16(p.TTL), "script": p.Script, "signature": p.Signature, "data": p.Data,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("library's view (-want +got):\n%s", diff)
	}
}

// message builds a message from any Go map with an independent library.
func message(t testing.TB, change func(m map[string]any)) []byte {
	t.Helper()
	p := sample()
	m := map[string]any{
		"action": "Particle", "id": p.ID, "init_peer_id": p.InitPeerID, "timestamp": p.Timestamp,
		"ttl": p.TTL, "script": p.Script, "signature": p.Signature, "data": p.Data,
	}
	change(m)
	b, err := library.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(prefix), b...)
}

func TestDecodeTolerates(t *testing.T) {
	for name, change := range map[string]func(m map[string]any){
		"as it is":         func(m map[string]any) {},
		"signed ttl":       func(m map[string]any) { m["ttl"] = int64(7000) },
		"signed timestamp": func(m map[string]any) { m["timestamp"] = int64(1696934545662) },
		"array of ints": func(m map[string]any) {
			ints := []any{}
			for i, b := range sample().Signature {
				ints = append(ints, []any{int64(b), uint16(b), uint64(b), b}[i%4])
			}
			m["signature"] = ints
		},
		"unknown keys": func(m map[string]any) {
			m["future"] = map[string]any{"a": []any{nil, true, -1, -100000, 1.5, float32(2), "s", []byte{1}, uint64(math.MaxUint64)}}
			m["more"] = []any{strings.Repeat("x", 70000), make([]byte, 300), int8(-3), int16(-300), int64(math.MinInt64), make([]int, 20)}
		},
	} {
		got, err := Decode(message(t, change))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(sample(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	set := func(key string, v any) []byte { return message(t, func(m map[string]any) { m[key] = v }) }
	without := func(key string) []byte { return message(t, func(m map[string]any) { delete(m, key) }) }
	good := message(t, func(map[string]any) {})
	deep := append([]byte("\x81\x04\x81\xa1x"), bytes.Repeat([]byte{0x91}, 100_000)...)
	for _, c := range []struct {
		name    string
		message []byte
		want    error
		text    string
	}{
		{"empty", nil, ErrCodec, ""},
		{"JSON", []byte("\x80\x04{}"), ErrCodec, ""},
		{"no prefix", good[2:], ErrCodec, ""},
		{"not a map", []byte("\x81\x04\x93\x01\x02\x03"), ErrMalformed, "an array where a map is expected"},
		{"trailing byte", append(bytes.Clone(good), 0xc0), ErrMalformed, "1 bytes after the map"},
		{"key not a string", []byte("\x81\x04\x81\x01\x01"), ErrMalformed, "an integer where a string is expected"},
		{"never used byte", []byte("\x81\x04\x81\xa1x\xc1"), ErrMalformed, "byte 0xc1 is reserved"},
		{"deep nesting", deep, ErrMalformed, "unexpected end of input"},
		{"huge map", []byte("\x81\x04\xdf\xff\xff\xff\xff"), ErrMalformed, "unexpected end of input"},
		{"huge string", []byte("\x81\x04\x81\xa2id\xdb\xff\xff\xff\xff"), ErrMalformed, "unexpected end of input"},
		{"huge bin", []byte("\x81\x04\x81\xa4data\xc6\xff\xff\xff\xffx"), ErrMalformed, "unexpected end of input"},
		{"huge array", []byte("\x81\x04\x81\xa4data\xdd\xff\xff\xff\xffx"), ErrMalformed, "unexpected end of input"},
		{"twice", []byte("\x81\x04\x82\xa2id\xa1a\xa2id\xa1b"), ErrField, "id twice"},
		{"unknown action", set("action", "Explode"), ErrField, `unknown action "Explode"`},
		{"byte too large", set("data", []any{1, 256}), ErrField, "data is 256, the limit is 255"},
		{"negative byte", set("data", []any{1, -1}), ErrField, "data is negative"},
		{"bytes as text", set("signature", "abc"), ErrField, "signature: a string where bytes"},
		{"float timestamp", set("timestamp", 1.5), ErrField, "timestamp: a float where an unsigned"},
		{"negative timestamp", set("timestamp", int64(math.MinInt64)), ErrField, "timestamp is negative"},
		{"wide ttl", set("ttl", uint64(1<<32)), ErrField, "ttl is 4294967296"},
		{"script not text", set("script", 7), ErrMalformed, "an integer where a string is expected"},
		{"id not UTF-8", set("id", "\xff"), ErrField, "id is not UTF-8"},
		{"long id", set("id", strings.Repeat("x", MaxID+1)), ErrField, "id has 257 bytes, the limit is 256"},
		{"long init peer id", set("init_peer_id", strings.Repeat("x", MaxInitPeerID+1)), ErrField, "init_peer_id has 129 bytes"},
		{"long signature", set("signature", make([]byte, MaxSignature+1)), ErrField, "signature has 513 bytes"},
		{"long signature as array", set("signature", make([]any, MaxSignature+1)), ErrField, "signature has 513 bytes"},
		{"long action", set("action", strings.Repeat("x", 1<<20)), ErrField, "unknown action \"" + strings.Repeat("x", 32) + "...\""},
		{"no action", without("action"), ErrField, "no action"},
		{"no data", without("data"), ErrField, "no data"},
		{"no signature", without("signature"), ErrField, "no signature"},
		{"no ttl", without("ttl"), ErrField, "no ttl"},
		{"upgrade", []byte("\x81\x04\x81\xa6action\xa7Upgrade"), ErrUpgrade, ""},
	} {
		_, err := Decode(c.message)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: want %v with %q, got %v", c.name, c.want, c.text, err)
		}
	}
	if _, err := Decode(set("id", strings.Repeat("x", MaxID))); err != nil {
		t.Errorf("an id of the longest size: %v", err)
	}
	for cut := range good { // no proper beginning of a message is one
		if _, err := Decode(good[:cut]); err == nil {
			t.Errorf("the first %d bytes decode", cut)
		}
	}
}

func TestReadMessageRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"nothing", nil, io.EOF},
		{"half a length", []byte{0x80}, ErrTruncated},
		{"short body", []byte{5, 1, 2}, ErrTruncated},
		{"only a length", []byte{5}, ErrTruncated},
		{"over the limit", []byte{0xe9, 0x07}, ErrTooLong},
		{"endless length", bytes.Repeat([]byte{0xff}, 20), ErrTooLong},
	} {
		_, err := ReadMessage(bufio.NewReader(bytes.NewReader(c.frame)), 1000)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: want %v, got %v", c.name, c.want, err)
		}
	}
	if _, err := ReadMessage(bufio.NewReader(bytes.NewReader(append([]byte{0xe8, 0x07}, make([]byte, 1000)...))), 1000); err != nil {
		t.Errorf("a message of just the limit: %v", err)
	}
}

// A claimed length alone does not make us allocate it.
func TestReadMessageAllocatesAsBytesArrive(t *testing.T) {
	frame := append(appendLength(nil, MaxMessage), make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadMessage(bufio.NewReader(bytes.NewReader(frame)), MaxMessage)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) {
		t.Errorf("want %v, got %v", ErrTruncated, err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 {
		t.Errorf("100 bytes made us allocate %d", spent)
	}
}

// What peers keep of a particle does not keep its message: 37 frames of 60 MB did so for
// good. Data that is most of the message is not copied.
func TestDecodedFieldsShareNothing(t *testing.T) {
	p := sample()
	inside := func(b, message []byte) bool {
		at, begin := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.SliceData(message)))
		return at >= begin && at < begin+uintptr(len(message))
	}
	decode := func() (message []byte, got *particle.Particle) {
		message, err := ReadMessage(bufio.NewReader(bytes.NewReader(Frame(p))), MaxMessage)
		if err == nil {
			got, err = Decode(message)
		}
		if err != nil {
			t.Fatal(err)
		}
		return message, got
	}
	p.Data, p.Script = make([]byte, 100), strings.Repeat(" ", 100_000)
	message, got := decode()
	for name, b := range map[string][]byte{
		"id": unsafe.Slice(unsafe.StringData(got.ID), 1), "init peer id": unsafe.Slice(unsafe.StringData(got.InitPeerID), 1), "script": unsafe.Slice(unsafe.StringData(got.Script), 1),
		"signature": got.Signature, "data": got.Data,
	} {
		if inside(b, message) {
			t.Errorf("the %s keeps a message of %d bytes", name, len(message))
		}
	}
	p.Data, p.Script = make([]byte, 100_000), ""
	if message, got = decode(); !inside(got.Data, message) {
		t.Error("data that is most of the message was copied")
	}
}

func FuzzDecode(f *testing.F) {
	p := sample()
	f.Add(Frame(p))
	f.Add(clientFrame(p))
	f.Add([]byte("\x12\x81\x04\x81\xa6action\xa7Upgrade"))
	f.Add([]byte("\x80\x80\x04\x81\x04"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		message, err := ReadMessage(bufio.NewReader(bytes.NewReader(frame)), 1<<20)
		if err != nil {
			return
		}
		p, err := Decode(message)
		if err != nil {
			return
		}
		if diff := cmp.Diff(p, read(t, Frame(p)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("after encoding again (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	p := sample()
	p.Data = make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		Frame(p)
	}
}

func BenchmarkDecode(b *testing.B) {
	p := sample()
	p.Data = bytes.Repeat([]byte{7, 200}, 750)
	for name, frame := range map[string][]byte{"bin": Frame(p), "array": clientFrame(p)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(frame[2:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
