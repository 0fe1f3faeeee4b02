package builtin

import (
	"context"
	"crypto/sha256"
	"unicode/utf8"

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
		run: opArray,
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
			if err := c.grow(2 * len(c.value(0).Text())); err != nil {
				return value.Value{}, err
			}
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
			b, err := c.bytes(0)
			if err != nil {
				return value.Value{}, err
			}
			return encodeBase58(b)
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

func opArray(_ *host, _ context.Context, c *call) (value.Value, error) {
	if err := c.growResult(textSize(c.Args)); err != nil {
		return value.Value{}, err
	}
	return value.Array(c.Args), nil
}

// textSize is the length of an array of values as text.
func textSize(list []value.Value) int {
	size := 1 + max(len(list), 1)
	for _, v := range list {
		size += len(v.Text())
	}
	return size
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
	size := 2
	for i, a := range c.Args {
		if a.Kind() != value.KindArray {
			return value.Value{}, plain("all arguments of 'concat' must be arrays: argument #%d is not", i)
		}
		size += len(a.Text())
	}
	return c.joined(size, '[', ',', ']')
}

func opConcatStrings(_ *host, _ context.Context, c *call) (value.Value, error) {
	size := 2
	for i, a := range c.Args {
		if a.Kind() != value.KindString {
			return value.Value{}, plain("all arguments of 'concat_strings' must be strings: argument #%d is not", i)
		}
		size += len(a.Text())
	}
	return c.joined(size, '"', 0, '"')
}

// joined puts what is between the brackets, or quotes, of all arguments between one pair of
// them. What is inside of canonical texts makes canonical text again.
func (c *call) joined(size int, open, separator, end byte) (value.Value, error) {
	if err := c.growResult(size); err != nil {
		return value.Value{}, err
	}
	text := append(make([]byte, 0, size), open)
	for _, a := range c.Args {
		inner := a.Text()[1 : len(a.Text())-1]
		if separator != 0 && len(inner) > 0 && len(text) > 1 {
			text = append(text, separator)
		}
		text = append(text, inner...)
	}
	return written(append(text, end))
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
	if err := c.grow(2 * len(c.value(0).Text())); err != nil {
		return value.Value{}, err
	}
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
