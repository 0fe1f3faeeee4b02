package builtin

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/vault"
)

const catFailed = "Error reading vault file `<path>`"

var vaultFunctions = []Function{
	{
		Service: "vault", Name: "put", Args: "data: string", Result: "string", Blocks: true,
		Doc:    "Writes a file into the particle's vault and gives its path.",
		Errors: []string{"Error: <why the file cannot be written>"},
		run:    vaultPut,
	},
	{
		Service: "vault", Name: "cat", Args: "path: string", Result: "string", Blocks: true,
		Doc:    "Reads a text file of the particle's own vault, by its full path or its path in the vault.",
		Errors: []string{catFailed},
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			text, err := h.cat(c, c.str(0))
			if err != nil {
				return value.Value{}, err
			}
			if err := c.growResult(2 * len(text)); err != nil {
				return value.Value{}, err
			}
			return value.String(text), nil
		},
	},
}

// VaultOf names the vault of a call's particle. The node uses it to remove the vault at the end
// of the particle.
func VaultOf(k Keys, c *services.Call) vault.Particle {
	expires := c.Timestamp + uint64(c.TTL)
	if expires < c.Timestamp || expires > math.MaxInt64 {
		expires = math.MaxInt64
	}
	return vault.Particle{
		Scope: c.HostPeerID, ID: c.ParticleID, Token: k.Token(c.Signature), Expires: time.UnixMilli(int64(expires)),
	}
}

func vaultPut(h *host, ctx context.Context, c *call) (value.Value, error) {
	if h.Vault == nil || h.Keys == nil {
		return value.Value{}, disabled(c, "vault")
	}
	if err := c.grow(2 * len(c.value(0).Text())); err != nil {
		return value.Value{}, err
	}
	path, err := h.Vault.Put(ctx, VaultOf(h.Keys, c.Call), []byte(c.str(0)))
	if ctx.Err() != nil {
		return value.Value{}, ctx.Err()
	}
	if err != nil {
		return value.Value{}, typed("%v", err)
	}
	return value.String(path), nil
}

// cat reads a text file of the vault. Why it failed is logged and not told: the reasons tell of
// the file system.
func (h *host) cat(c *call, path string) (string, error) {
	if h.Vault == nil || h.Keys == nil {
		return "", disabled(c, "vault")
	}
	b, err := h.Vault.Read(VaultOf(h.Keys, c.Call), path)
	if err != nil || !utf8.Valid(b) {
		log.Debugw("vault file not read", "particle", services.Cut(c.ParticleID), "path", services.Cut(path), "error", err)
		return "", plain("Error reading vault file `%s`", services.Cut(path))
	}
	return string(b), nil
}
