// Package identity keeps a peer's root key in a file.
//
// A key file holds one line: the 32-byte ed25519 secret in base64, as other peers of the
// network write it. Base58 is read too, and 64 bytes (secret and public key together) as
// well as 32. Files are created with mode 0600, complete and on disk, or not at all.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	logging "github.com/ipfs/go-log/v2"
	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/internal/disk"
)

var log = logging.Logger("identity")

// Generate makes a new key.
func Generate() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("identity: the system has no random numbers: %v", err))
	}
	return key
}

// Encode is the text of a key file.
func Encode(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Seed())
}

// Parse reads the text of a key file. Text that is both base64 and base58 of a fitting
// length counts as base64.
func Parse(text string) (ed25519.PrivateKey, error) {
	text = strings.TrimSpace(text)
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !fits(raw) {
		short, err58 := base58.Decode(text)
		switch {
		case err58 == nil && fits(short):
			raw = short
		case err != nil && err58 != nil:
			return nil, errors.New("secret key is neither base64 nor base58")
		case err != nil:
			raw = short
		}
	}
	switch len(raw) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(raw), nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		if !key.Equal(ed25519.PrivateKey(raw)) {
			return nil, errors.New("the public half of the key pair does not belong to the secret half")
		}
		return key, nil
	}
	return nil, fmt.Errorf("secret key length must be 32 (or 64 for keypair), was %d", len(raw))
}

func fits(raw []byte) bool {
	return len(raw) == ed25519.SeedSize || len(raw) == ed25519.PrivateKeySize
}

// ErrExposed means that others than its owner may read a key file.
var ErrExposed = errors.New("is readable by others")

// Load reads a key file. One that others may read is refused: it may be known to them.
func Load(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if exposed, err := disk.Exposed(path); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	} else if exposed {
		return nil, fmt.Errorf("key file %s %w; run: chmod 600 %[1]s", path, ErrExposed)
	}
	key, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// Token reads a file with a secret of another kind: a line of 16 to 1024 characters without blanks.
func Token(path string) (string, error) {
	if exposed, err := disk.Exposed(path); err != nil {
		return "", fmt.Errorf("token file: %w", err)
	} else if exposed {
		return "", fmt.Errorf("token file %s %w; run: chmod 600 %[1]s", path, ErrExposed)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 16 || len(token) > 1024 || len(strings.Fields(token)) != 1 {
		return "", fmt.Errorf("token file %s: want a line of 16 to 1024 characters without blanks", path)
	}
	return token, nil
}

// LoadOrCreate reads a key file, or makes one with a new key when there is none. What an
// interrupted Create left beside the file is removed.
func LoadOrCreate(path string) (key ed25519.PrivateKey, created bool, err error) {
	key, err = Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = Generate()
		err = Create(path, key)
		created = err == nil
		if errors.Is(err, fs.ErrExist) { // another process was faster
			key, err = Load(path)
		}
	}
	if err == nil {
		err = sweep(path)
	}
	return key, created, err
}

// Create writes a new key file. It never replaces one: the file appears complete under
// its name by a hard link, which fails when the name is taken.
func Create(path string, key ed25519.PrivateKey) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	tmp, err := os.CreateTemp(dir, temporary(path)) // mode 0600
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(Encode(key) + "\n")
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	err = os.Link(tmp.Name(), path)
	if errors.Is(err, fs.ErrNotExist) { // swept by a process that found the key file there
		err = fs.ErrExist
	}
	if err == nil {
		err = disk.Sync(dir)
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}

// temporary is the pattern of the names under which a key file is written.
func temporary(path string) string { return "." + filepath.Base(path) + "-*.new" }

// sweep removes what interrupted calls of Create left.
func sweep(path string) error {
	old, err := filepath.Glob(filepath.Join(filepath.Dir(path), temporary(path)))
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("key file: %w", err)
		}
		log.Warnw("a half-written key file was removed", "file", file)
	}
	return nil
}
