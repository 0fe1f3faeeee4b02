// Package store keeps what a peer must not forget in one file of its data directory.
//
// The file is a bbolt database: every change is a transaction that is on disk when the
// call returns, so a crash at any moment leaves the state before or after it. A data
// directory belongs to one process; a second one is refused.
//
//	aliases / <scope peer id> / <alias>      -> service id
//	removed / <scope peer id> / <service id> -> blueprint id it had
package store

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

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
type Store struct{ db *bolt.DB }

// Open opens the database of a data directory, making both if need be.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	path := filepath.Join(dir, File)
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("store: %w: %s", ErrInUse, dir)
	case err == nil:
		_ = disk.Sync(filepath.Dir(filepath.Clean(dir))) // names dir; it may be closed to us, then it is not new
		err = disk.Sync(dir)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return &Store{db}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// SetAlias gives an alias of a scope to a service, wherever it was before.
func (s *Store) SetAlias(scope, alias, service string) error {
	return s.update("alias", func(tx *bolt.Tx) error { return put(tx, aliasBucket, scope, alias, service) })
}

// RemoveAlias takes an alias of a scope away.
func (s *Store) RemoveAlias(scope, alias string) error {
	return s.update("alias", func(tx *bolt.Tx) error { return remove(tx, aliasBucket, scope, alias) })
}

// RemoveService takes the aliases of a scope's service away and remembers that the service is
// not wanted as long as it is made from the same blueprint.
func (s *Store) RemoveService(scope, service, blueprint string) error {
	return s.update("service", func(tx *bolt.Tx) error {
		var gone []string
		for alias, to := range entries(tx, aliasBucket, scope) {
			if to == service {
				gone = append(gone, alias)
			}
		}
		for _, alias := range gone {
			if err := remove(tx, aliasBucket, scope, alias); err != nil {
				return err
			}
		}
		return put(tx, removedBucket, scope, service, blueprint)
	})
}

// AddService takes back that a service is not wanted.
func (s *Store) AddService(scope, service string) error {
	if removed, err := s.Removed(scope); err != nil || removed[service] == "" {
		return err
	}
	return s.update("service", func(tx *bolt.Tx) error { return remove(tx, removedBucket, scope, service) })
}

// Aliases gives the services of a scope by alias.
func (s *Store) Aliases(scope string) (map[string]string, error) { return s.all(aliasBucket, scope) }

// Removed gives the blueprints of a scope's removed services by service id.
func (s *Store) Removed(scope string) (map[string]string, error) { return s.all(removedBucket, scope) }

func (s *Store) update(what string, f func(*bolt.Tx) error) error {
	if err := s.db.Update(f); err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func (s *Store) all(bucket []byte, scope string) (out map[string]string, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		out = maps.Collect(entries(tx, bucket, scope))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return out, nil
}

// entries are what is under a scope. The bucket must not be changed meanwhile.
func entries(tx *bolt.Tx, bucket []byte, scope string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		all := tx.Bucket(bucket)
		if all == nil || all.Bucket([]byte(scope)) == nil {
			return
		}
		c := all.Bucket([]byte(scope)).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if !yield(string(k), string(v)) {
				return
			}
		}
	}
}

func put(tx *bolt.Tx, bucket []byte, scope, k, v string) error {
	all, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return err
	}
	b, err := all.CreateBucketIfNotExists([]byte(scope))
	if err != nil {
		return err
	}
	return b.Put([]byte(k), []byte(v))
}

func remove(tx *bolt.Tx, bucket []byte, scope, k string) error {
	all := tx.Bucket(bucket)
	if all == nil || all.Bucket([]byte(scope)) == nil {
		return nil
	}
	return all.Bucket([]byte(scope)).Delete([]byte(k))
}
