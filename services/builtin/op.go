package builtin

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/interpreter/value"
)

var opFunctions = []Function{
	{
		Service: "op", Name: "noop", Args: "anything: ...any",
		Doc: "Does nothing.",
		run: func(*host, context.Context, *call) (value.Value, error) { return unit, nil },
	},
	{
		Service: "op", Name: "identity", Args: "value: ...any", Result: "any",
		Doc:    "Gives its argument back; without one the empty string.",
		Errors: []string{"identity accepts up to 1 arguments, received <n> arguments"},
		run:    opIdentity,
	},
	{
		Service: "op", Name: "array", Args: "elements: ...any", Result: "[]any",
		Doc: "Makes an array of its arguments.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) { return value.Array(c.Args), nil },
	},
	{
		Service: "op", Name: "array_length", Args: "array: ...any", Result: "u32",
		Doc:    "Counts the elements of an array.",
		Errors: arrayLengthErrors,
		run:    arrayLength,
	},
	{
		Service: "op", Name: "concat", Args: "arrays: ...any", Result: "[]any",
		Doc:    "Joins arrays to one.",
		Errors: []string{"all arguments of 'concat' must be arrays: argument #<i> is not"},
		run:    opConcat,
	},
	{
		Service: "op", Name: "concat_strings", Args: "strings: ...any", Result: "string",
		Doc:    "Joins strings to one.",
		Errors: []string{"all arguments of 'concat_strings' must be strings: argument #<i> is not"},
		run:    opConcatStrings,
	},
	{
		Service: "op", Name: "string_to_b58", Args: "string: string", Result: "string",
		Doc:    "Encodes the bytes of a string in base58.",
		Errors: []string{base58Long},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return encodeBase58([]byte(c.str(0)))
		},
	},
	{
		Service: "op", Name: "string_from_b58", Args: "string: string", Result: "string",
		Doc:    "Decodes base58 to a string.",
		Errors: []string{base58Failed, "Error: decode from bytes to UTF8 failed: <why>"},
		run:    opStringFromBase58,
	},
	{
		Service: "op", Name: "bytes_to_b58", Args: "bytes: []u8", Result: "string",
		Doc:    "Encodes bytes in base58.",
		Errors: []string{base58Long},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return encodeBase58(c.bytes(0))
		},
	},
	{
		Service: "op", Name: "bytes_from_b58", Args: "string: string", Result: "[]u8",
		Doc:    "Decodes base58 to bytes.",
		Errors: []string{base58Failed},
		run:    opBytesFromBase58,
	},
	{
		Service: "op", Name: "sha256_string", Args: "string: string, digest_only: ?bool, as_bytes: ?bool", Result: "string or []u8",
		Doc: "Hashes a string with SHA-256: the multihash, or the bare digest, in base58 or as bytes.",
		run: opSHA256,
	},
}

func opIdentity(_ *host, _ context.Context, c *call) (value.Value, error) {
	switch len(c.Args) {
	case 0:
		return unit, nil
	case 1:
		return c.Args[0], nil
	}
	return value.Value{}, plain("identity accepts up to 1 arguments, received %d arguments", len(c.Args))
}

var arrayLengthErrors = []string{
	"op array_length accepts exactly 1 argument: <n> found",
	"op array_length's argument must be an array",
}

// arrayLength serves op.array_length and array.length; the texts name the first.
func arrayLength(_ *host, _ context.Context, c *call) (value.Value, error) {
	if len(c.Args) != 1 {
		return value.Value{}, plain("op array_length accepts exactly 1 argument: %d found", len(c.Args))
	}
	n, ok := c.Args[0].Len()
	if !ok {
		return value.Value{}, plain("op array_length's argument must be an array")
	}
	return value.Int(int64(n)), nil
}

func opConcat(_ *host, _ context.Context, c *call) (value.Value, error) {
	var all []value.Value
	for i, a := range c.Args {
		if a.Kind() != value.KindArray {
			return value.Value{}, plain("all arguments of 'concat' must be arrays: argument #%d is not", i)
		}
		all = append(all, a.Elements()...)
	}
	return value.Array(all), nil
}

func opConcatStrings(_ *host, _ context.Context, c *call) (value.Value, error) {
	var b strings.Builder
	for i, a := range c.Args {
		s, ok := a.AsString()
		if !ok {
			return value.Value{}, plain("all arguments of 'concat_strings' must be strings: argument #%d is not", i)
		}
		b.WriteString(s)
	}
	return value.String(b.String()), nil
}

// Base58 takes time quadratic in the length, and nothing can interrupt it: 16 KiB take 25 ms.
// Their text has 22,376 characters.
const (
	maxBase58     = 16 << 10
	maxBase58Text = 22 << 10
	base58Failed  = "Error: decode base58 failed: <why>"
	base58Long    = "Error: encode base58 failed: <n> bytes are more than 16384"
)

func encodeBase58(b []byte) (value.Value, error) {
	if len(b) > maxBase58 {
		return value.Value{}, typed("encode base58 failed: %d bytes are more than %d", len(b), maxBase58)
	}
	return value.String(base58.Encode(b)), nil
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
	switch {
	case len(s) > maxBase58Text:
		return nil, fmt.Errorf("%d characters are more than %d", len(s), maxBase58Text)
	case s == "": // an error for the library
		return nil, nil
	}
	return base58.Decode(s)
}

func opStringFromBase58(_ *host, _ context.Context, c *call) (value.Value, error) {
	b, err := decodeBase58(c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	if !utf8.Valid(b) {
		return value.Value{}, typed("decode from bytes to UTF8 failed: invalid utf-8 sequence")
	}
	return value.String(string(b)), nil
}

func opBytesFromBase58(_ *host, _ context.Context, c *call) (value.Value, error) {
	b, err := decodeBase58(c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	return byteArray(b), nil
}

// opSHA256 hashes, unlike the reference peer, which wraps the unhashed bytes as if they were
// a digest. Clients of both get what their own op.sha256_string gives.
func opSHA256(_ *host, _ context.Context, c *call) (value.Value, error) {
	digest := sha256.Sum256([]byte(c.str(0)))
	hash := digest[:]
	if !c.bool(1) {
		hash = sha256Multihash(hash)
	}
	if c.bool(2) {
		return byteArray(hash), nil
	}
	return encodeBase58(hash)
}

// sha256Multihash wraps a digest: code 0x12 (sha2-256), length, digest.
func sha256Multihash(digest []byte) []byte {
	return append([]byte{0x12, byte(len(digest))}, digest...)
}
