package data

import (
	"errors"
	"fmt"
	"strings"

	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-varint"
)

// The multicodec numbers that content ids may have here.
const (
	codecJSON  = 0x0200
	hashSHA256 = 0x12
	hashBLAKE3 = 0x1e
)

// codecV0 is what an id of version 0 means without saying so.
const codecV0 = 0x70

// The errors of texts that are no content ids, in the words of the reference.
//
//lint:file-ignore ST1005 those words begin with capitals
var (
	errCIDShort     = errors.New("Input too short")
	errCIDMultihash = errors.New("Failed to parse multihash")
	errCIDVarint    = errors.New("Failed to decode unsigned varint format")
	errCIDVersion   = errors.New("Unrecognized CID version")
	errCIDVersion0  = errors.New("CIDv0 cannot be specified in CIDv1 format")
)

// spelled is what a content id says, however it is spelled.
type spelled struct {
	codec  uint64
	hash   uint64
	digest []byte
}

// parseCID reads a content id. Everybody writes the one spelling that makeCID writes, but others
// have to be taken: other bases, capitals, a path before the id, and bytes after the digest.
func parseCID(c CID) (s spelled, err error) {
	text := string(c)
	if _, after, ok := strings.Cut(text, "/ipfs/"); ok {
		text = after
	}
	if len(text) < 2 {
		return s, errCIDShort
	}
	b, err := decodeMultibase(text)
	if err != nil {
		return s, err
	}
	if len(b) == 34 && b[0] == hashSHA256 && b[1] == 32 {
		return spelled{codecV0, hashSHA256, b[2:]}, nil
	}
	return parseCIDv1(b)
}

// decodeMultibase decodes text in the base that its first letter names. What is not exactly what
// the bytes are encoded as, but for capitals, is refused: the library overlooks line feeds and
// stray bits at the end.
func decodeMultibase(text string) ([]byte, error) {
	// version 0: base 58 without a letter for it
	if len(text) == 46 && strings.HasPrefix(text, "Qm") {
		text = string(multibase.Base58BTC) + text
	}
	base, b, err := multibase.Decode(text)
	if err != nil || base == multibase.Base256Emoji {
		return nil, errCIDMultihash
	}
	if again, err := multibase.Encode(base, b); err != nil || !strings.EqualFold(again, text) {
		return nil, errCIDMultihash
	}
	return b, nil
}

func parseCIDv1(b []byte) (s spelled, err error) {
	var fields [4]uint64 // version, codec, hash function, length of the digest
	for i := range fields {
		n, size, err := varint.FromUvarint(b)
		switch {
		case err != nil:
			return s, errCIDVarint
		case i == 0 && n == 0:
			return s, errCIDVersion0
		case i == 0 && n != 1:
			return s, errCIDVersion
		}
		fields[i], b = n, b[size:]
	}
	if fields[3] > uint64(len(b)) {
		return s, errCIDMultihash
	}
	return spelled{fields[1], fields[2], b[:fields[3]]}, nil
}

// check refuses codecs and hash functions other than those of data.
func (s spelled) check() error {
	switch {
	case s.codec != codecJSON:
		return fmt.Errorf("unsupported CID codec: %d", s.codec)
	case s.hash != hashBLAKE3 && s.hash != hashSHA256:
		return fmt.Errorf("unsupported multihash code: %d", s.hash)
	}
	return nil
}
