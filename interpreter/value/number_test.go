package value

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendFloat(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -1: "-1.0", 100: "100.0", 12.5: "12.5", 0.1: "0.1", 0.0001: "0.0001",
		0.00001: "0.00001", 0.000012345: "0.000012345", 1e-6: "1e-6", 1.5e-7: "1.5e-7",
		1e15: "1000000000000000.0", 123456789012345.6: "123456789012345.6", 9999999999999998: "9999999999999998.0",
		1e16: "1e16", 1.5e16: "1.5e16", 1 << 63: "9.223372036854776e18",
		5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e308", -1e100: "-1e100",
	} {
		if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	if got := string(appendFloat(nil, math.Copysign(0, -1))); got != "-0.0" {
		t.Errorf("negative zero: %s", got)
	}
}

// TestFloatTextIsExact: the canonical text of a float names it, though reading it may give another.
func TestFloatTextIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		v := Float(f)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			if v.Kind() != KindNull {
				t.Fatalf("%v is %s", f, v)
			}
			return
		}
		if got, ok := v.AsFloat(); !ok || got != f || v.Kind() != KindFloat {
			t.Fatalf("%v is written as %s, which is %v", f, v, got)
		}
		again, err := Parse(v.Text())
		if err != nil {
			if math.Abs(f) < 1e307 {
				t.Fatalf("%s: %v", v, err)
			}
			return // the largest floats overflow when they are read
		}
		if got, _ := again.AsFloat(); math.Abs(got-f) > math.Abs(f)*1e-15 {
			t.Fatalf("%v read again is %v", f, got)
		}
	})
}

func TestNumberFloat(t *testing.T) {
	for _, test := range []struct {
		n    number
		want string
	}{
		{number{digits: 111, exponent: 159}, "1.1099999999999999e161"},
		{number{digits: 8, exponent: 248}, "8e248"},
		{number{digits: 1, exponent: 308}, "1e308"},
		{number{digits: 1, exponent: 309}, "out of range"},
		{number{digits: 2, exponent: 308}, "out of range"},
		{number{digits: 0, exponent: math.MaxInt32}, "0.0"},
		{number{digits: 0, exponent: math.MinInt32, negative: true}, "-0.0"},
		{number{digits: 1, exponent: math.MinInt32}, "0.0"},
		{number{digits: 12345, exponent: -320}, "1.2345e-316"},
	} {
		got := "out of range"
		if f, ok := test.n.float(); ok {
			got = string(appendFloat(nil, f))
		}
		if got != test.want {
			t.Errorf("%+v: %s, want %s", test.n, got, test.want)
		}
	}
}

// TestIntegersAreExact goes through the edges of 64 bits.
func TestIntegersAreExact(t *testing.T) {
	for _, text := range []string{"0", "1", "-1", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "-9223372036854775808", "999999999999999999", "1000000000000000000"} {
		v, err := Parse(text)
		if err != nil || v.Text() != text || v.Kind() != KindInt {
			t.Errorf("%s: %s, %v", text, v, err)
		}
	}
	for text, want := range map[string]string{
		"18446744073709551616": "1.8446744073709552e19", "-9223372036854775809": "-9.223372036854776e18", "-0": "-0.0",
	} {
		if v, err := Parse(text); err != nil || v.Text() != want {
			t.Errorf("%s: %s, %v, want %s", text, v, err, want)
		}
	}
}

func BenchmarkFloat(b *testing.B) {
	for name, text := range map[string]string{"short": "12.25", "long": strconv.FormatFloat(math.Pi, 'g', -1, 64)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if !isCanonical(text) {
					b.Fatal(text)
				}
			}
		})
	}
}
