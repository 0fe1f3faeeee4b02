// Package store keeps what a peer must not forget in two files of its data directory.
//
// Both are bbolt databases: every change is a transaction that is on disk when the call
// returns, so a crash at any moment leaves the state before or after it. A data directory
// belongs to one process; a second one is refused. Files are read in full before the
// database library maps them, and every record has a checksum, so a damaged file is
// refused and stays as it is, see pages.go and seal.go. [Check] and [Repair] are the way on.
//
//	aliases / <scope peer id> / <alias>      -> service id
//	removed / <scope peer id> / <service id> -> blueprint id it had
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"github.com/aquanode/aquanode/internal/disk"
)

// File is the name of the database in the data directory.
const File = "peer.db"

var (
	aliasBucket   = []byte("aliases")
	removedBucket = []byte("removed")
)

// ErrInUse means that another process has the data directory.
var ErrInUse = errors.New("another peer uses the data directory")

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db      *bolt.DB
	release func() error
}

var storeBuckets = []string{string(aliasBucket), string(removedBucket)}

// Open opens the database of a data directory, making both if need be.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	_ = disk.Sync(filepath.Dir(filepath.Clean(dir))) // names dir; it may be closed to us, then it is not new
	release, err := lock(dir)
	if err != nil {
		return nil, err
	}
	db, _, err := openFile(filepath.Join(dir, File), storeBuckets, visitor{})
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return &Store{db, release}, nil
}

// lock takes a data directory.
func lock(dir string) (release func() error, err error) {
	release, err = disk.Lock(dir)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, fmt.Errorf("store: %w: %s", ErrInUse, dir)
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	}
	return release, nil
}

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.release()) }

// SetAlias gives an alias of a scope to a service, wherever it was before.
func (s *Store) SetAlias(scope, alias, service string) error {
	return s.update("alias", func(b *transaction) error { return put(b, aliasBucket, scope, alias, service) })
}

// RemoveAlias takes an alias of a scope away.
func (s *Store) RemoveAlias(scope, alias string) error {
	return s.update("alias", func(b *transaction) error { return remove(b, aliasBucket, scope, alias) })
}

// RemoveService takes the aliases of a scope's service away and remembers that the service is
// not wanted as long as it is made from the same blueprint.
func (s *Store) RemoveService(scope, service, blueprint string) error {
	return s.update("service", func(b *transaction) error {
		aliases, err := entries(b.tx, aliasBucket, scope)
		if err != nil {
			return err
		}
		for alias, to := range aliases {
			if to != service {
				continue
			}
			if err := remove(b, aliasBucket, scope, alias); err != nil {
				return err
			}
		}
		return put(b, removedBucket, scope, service, blueprint)
	})
}

// AddService takes back that a service is not wanted.
func (s *Store) AddService(scope, service string) error {
	if removed, err := s.Removed(scope); err != nil || removed[service] == "" {
		return err
	}
	return s.update("service", func(b *transaction) error { return remove(b, removedBucket, scope, service) })
}

// Aliases gives the services of a scope by alias.
func (s *Store) Aliases(scope string) (map[string]string, error) { return s.all(aliasBucket, scope) }

// Removed gives the blueprints of a scope's removed services by service id.
func (s *Store) Removed(scope string) (map[string]string, error) { return s.all(removedBucket, scope) }

func (s *Store) update(what string, f func(*transaction) error) error {
	if _, err := update(s.db, f); err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func (s *Store) all(bucket []byte, scope string) (out map[string]string, err error) {
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) (err error) {
			out, err = entries(tx, bucket, scope)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, nil
}

// entries are the records of a scope.
func entries(tx *bolt.Tx, bucket []byte, scope string) (map[string]string, error) {
	out := map[string]string{}
	all := tx.Bucket(bucket)
	if all == nil || all.Bucket([]byte(scope)) == nil {
		return out, nil
	}
	path := []string{string(bucket), scope}
	c := all.Bucket([]byte(scope)).Cursor()
	for k, sealed := c.First(); k != nil; k, sealed = c.Next() {
		v, err := unseal(path, k, sealed)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", k, err)
		}
		out[string(k)] = string(v)
	}
	return out, nil
}

func put(b *transaction, bucket []byte, scope, k, v string) error {
	path := []string{string(bucket), scope}
	in, err := b.bucket(path)
	if err != nil {
		return err
	}
	return b.put(in, path, []byte(k), []byte(v))
}

func remove(b *transaction, bucket []byte, scope, k string) error {
	all := b.tx.Bucket(bucket)
	if all == nil || all.Bucket([]byte(scope)) == nil {
		return nil
	}
	return b.delete(all.Bucket([]byte(scope)), []byte(k))
}
