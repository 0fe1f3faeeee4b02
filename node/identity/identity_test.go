package identity

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mr-tron/base58"
)

func TestParse(t *testing.T) {
	key := Generate()
	base64Of := base64.StdEncoding.EncodeToString
	broken := append(append([]byte{}, key[:32]...), Generate()[32:]...)
	for _, c := range []struct{ name, text, fails string }{
		{"base64 secret", base64Of(key.Seed()), ""},
		{"base64 pair", base64Of(key), ""},
		{"base58 secret", base58.Encode(key.Seed()), ""},
		{"base58 pair", base58.Encode(key), ""},
		{"white space", " \n" + base64Of(key.Seed()) + "\n", ""},
		{"empty", "", "was 0"},
		{"31 bytes", base64Of(key[:31]), "secret key length must be 32 (or 64 for keypair), was 31"},
		{"31 bytes base58", base58.Encode(key[:31]), "was 31"},
		{"neither", "_", "neither base64 nor base58"},
		{"halves of two keys", base64Of(broken), "does not belong"},
	} {
		got, err := Parse(c.text)
		switch {
		case c.fails == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.fails == "" && !got.Equal(key):
			t.Errorf("%s: another key came out", c.name)
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: want an error with %q, got %v", c.name, c.fails, err)
		}
	}
}

func TestLoadOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "peer.key")
	key, created, err := LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("want a new file, got created %v, error %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %o", info.Mode().Perm())
	}
	again, created, err := LoadOrCreate(path)
	if err != nil || created || !again.Equal(key) {
		t.Errorf("want the same key, got created %v, error %v", created, err)
	}
	if err := Create(path, Generate()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an existing file is kept: want %v, got %v", fs.ErrExist, err)
	}
	wantAlone(t, path)
}

func wantAlone(t *testing.T, path string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("want the key file alone, got %v, %v", entries, err)
	}
}

// A crash while the file is written leaves nothing for long, and the key of others alone.
func TestInterruptedCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.key")
	half := func() {
		t.Helper()
		f, err := os.CreateTemp(filepath.Dir(path), temporary(path))
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("half a k")
		f.Close()
	}
	half()
	key, created, err := LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("want a new key, got created %v, error %v", created, err)
	}
	wantAlone(t, path)
	half()
	again, created, err := LoadOrCreate(path)
	if err != nil || created || !again.Equal(key) {
		t.Errorf("want the same key, got created %v, error %v", created, err)
	}
	wantAlone(t, path)
}

func TestLoadOrCreateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.key")
	keys := make([]ed25519.PrivateKey, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], _, err = LoadOrCreate(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if !key.Equal(keys[0]) {
			t.Fatal("two processes got different keys from one file")
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.key")
	if err := os.WriteFile(path, []byte("AAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrCreate(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("want an error naming the file, got %v", err)
	}
}
