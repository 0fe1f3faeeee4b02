package builtin

import (
	"context"
	"math"
	"time"

	"github.com/multiformats/go-multihash"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
)

const badPeerID = "Error: Error while deserializing field 'peer_id': invalid peer id '<id>': <why>"

var peerFunctions = []Function{
	{
		Service: "peer", Name: "identify", Result: "Info",
		Doc: "Tells the peer's addresses, versions and allowed binaries.",
		run: peerIdentify,
	},
	{
		Service: "peer", Name: "timestamp_ms", Result: "u64",
		Doc: "Tells the peer's time in milliseconds since 1970.",
		run: func(h *host, _ context.Context, _ *call) (value.Value, error) {
			return value.Int(h.Now().UnixMilli()), nil
		},
	},
	{
		Service: "peer", Name: "timestamp_sec", Result: "u64",
		Doc: "Tells the peer's time in seconds since 1970.",
		run: func(h *host, _ context.Context, _ *call) (value.Value, error) {
			return value.Int(h.Now().Unix()), nil
		},
	},
	{
		Service: "peer", Name: "timeout", Args: "duration_ms: millis, message: ?string", Result: "string",
		Doc:   "Waits, then gives the message. Ends with the particle.",
		start: peerTimeout,
	},
	{
		Service: "peer", Name: "is_connected", Args: "peer_id: string", Result: "bool",
		Doc:    "Tells whether a peer is connected.",
		Errors: []string{badPeerID},
		run:    peerIsConnected,
	},
	{
		Service: "peer", Name: "connect", Args: "peer_id: string, addresses: ?[]string", Result: "bool", Guarded: true, Blocks: true,
		Doc:    "Connects to a peer and tells whether this succeeded.",
		Errors: []string{badPeerID, "Error: <what is wrong with the addresses>", "Error: Error deserializing field '<name>': <n> elements are more than 1024"},
		run:    peerConnect,
	},
	{
		Service: "peer", Name: "get_contact", Args: "peer_id: string", Result: "Contact",
		Doc:    "Tells the addresses of a peer in the connection pool; of other peers the empty string.",
		Errors: []string{badPeerID},
		run:    peerGetContact,
	},
}

func peerIdentify(h *host, _ context.Context, _ *call) (value.Value, error) {
	var id Identity
	if h.Identity != nil {
		id = h.Identity()
	}
	return object(
		"external_addresses", strs(id.ExternalAddresses),
		"node_version", value.String(id.NodeVersion),
		"air_version", value.String(id.AirVersion),
		"spell_version", value.String(id.SpellVersion),
		"allowed_binaries", strs(id.AllowedBinaries),
		"vm_info", value.Value{},
	), nil
}

// peerTimeout is answered by the clock of the registry: 100 particles with 10,000 of these calls
// each had 582,700 goroutines.
func peerTimeout(h *host, ctx context.Context, c *call, done func(value.Value, error)) {
	ms, _ := millis(c.value(0))
	d := time.Duration(min(ms, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
	message := unit
	if c.given(1) {
		message = c.value(1)
	}
	h.registry.After(ctx, d, func(err error) { done(message, err) })
}

// peerID reads a parameter that must be a peer id: base58 of a multihash.
func (c *call) peerID(i int) (string, error) {
	id := c.str(i)
	b, err := particle.DecodePeerID(id)
	if err == nil {
		_, err = multihash.Cast(b)
	}
	if err != nil {
		return "", typed("Error while deserializing field 'peer_id': invalid peer id '%.64s': %v", id, err)
	}
	return id, nil
}

func peerIsConnected(h *host, _ context.Context, c *call) (value.Value, error) {
	id, err := c.peerID(0)
	if err != nil {
		return value.Value{}, err
	}
	return value.Bool(h.Connector != nil && h.Connector.IsConnected(id)), nil
}

// peerConnect answers false for an unknown peer without addresses, where the reference peer
// never answers.
func peerConnect(h *host, ctx context.Context, c *call) (value.Value, error) {
	id, err := c.peerID(0)
	if err != nil {
		return value.Value{}, err
	}
	if h.Connector == nil {
		return value.Value{}, disabled(c, "network")
	}
	addresses, err := c.strs(1)
	if err != nil {
		return value.Value{}, err
	}
	if len(addresses) == 0 && !h.Connector.IsConnected(id) {
		if known, _ := h.Connector.Addresses(id); len(known) == 0 {
			return value.False, nil
		}
	}
	ok, err := h.Connector.Connect(ctx, id, addresses)
	if err != nil {
		if ctx.Err() != nil {
			return value.Value{}, ctx.Err()
		}
		return value.Value{}, typed("%v", err)
	}
	return value.Bool(ok), nil
}

func peerGetContact(h *host, _ context.Context, c *call) (value.Value, error) {
	id, err := c.peerID(0)
	if err != nil {
		return value.Value{}, err
	}
	if h.Connector == nil {
		return unit, nil
	}
	addresses, ok := h.Connector.Addresses(id)
	if !ok {
		return unit, nil
	}
	return contact(id, addresses), nil
}

func contact(peerID string, addresses []string) value.Value {
	return object("peer_id", value.String(peerID), "addresses", strs(addresses))
}
