package builtin

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Base58 takes time that grows faster than the length: 16 KiB take 2 ms with math/big. Their text
// has 22,376 characters.
const (
	maxBase58     = 16 << 10
	maxBase58Text = 22 << 10
	base58Failed  = "Error: decode base58 failed: <why>"
	base58Long    = "Error: encode base58 failed: <n> bytes are more than 16384"
)

// The digits of base58, and those that math/big has for the same values.
const (
	base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bigDigits    = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
)

var toBase58, fromBase58 = func() (to, from [256]byte) {
	for i := range len(base58Digits) {
		to[bigDigits[i]], from[base58Digits[i]] = base58Digits[i], bigDigits[i]
	}
	return to, from
}()

// base58Encode writes a big number in other digits, and a 1 for each zero byte before it.
func base58Encode(b []byte) string {
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	text := []byte(strings.Repeat("1", zeros))
	if zeros == len(b) {
		return string(text)
	}
	start := len(text)
	text = new(big.Int).SetBytes(b).Append(text, 58)
	for i := start; i < len(text); i++ {
		text[i] = toBase58[text[i]]
	}
	return string(text)
}

func base58Decode(s string) ([]byte, error) {
	digits := make([]byte, len(s))
	zeros := 0
	for i := range len(s) {
		digits[i] = fromBase58[s[i]]
		if digits[i] == 0 {
			return nil, fmt.Errorf("invalid base58 digit (%q)", s[i])
		}
		if zeros == i && s[i] == '1' {
			zeros++
		}
	}
	if zeros == len(s) {
		return make([]byte, zeros), nil
	}
	n, ok := new(big.Int).SetString(string(digits), 58)
	if !ok {
		return nil, errors.New("invalid base58")
	}
	return append(make([]byte, zeros), n.Bytes()...), nil
}

func encodeBase58(b []byte) (value.Value, error) {
	if len(b) > maxBase58 {
		return value.Value{}, typed("encode base58 failed: %d bytes are more than %d", len(b), maxBase58)
	}
	return value.String(base58Encode(b)), nil
}

func decodeBase58(s string) ([]byte, error) {
	b, err := readBase58(s)
	if err != nil {
		return nil, typed("decode base58 failed: %v", err)
	}
	return b, nil
}

// readBase58 is for the functions with their own words for the failure.
func readBase58(s string) ([]byte, error) {
	if len(s) > maxBase58Text {
		return nil, fmt.Errorf("%d characters are more than %d", len(s), maxBase58Text)
	}
	return base58Decode(s)
}
