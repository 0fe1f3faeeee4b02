package vault

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func open(t *testing.T, l Limits) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "vault"), l)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func particle(id string) Particle {
	return Particle{Scope: "host", ID: id, Token: "token", Expires: time.Now().Add(time.Minute)}
}

func put(t *testing.T, s *Store, p Particle, text string) string {
	t.Helper()
	path, err := s.Put(context.Background(), p, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPutRead(t *testing.T) {
	s, p := open(t, Limits{}), particle("id")
	path := put(t, s, p, "héllo")
	if !strings.HasPrefix(path, "/tmp/vault/id-token/") {
		t.Errorf("path %q", path)
	}
	for _, name := range []string{path, filepath.Base(path), "./" + filepath.Base(path)} {
		b, err := s.Read(p, name)
		if string(b) != "héllo" || err != nil {
			t.Errorf("Read(%q) = %q, %v", name, b, err)
		}
	}
}

func TestModes(t *testing.T) {
	s, p := open(t, Limits{}), particle("id")
	path := put(t, s, p, "x")
	want := map[string]fs.FileMode{
		s.dir: 0o700, s.Dir(p): 0o700, filepath.Join(s.Dir(p), filepath.Base(path)): 0o600,
	}
	for name, mode := range want {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode of %s: want %v, got %v, %v", name, mode, info.Mode().Perm(), err)
		}
	}
}

// Whatever the particle is called, its vault is one directory of 64 hex characters.
func TestIDsNeverReachTheFileSystem(t *testing.T) {
	s := open(t, Limits{ParticleFiles: 1 << 20})
	rapid.Check(t, func(rt *rapid.T) {
		p := particle(rapid.OneOf(
			rapid.SampledFrom([]string{"", ".", "..", "../../etc", "/", "a/b", "a\x00b", strings.Repeat("x", 5000)}),
			rapid.String(),
		).Draw(rt, "id"))
		path, err := s.Put(context.Background(), p, []byte("x"))
		if err != nil {
			rt.Fatalf("put: %v", err)
		}
		if b, err := s.Read(p, path); string(b) != "x" || err != nil {
			rt.Fatalf("Read(%q) = %q, %v", path, b, err)
		}
	})
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if len(e.Name()) != 64 || !e.IsDir() {
			t.Errorf("unexpected entry %q", e.Name())
		}
	}
	siblings, err := os.ReadDir(filepath.Dir(s.dir))
	if err != nil || len(siblings) != 1 {
		t.Errorf("something was written beside the vaults: %v, %v", siblings, err)
	}
}

