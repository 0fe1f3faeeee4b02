package builtin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/multiformats/go-multihash"

	"github.com/aquanode/aquanode/interpreter/value"
)

// neighbours is how many peers a neighbourhood has unless the call says otherwise: the k of
// the Kademlia buckets.
const neighbours = 20

var neighborhoodErrors = []string{
	"Error: Error while deserializing field 'key': not a base58: <why>",
	"Error: Error while deserializing field 'key': Invalid multihash: <why>",
}

var kadFunctions = []Function{
	{
		Service: "kad", Name: "neighborhood", Args: "key: string, already_hashed: ?bool, count: ?u64", Result: "[]string",
		Doc:    "Lists the peers of the local routing table that are nearest to a key (base58), nearest first, at most count (20, at most 1024).",
		Errors: neighborhoodErrors,
		run:    kadNeighborhood,
	},
	{
		Service: "kad", Name: "neigh_with_addrs", Args: "key: string, already_hashed: ?bool, count: ?u64", Result: "[]Contact",
		Doc:    "Lists the same peers with their addresses, as far as they are in the connection pool.",
		Errors: neighborhoodErrors,
		run:    kadNeighborhoodWithAddresses,
	},
	{
		Service: "kad", Name: "merge", Args: "target: string, left: []string, right: []string, count: ?u64", Result: "[]string",
		Doc:    "Joins two lists of keys (base58), drops what is double, and gives the count (20, at most 1024) that are nearest to the target.",
		Errors: []string{base58Failed, "Error: Error deserializing field '<name>': <n> elements are more than 1024"},
		run:    kadMerge,
	},
}

// maxDigest is the longest digest of a multihash in the network.
const maxDigest = 64

// kadKey gives the multihash to compare with. A key that is not hashed yet is only wrapped, as
// the reference peer does it, so that both give the same neighbourhood; keys too long to be
// wrapped are hashed.
func (c *call) kadKey() ([]byte, error) {
	key, err := readBase58(c.str(0))
	if err != nil {
		return nil, typed("Error while deserializing field 'key': not a base58: %v", err)
	}
	switch {
	case c.bool(1):
		return key, checkMultihash(key)
	case len(key) > maxDigest:
		digest := sha256.Sum256(key)
		key = digest[:]
	}
	return sha256Multihash(key), nil
}

func checkMultihash(b []byte) error {
	mh, err := multihash.Decode(b)
	switch {
	case err != nil:
		return typed("Error while deserializing field 'key': Invalid multihash: %v", err)
	case mh.Length > maxDigest:
		return typed("Error while deserializing field 'key': Invalid multihash: %d bytes of digest", mh.Length)
	}
	return nil
}

func (h *host) nearest(c *call) ([]string, error) {
	key, err := c.kadKey()
	if err != nil || h.Neighbourhood == nil {
		return nil, err
	}
	return h.Neighbourhood.Nearest(key, c.count(2, neighbours)), nil
}

func kadNeighborhood(h *host, _ context.Context, c *call) (value.Value, error) {
	ids, err := h.nearest(c)
	if err != nil {
		return value.Value{}, err
	}
	return strs(ids), nil
}

func kadNeighborhoodWithAddresses(h *host, _ context.Context, c *call) (value.Value, error) {
	ids, err := h.nearest(c)
	if err != nil {
		return value.Value{}, err
	}
	contacts := make([]value.Value, len(ids))
	for i, id := range ids {
		var addresses []string
		if h.Connector != nil {
			addresses, _ = h.Connector.Addresses(id)
		}
		contacts[i] = contact(id, addresses)
	}
	return value.Array(contacts), nil
}

func kadMerge(_ *host, ctx context.Context, c *call) (value.Value, error) {
	target, err := decodeBase58(c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	type key struct {
		text     string
		distance [sha256.Size]byte
	}
	left, err := c.strs(1)
	if err != nil {
		return value.Value{}, err
	}
	right, err := c.strs(2)
	if err != nil {
		return value.Value{}, err
	}
	var keys []key
	for _, text := range append(left, right...) {
		b, err := decodeBase58(text)
		if err != nil {
			return value.Value{}, err
		}
		if ctx.Err() != nil { // a long key takes 2 ms, and there may be 2048
			return value.Value{}, ctx.Err()
		}
		keys = append(keys, key{base58Encode(b), distance(target, b)})
	}
	slices.SortStableFunc(keys, func(a, b key) int { return bytes.Compare(a.distance[:], b.distance[:]) })
	keys = slices.CompactFunc(keys, func(a, b key) bool { return a.text == b.text })
	merged := make([]string, 0, len(keys))
	for _, k := range keys[:min(len(keys), c.count(3, neighbours))] {
		merged = append(merged, k.text)
	}
	return strs(merged), nil
}

// distance is the XOR of the SHA-256 of both.
func distance(a, b []byte) [sha256.Size]byte {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	for i := range x {
		x[i] ^= y[i]
	}
	return x
}
