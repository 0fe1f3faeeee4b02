package value

import (
	"math"
	"strconv"
)

// number is a JSON number as read: digits as far as 64 bits hold them, and the power of ten to go
// with them.
type number struct {
	digits   uint64
	exponent int32
	negative bool
	integer  bool // written without point and exponent and, so far, within 64 bits
}

// pow10 holds the float64 nearest to each power of ten up to 1e308.
var pow10 = func() (table [309]float64) {
	for i := range table {
		table[i], _ = strconv.ParseFloat("1e"+strconv.Itoa(i), 64)
	}
	return table
}()

// float takes a number to the float the network takes it to: the digits, rounded to a float64,
// times or through one power of ten, rounded again. That is up to an ulp or two off the nearest
// float once the digits pass 2^53 or the exponent passes 22, and it decides content ids, so it must
// stay so. It fails when the product is out of range. Each operation is a statement of its own so
// that none can be fused.
func (n number) float() (f float64, ok bool) {
	f = float64(n.digits)
	e := int(n.exponent)
	for e < -308 && f != 0 {
		f /= 1e308
		e += 308
	}
	switch {
	case f == 0:
	case e > 308:
		return 0, false
	case e >= 0:
		f *= pow10[e]
	default:
		f /= pow10[-e]
	}
	if n.negative {
		f = -f
	}
	return f, !math.IsInf(f, 0)
}

// appendTo writes the canonical text of the number.
func (n number) appendTo(dst []byte) ([]byte, bool) {
	switch {
	case !n.integer || n.negative && (n.digits == 0 || n.digits > 1<<63):
		f, ok := n.float()
		if !ok {
			return dst, false
		}
		return appendFloat(dst, f), true
	case n.negative:
		dst = append(dst, '-')
	}
	return strconv.AppendUint(dst, n.digits, 10), true
}

// appendFloat writes the shortest text that reads back (correctly rounded) as f. With value =
// 0.d × 10^k there is a plain form for -5 < k <= 16 and a scientific one for the rest.
func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		if math.Signbit(f) {
			dst = append(dst, '-')
		}
		return append(dst, "0.0"...)
	}
	if abs := math.Abs(f); abs < 1e-5 || abs >= 1e16 {
		return trimExponent(strconv.AppendFloat(dst, f, 'e', -1, 64), len(dst))
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// trimExponent takes the plus sign and the zero before a one-digit exponent out of what strconv
// wrote: 1e+16 is 1e16 here, 1e-07 is 1e-7.
func trimExponent(dst []byte, start int) []byte {
	e := start
	for dst[e] != 'e' {
		e++
	}
	exp := dst[e+1:]
	dst = dst[:e+1]
	if exp[0] == '-' {
		dst = append(dst, '-')
	}
	exp = exp[1:]
	if exp[0] == '0' {
		exp = exp[1:]
	}
	return append(dst, exp...)
}