func TestReadStaysInside(t *testing.T) {
	s, p, other := open(t, Limits{}), particle("mine"), particle("other")
	mine, theirs := put(t, s, p, "mine"), put(t, s, other, "theirs")
	secret := filepath.Join(filepath.Dir(s.dir), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(name, to string) {
		if err := os.Symlink(to, filepath.Join(s.Dir(p), name)); err != nil {
			t.Fatal(err)
		}
	}
	link("out", secret)
	link("up", "../../secret")
	link("in", filepath.Base(mine))
	if err := os.Mkdir(filepath.Join(s.Dir(p), "dir"), 0o700); err != nil {
		t.Fatal(err)
	}

	if b, err := s.Read(p, "in"); string(b) != "mine" || err != nil {
		t.Errorf("a link inside: %q, %v", b, err)
	}
	for _, name := range []string{
		theirs, secret, "../../secret", "../" + filepath.Base(s.Dir(other)) + "/" + filepath.Base(theirs),
		p.Path(), p.Path() + "/", p.Path() + "//" + secret, p.Path() + "/../other-token/" + filepath.Base(theirs),
		"out", "up", "dir", "", ".", "missing", "/etc/passwd", mine + "/x", "a\x00b",
	} {
		if b, err := s.Read(p, name); err == nil {
			t.Errorf("Read(%q) = %q, want an error", name, b)
		}
	}
}

func TestScopesAndTokensSeparate(t *testing.T) {
	s, p := open(t, Limits{}), particle("id")
	path := put(t, s, p, "x")
	for _, other := range []Particle{
		{Scope: "worker", ID: p.ID, Token: p.Token, Expires: p.Expires},
		{Scope: p.Scope, ID: p.ID, Token: "another", Expires: p.Expires},
	} {
		if _, err := s.Read(other, path); err == nil {
			t.Errorf("%+v reads the file", other)
		}
	}
}

func TestLimits(t *testing.T) {
	s := open(t, Limits{FileBytes: 10, ParticleBytes: 15, ParticleFiles: 3, TotalBytes: 30})
	tests := []struct {
		id   string
		size int
		want error
	}{
		{"a", 11, ErrTooBig}, {"a", 10, nil}, {"a", 6, ErrFull}, {"a", 5, nil},
		{"b", 0, nil}, {"b", 0, nil}, {"b", 0, nil}, {"b", 0, ErrFull},
		{"c", 10, nil}, {"d", 6, ErrFull}, {"d", 5, nil}, {"e", 1, ErrFull},
	}
	for i, tt := range tests {
		_, err := s.Put(context.Background(), particle(tt.id), make([]byte, tt.size))
		if !errors.Is(err, tt.want) {
			t.Errorf("%d: %d bytes for %s: want %v, got %v", i, tt.size, tt.id, tt.want, err)
		}
	}
	if err := s.Remove(particle("a")); err != nil {
		t.Fatal(err)
	}
	put(t, s, particle("e"), "12345")
	if n, bytes := s.Usage(); n != 4 || bytes != 20 {
		t.Errorf("usage: want 4 vaults with 20 bytes, got %d with %d", n, bytes)
	}
}

func TestReadLimit(t *testing.T) {
	s, p := open(t, Limits{FileBytes: 10}), particle("id")
	put(t, s, p, "x")
	// Services with a view of the vault write files of any size.
	if err := os.WriteFile(filepath.Join(s.Dir(p), "big"), make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(p, "big"); !errors.Is(err, ErrTooBig) {
		t.Errorf("want ErrTooBig, got %v", err)
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Limits{})
		short, long := particle("short"), particle("long")
		long.Expires = long.Expires.Add(time.Minute)
		put(t, s, short, "x")
		path := put(t, s, long, "y")

		time.Sleep(time.Minute)
		if _, err := s.Put(context.Background(), short, nil); !errors.Is(err, ErrExpired) {
			t.Errorf("put after expiry: want ErrExpired, got %v", err)
		}
		if err := s.Sweep(time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.Dir(short)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the expired vault is there: %v", err)
		}
		if b, err := s.Read(long, path); string(b) != "y" || err != nil {
			t.Errorf("the other vault: %q, %v", b, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(s.dir); len(entries) != 0 {
			t.Errorf("left after Close: %v", entries)
		}
	})
}

func TestOpenSweepsLeftovers(t *testing.T) {
	s := open(t, Limits{})
	put(t, s, particle("id"), "x")
	other := filepath.Join(s.dir, "not a vault")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir, Limits{}); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(s.dir)
	if len(entries) != 1 || entries[0].Name() != "not a vault" {
		t.Errorf("left: %v", entries)
	}
}

// A durable store leaves the vaults of particles that live, and nothing else.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	begin := func(live ...Particle) *Store {
		t.Helper()
		s, err := OpenDurable(dir, Limits{ParticleFiles: 2}, func() []Particle { return live })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := Particle{Scope: "host", ID: "a", Token: "t", Expires: time.Now().Add(time.Hour)}
	b := Particle{Scope: "host", ID: "b", Token: "t", Expires: time.Now().Add(time.Hour)}
	s := begin()
	file, err := s.Put(context.Background(), a, []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(context.Background(), b, []byte("swept")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = begin(a)
	if got, err := s.Read(a, file); err != nil || string(got) != "kept" {
		t.Errorf("want the file, got %q, %v", got, err)
	}
	if _, err := os.Stat(s.Dir(b)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the vault of a particle that is gone: %v", err)
	}
	if vaults, bytes := s.Usage(); vaults != 1 || bytes != 4 {
		t.Errorf("want 1 vault of 4 bytes, got %d of %d", vaults, bytes)
	}
	if _, err := s.Put(context.Background(), a, nil); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(context.Background(), a, nil); !errors.Is(err, ErrFull) {
		t.Errorf("adopted files count: want %v, got %v", ErrFull, err)
	}
	if err := s.Remove(a); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
