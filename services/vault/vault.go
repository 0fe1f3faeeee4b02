// Package vault keeps the files of particles.
//
// A particle may leave files at a peer for the services it calls there, and no other particle
// can read them. A script sees its vault under the virtual path
//
//	/tmp/vault/<particle id>-<token>/<file>
//
// where the token is unguessable (see particle.Token). On disk a vault is a directory named by
// a hash of scope, particle id and token, so nothing that a stranger chose becomes a path:
//
//	<dir>/<64 hex characters>/<file>
//
// Directories are 0700, files 0600. A path given by a script is opened below its own vault
// only, through [os.Root], which also keeps symbolic links inside.
//
// # Life
//
// A vault begins with its first file. It ends when the owner of the particle calls
// [Store.Remove], or with the [Store.Sweep] after its expiry; nothing can be put in later.
// [Open] removes what an earlier process left; [OpenDurable] leaves what belongs to particles
// that still live. Vaults, files and bytes are bounded by [Limits].
package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aquanode/aquanode/internal/disk"
)

// Root is the virtual directory of all vaults.
const Root = "/tmp/vault"

// Reasons for a refusal.
var (
	ErrExpired = errors.New("the particle has expired")
	ErrOutside = errors.New("path is not in the particle's vault")
	ErrFull    = errors.New("vault is full")
	ErrTooBig  = errors.New("file is too big")
)

// Limits bound what particles may keep.
type Limits struct {
	FileBytes     int64 // of one file; 0 is 32 MiB, the limit of a call result
	ParticleBytes int64 // of one vault; 0 is 64 MiB
	ParticleFiles int   // in one vault; 0 is 1024
	TotalBytes    int64 // of all vaults; 0 is 4 GiB
}

// A Particle names a vault: the particle and the scope (host or worker) it runs in.
type Particle struct {
	Scope   string // peer id
	ID      string
	Token   string
	Expires time.Time
}

// Path is the virtual path of the vault.
func (p Particle) Path() string { return Root + "/" + p.ID + "-" + p.Token }

// name is the directory on disk. Lengths keep (ab, c) and (a, bc) apart.
func (p Particle) name() string {
	h := sha256.New()
	for _, s := range []string{p.Scope, p.ID, p.Token} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A Store is the vaults of a peer. It is safe for concurrent use.
type Store struct {
	dir     string
	limits  Limits
	durable bool

	mu     sync.Mutex
	vaults map[string]*usage // by directory name
	total  int64
}

// usage is what a vault holds.
type usage struct {
	expires time.Time
	bytes   int64
	files   int
}

// Open makes the directory if need be, and empties it.
func Open(dir string, limits Limits) (*Store, error) { return openStore(dir, limits, false, nil) }

// OpenDurable is Open for a peer whose particles outlive it: vaults of those that live stay,
// also after Close, and files are on disk when Put returns. live is asked when there are any.
func OpenDurable(dir string, limits Limits, live func() []Particle) (*Store, error) {
	return openStore(dir, limits, true, live)
}

func openStore(dir string, limits Limits, durable bool, live func() []Particle) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	s := &Store{dir: dir, limits: limits.withDefaults(), durable: durable, vaults: map[string]*usage{}}
	if err := s.removeLeftovers(live); err != nil {
		return nil, fmt.Errorf("open vault %s: %w", dir, err)
	}
	return s, nil
}

func (l Limits) withDefaults() Limits {
	if l.FileBytes <= 0 {
		l.FileBytes = 32 << 20
	}
	if l.ParticleBytes <= 0 {
		l.ParticleBytes = 64 << 20
	}
	if l.ParticleFiles <= 0 {
		l.ParticleFiles = 1024
	}
	if l.TotalBytes <= 0 {
		l.TotalBytes = 4 << 30
	}
	return l
}

