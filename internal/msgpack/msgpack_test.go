package msgpack

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	library "github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// edges are numbers and sizes at which forms change.
var edges = []uint64{
	0, 1, 15, 16, 31, 32, 33, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64,
	math.MaxUint64,
}

// Every form is the one that the library reads back, and the shortest: it encodes the same bytes.
func TestAgainstLibrary(t *testing.T) {
	encode := func(v any) []byte {
		var b bytes.Buffer
		e := library.NewEncoder(&b)
		e.UseCompactInts(true)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	same := func(what string, got []byte, v any) {
		t.Helper()
		if want := encode(v); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, the library writes %x", what, got[:min(len(got), 20)], want[:min(len(want), 20)])
		}
	}
	for _, n := range edges {
		same("uint", AppendUint(nil, n), n)
		same("negative", AppendInt(nil, -int64(n>>1)), -int64(n>>1))
		if got := len(AppendUint(nil, n)); got != UintSize(n) {
			t.Errorf("UintSize(%d) is %d, not %d", n, UintSize(n), got)
		}
		if n > 1<<17 {
			continue
		}
		text := strings.Repeat("x", int(n))
		same("string", AppendString(nil, text), text)
		same("bin", AppendBin(nil, []byte(text)), []byte(text))
		list := make([]int, n)
		for name, head := range map[string][]byte{
			"array": AppendArray(nil, int(n)), "set array": SetArray(append([]byte{0}, make([]byte, n)...), 0, int(n))[:len(AppendArray(nil, int(n)))],
		} {
			same(name, append(head, make([]byte, n)...), list)
		}
		if StringSize(int(n)) != len(AppendString(nil, text)) || BinSize(int(n)) != len(AppendBin(nil, []byte(text))) {
			t.Errorf("the sizes of %d bytes are wrong", n)
		}
	}
	same("nil", AppendNil(nil), nil)
	same("true", AppendBool(nil, true), true)
	same("false", AppendBool(nil, false), false)
	same("float", AppendFloat(nil, -1.5), -1.5)
	same("map", append(AppendMap(nil, 1), AppendInt(AppendString(nil, "a"), -7)...), map[string]int{"a": -7})
}

// Any value that the library writes is read with the same meaning, and skipped exactly.
func TestRead(t *testing.T) {
	var gen func(depth int) *rapid.Generator[any]
	gen = func(depth int) *rapid.Generator[any] {
		gens := []*rapid.Generator[any]{
			rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Int8().AsAny(),
			rapid.Float64().AsAny(), rapid.String().AsAny(), rapid.SliceOf(rapid.Byte()).AsAny(), rapid.Float32().AsAny(),
		}
		if depth > 0 {
			gens = append(gens, rapid.SliceOfN(gen(depth-1), 0, 20).AsAny(),
				rapid.MapOfN(rapid.String(), gen(depth-1), 0, 20).AsAny())
		}
		return rapid.OneOf(gens...)
	}
	rapid.Check(t, func(t *rapid.T) {
		v := gen(3).Draw(t, "value")
		b, err := library.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		r := Reader{append(bytes.Clone(b), 0xc0)}
		if err := r.Skip(); err != nil || len(r.Rest) != 1 {
			t.Fatalf("skip: %v, %d bytes left", err, len(r.Rest))
		}
		for cut := range b {
			if err := (&Reader{b[:cut]}).Skip(); !errors.Is(err, ErrShort) {
				t.Fatalf("the first %d of %d bytes: %v", cut, len(b), err)
			}
		}
		var want any
		if err := library.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		again, err := rewrite(nil, &Reader{b})
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := library.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(normal(want), normal(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// rewrite reads an item and writes it.
func rewrite(dst []byte, r *Reader) ([]byte, error) {
	it, err := r.Next()
	if err != nil {
		return nil, err
	}
	n := it.Size
	switch it.Kind {
	case Nil:
		return AppendNil(dst), nil
	case Bool:
		return AppendBool(dst, it.Bits == 1), nil
	case Float:
		return AppendFloat(dst, math.Float64frombits(it.Bits)), nil
	case Int:
		if it.Signed {
			return AppendInt(dst, int64(it.Bits)), nil
		}
		return AppendUint(dst, it.Bits), nil
	case String:
		return AppendString(dst, string(r.Content(it))), nil
	case Bin:
		return AppendBin(dst, r.Content(it)), nil
	case Map:
		dst, n = AppendMap(dst, n), 2*n
	case Array:
		dst = AppendArray(dst, n)
	}
	for ; n > 0 && err == nil; n-- {
		dst, err = rewrite(dst, r)
	}
	return dst, err
}

// normal makes numbers of the library comparable: its types tell the form, not the value.
func normal(v any) any {
	switch v := v.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return normal(uint64(v))
	case uint16:
		return normal(uint64(v))
	case uint32:
		return normal(uint64(v))
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case float32:
		return normal(float64(v))
	case float64:
		return math.Float64bits(v)
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}

// Forms that no writer here makes.
func TestOtherForms(t *testing.T) {
	for in, want := range map[string]Item{
		"\xd3\x00\x00\x00\x00\x00\x00\x00\x07":         {Kind: Int, Bits: 7},
		"\xd0\xff":                                     {Kind: Int, Bits: math.MaxUint64, Signed: true},
		"\xca\x3f\xc0\x00\x00":                         {Kind: Float, Bits: math.Float64bits(1.5)},
		"\xd4\x01\x02":                                 {Kind: Ext, Size: 2},
		"\xd8" + strings.Repeat("x", 17):               {Kind: Ext, Size: 17},
		"\xc7\x03\x01abc":                              {Kind: Ext, Size: 4},
		"\xdd\x00\x00\x00\x01\xc0":                     {Kind: Array, Size: 1},
		"\xdf\x00\x00\x00\x01\xc0\xc0":                 {Kind: Map, Size: 1},
		"\xc6\x00\x00\x00\x02ab":                       {Kind: Bin, Size: 2},
		"\xd9\x02ab":                                   {Kind: String, Size: 2},
		"\xcf\x00\x00\x00\x00\x00\x00\x00\x07trailing": {Kind: Int, Bits: 7},
	} {
		if got, err := (&Reader{[]byte(in)}).Next(); err != nil || got != want {
			t.Errorf("%x: %+v, %v, not %+v", in, got, err, want)
		}
	}
	if _, err := (&Reader{[]byte{0xc1}}).Next(); err == nil || err.Error() != "byte 0xc1 is reserved" {
		t.Errorf("0xc1: %v", err)
	}
}

// A size is compared with the bytes that are left before anything is made of it.
func TestSizesAreBounded(t *testing.T) {
	for _, in := range []string{
		"\x81\xc0", "\x92\xc0", "\xa2a", "\xc4\x02a", "\xc6\xff\xff\xff\xffa", "\xdb\xff\xff\xff\xffa", "\xdd\xff\xff\xff\xffa",
		"\xdf\xff\xff\xff\xffa", "\xc9\xff\xff\xff\xff", "\xc8\xff", "\xcd\x01", "\xcb\x01", "\xd3", "",
	} {
		if _, err := (&Reader{[]byte(in)}).Next(); !errors.Is(err, ErrShort) {
			t.Errorf("%x: %v", in, err)
		}
	}
	deep := bytes.Repeat([]byte{0x91}, 1<<20)
	if err := (&Reader{deep}).Skip(); !errors.Is(err, ErrShort) {
		t.Errorf("a nesting of 1 Mi: %v", err)
	}
}
