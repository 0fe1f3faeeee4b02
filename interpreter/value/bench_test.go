package value_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/value"
)

// megabyte repeats a piece of JSON until an array of it has a megabyte.
func megabyte(piece func(i int) string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; b.Len() < 1<<20; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(piece(i))
	}
	b.WriteByte(']')
	return b.String()
}

var megabytes = map[string]string{
	"records": megabyte(func(i int) string {
		return fmt.Sprintf(`{"id":%d,"name":"peer number %d","ok":true,"score":%d.5,"tags":["a","bc"]}`, i, i, i)
	}),
	"strings": megabyte(func(i int) string { return `"` + strings.Repeat("some text ", 20) + `"` }),
	"numbers": megabyte(func(i int) string { return fmt.Sprint(i * 977) }),
	"one":     `"` + strings.Repeat("x", 1<<20) + `"`,
	"floats":  megabyte(func(i int) string { return fmt.Sprintf("%v", float64(i)/7+0.1) }),
	"spaced":  megabyte(func(i int) string { return fmt.Sprintf(` { "id" : %d , "a" : [ 1 , 2 ] } `, i) }),
}

func BenchmarkParse(b *testing.B) {
	for name, text := range megabytes {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := value.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkElements(b *testing.B) {
	v, _ := value.Parse(megabytes["records"])
	b.SetBytes(int64(len(v.Text())))
	b.ReportAllocs()
	for b.Loop() {
		v.Elements()
	}
}

func BenchmarkMsgpack(b *testing.B) {
	for name, text := range megabytes {
		b.Run(name, func(b *testing.B) {
			v, _ := value.Parse(text)
			b.SetBytes(int64(len(text)))
			var dst []byte
			for b.Loop() {
				dst = value.AppendMsgpack(dst[:0], v)
			}
		})
	}
}