// removeLeftovers touches only what has the name of a vault, in case the directory is a wrong one.
func (s *Store) removeLeftovers(live func() []Particle) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool {
		b, err := hex.DecodeString(e.Name())
		return err != nil || len(b) != sha256.Size
	})
	stay := map[string]Particle{}
	if len(entries) > 0 && live != nil {
		for _, p := range live() {
			stay[p.name()] = p
		}
	}
	for _, e := range entries {
		p, ok := stay[e.Name()]
		if ok {
			err = s.adopt(p)
		} else {
			err = os.RemoveAll(filepath.Join(s.dir, e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over the vault of a particle that an earlier process left. Files that it did not
// put there in whole are not known to any script.
func (s *Store) adopt(p Particle) error {
	files, err := os.ReadDir(s.Dir(p))
	if err != nil {
		return err
	}
	u := &usage{expires: p.Expires}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return err
		}
		u.files++
		u.bytes += info.Size()
	}
	s.vaults[p.name()] = u
	s.total += u.bytes
	return nil
}

// Put writes a file into the particle's vault and returns its virtual path. It holds the lock
// while it writes, so that a vault which is being removed does not come back. Whoever has waited for
// the lock longer than the context lasts gets the context's error.
func (s *Store) Put(ctx context.Context, p Particle, data []byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	file := newUUID()
	if err := s.put(p, file, data); err != nil {
		return "", fmt.Errorf("vault of particle %q: %w", p.ID, err)
	}
	return p.Path() + "/" + file, nil
}

func (s *Store) put(p Particle, file string, data []byte) error {
	u, err := s.admit(p, int64(len(data)))
	if err != nil {
		return err
	}
	dir := s.Dir(p)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	s.vaults[p.name()] = u // from here on it is removed at expiry
	err = os.WriteFile(filepath.Join(dir, file), data, 0o600)
	if err == nil && s.durable {
		err = disk.Sync(filepath.Join(dir, file), dir, s.dir)
	}
	if err != nil { // a part of a file on a full disk would take room that nobody has counted
		return errors.Join(err, os.Remove(filepath.Join(dir, file)))
	}
	u.files++
	u.bytes += int64(len(data))
	s.total += int64(len(data))
	return nil
}

// admit checks the limits and gives the usage of the vault.
func (s *Store) admit(p Particle, n int64) (*usage, error) {
	u := s.vaults[p.name()]
	if u == nil {
		u = &usage{expires: p.Expires}
	}
	switch {
	case !time.Now().Before(p.Expires):
		return nil, ErrExpired
	case n > s.limits.FileBytes:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, n, s.limits.FileBytes)
	case s.total+n > s.limits.TotalBytes, u.bytes+n > s.limits.ParticleBytes, u.files == s.limits.ParticleFiles:
		return nil, ErrFull
	}
	return u, nil
}

// Dir is the particle's vault on disk; it exists once something was put in.
func (s *Store) Dir(p Particle) string { return filepath.Join(s.dir, p.name()) }

// Read reads a file of the particle's vault by its virtual path, or by its path in the vault.
func (s *Store) Read(p Particle, file string) ([]byte, error) {
	name, err := inside(p, file)
	if err != nil {
		return nil, fmt.Errorf("vault of particle %q: %w", p.ID, err)
	}
	b, err := s.read(s.Dir(p), name)
	if err != nil {
		return nil, fmt.Errorf("vault of particle %q: %w", p.ID, err)
	}
	return b, nil
}

// inside makes a path relative to the vault; it may still lead out, which os.Root refuses.
func inside(p Particle, file string) (string, error) {
	if !path.IsAbs(file) {
		return filepath.FromSlash(file), nil
	}
	// Not path.Clean: the id may contain dots and slashes, which belong to the name here.
	name, ok := strings.CutPrefix(file, p.Path()+"/")
	if !ok || path.IsAbs(name) {
		return "", ErrOutside
	}
	return filepath.FromSlash(name), nil
}

func (s *Store) read(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // opening a pipe would block
		return nil, fmt.Errorf("%s is not a file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, s.limits.FileBytes+1))
	if err == nil && int64(len(b)) > s.limits.FileBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooBig, s.limits.FileBytes)
	}
	return b, err
}

// Remove ends the vault of a particle.
func (s *Store) Remove(p Particle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(p.name())
}

// Sweep ends the vaults of the particles that expired by then.
func (s *Store) Sweep(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for name, u := range s.vaults {
		if !now.Before(u.expires) {
			errs = append(errs, s.remove(name))
		}
	}
	return errors.Join(errs...)
}

// Close ends all vaults, unless they are durable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.durable {
		return nil
	}
	var errs []error
	for name := range s.vaults {
		errs = append(errs, s.remove(name))
	}
	return errors.Join(errs...)
}

// Usage is the number of vaults and their bytes.
func (s *Store) Usage() (vaults int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.vaults), s.total
}

// remove deletes a vault; s.mu is held.
func (s *Store) remove(name string) error {
	u := s.vaults[name]
	if u == nil {
		return nil
	}
	delete(s.vaults, name)
	s.total -= u.bytes
	if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
		return fmt.Errorf("remove vault: %w", err)
	}
	return nil
}

// newUUID is a random (version 4) UUID.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
