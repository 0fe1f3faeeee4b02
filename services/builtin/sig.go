package builtin

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/aquanode/aquanode/internal/sign"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
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
		allow:   (*host).maySign,
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
	if err := h.checkOrigin(c); err != nil {
		return value.Value{}, err
	}
	data, err := c.bytes(0)
	if err != nil {
		return value.Value{}, err
	}
	return signed(h.Keys.Sign(c.HostPeerID, data)), nil
}

// maySign is the permission check of sig.sign.
func (h *host) maySign(c *services.Call) error {
	if c.InitPeerID == c.HostPeerID || c.HostPeerID == h.registry.Host() && h.registry.IsManagement(c.InitPeerID) {
		return nil
	}
	return plain("peer '%s' is not allowed to sign data on '%s'", services.Cut(c.InitPeerID), c.HostPeerID)
}

// checkOrigin holds that the data was made by the registry service of this peer for signing:
// else any script could have anything signed.
func (h *host) checkOrigin(c *call) error {
	if len(c.Tetraplets) == 0 || len(c.Tetraplets[0]) != 1 {
		return plain("expected tetraplet for a scalar argument, got tetraplet for an array: %s", services.Cut(fmt.Sprint(c.Tetraplets)))
	}
	t := c.Tetraplets[0][0]
	switch {
	case !h.Keys.Local(t.PeerPK):
		return plain("data is expected to be produced by service 'registry' on peer '%s', was from peer '%s'",
			h.registry.Host(), services.Cut(t.PeerPK))
	case t.ServiceID != "registry" || !slices.Contains(signable, t.FunctionName):
		return plain("data is expected to result from a call to 'registry.get_record_bytes' or "+
			"'registry.get_record_metadata_bytes', was from '%s.%s'", services.Cut(t.ServiceID), services.Cut(t.FunctionName))
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
	signature, err := c.bytes(0)
	if err != nil {
		return value.Value{}, err
	}
	data, err := c.bytes(1)
	if err != nil {
		return value.Value{}, err
	}
	return value.Bool(key.Verify(data, signature)), nil
}
