package builtin

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/aquanode/aquanode/internal/sign"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
)

var sigFunctions = []Function{
	{
		Service: "sig", Name: "sign", Args: "data: []u8", Result: "SignResult",
		Doc: "Signs data with the key of the scope: {success, error: ?string, signature: ?[]u8}. " +
			"Only for particles of the scope's own peer (on the host also of management peers), and only data that " +
			"came from registry.get_record_bytes or registry.get_record_metadata_bytes on this peer.",
		Errors: []string{
			"peer '<p>' is not allowed to sign data on '<scope peer>'",
			"expected tetraplet for a scalar argument, got tetraplet for an array: <tetraplets>",
			"data is expected to be produced by service 'registry' on peer '<host>', was from peer '<pk>'",
			"data is expected to result from a call to 'registry.get_record_bytes' or 'registry.get_record_metadata_bytes', was from '<s>.<f>'",
			"lens for data tetraplet is expected to be empty",
		},
		lenient: true,
		run:     sigSign,
	},
	{
		Service: "sig", Name: "verify", Args: "signature: []u8, data: []u8", Result: "bool",
		Doc:    "Tells whether a signature is that of the scope's key.",
		Errors: []string{"Error: <why the scope's peer id has no key>"},
		run:    sigVerify,
	},
	{
		Service: "sig", Name: "get_peer_id", Result: "string",
		Doc: "Tells the peer id of the scope.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) { return value.String(c.HostPeerID), nil },
	},
}

// HostKeys are the keys of a peer without workers.
func HostKeys(root ed25519.PrivateKey) Keys {
	return hostKeys{particle.PeerID(root.Public().(ed25519.PublicKey)), root}
}

type hostKeys struct {
	id   string
	root ed25519.PrivateKey
}

func (k hostKeys) Local(peerID string) bool { return peerID == k.id }

func (k hostKeys) Token(signature []byte) string { return particle.Token(k.root, signature) }

func (k hostKeys) Sign(peerID string, data []byte) ([]byte, error) {
	if peerID != k.id {
		return nil, errors.New("no key of peer " + peerID)
	}
	return sign.Sign(k.root, data), nil
}

// sigSign reports data it cannot read, and its own failures, in the result; all that is
// forbidden is an error of the call.
func sigSign(h *host, _ context.Context, c *call) (value.Value, error) {
	if h.Keys == nil {
		return value.Value{}, disabled(c, "keys")
	}
	if c.invalid != nil {
		return signed(nil, c.invalid), nil
	}
	if !h.maySign(c) {
		return value.Value{}, plain("peer '%s' is not allowed to sign data on '%s'", c.InitPeerID, c.HostPeerID)
	}
	if err := h.checkOrigin(c); err != nil {
		return value.Value{}, err
	}
	return signed(h.Keys.Sign(c.HostPeerID, c.bytes(0))), nil
}

func (h *host) maySign(c *call) bool {
	return c.InitPeerID == c.HostPeerID ||
		c.HostPeerID == h.registry.Host() && h.registry.IsManagement(c.InitPeerID)
}

// checkOrigin holds that the data was made by the registry service of this peer for signing:
// else any script could have anything signed.
func (h *host) checkOrigin(c *call) error {
	if len(c.Tetraplets) == 0 || len(c.Tetraplets[0]) != 1 {
		return plain("expected tetraplet for a scalar argument, got tetraplet for an array: %v", c.Tetraplets)
	}
	t := c.Tetraplets[0][0]
	switch {
	case !h.Keys.Local(t.PeerPK):
		return plain("data is expected to be produced by service 'registry' on peer '%s', was from peer '%s'",
			h.registry.Host(), t.PeerPK)
	case t.ServiceID != "registry" || !slices.Contains(signable, t.FunctionName):
		return plain("data is expected to result from a call to 'registry.get_record_bytes' or "+
			"'registry.get_record_metadata_bytes', was from '%s.%s'", t.ServiceID, t.FunctionName)
	case t.Lens != "":
		return plain("lens for data tetraplet is expected to be empty")
	}
	return nil
}

var signable = []string{"get_record_bytes", "get_record_metadata_bytes"}

func signed(signature []byte, err error) value.Value {
	if err != nil {
		return object("success", value.False, "error", strs([]string{err.Error()}), "signature", value.EmptyArray)
	}
	return object("success", value.True, "error", value.EmptyArray,
		"signature", value.Array([]value.Value{byteArray(signature)}))
}

func sigVerify(_ *host, _ context.Context, c *call) (value.Value, error) {
	key, err := particle.ParsePeerID(c.HostPeerID)
	if err != nil {
		return value.Value{}, typed("%v", err)
	}
	return value.Bool(key.Verify(c.bytes(1), c.bytes(0))), nil
}
