// Package store keeps what a peer must not forget in one file of its data directory.
//
// The file is a bbolt database: every change is a transaction that is on disk when the
// call returns, so a crash at any moment leaves the state before or after it. A data
// directory belongs to one process; a second one is refused.
//
//	aliases / <scope peer id> / <alias> -> service id
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// File is the name of the database in the data directory.
const File = "peer.db"

var aliasBucket = []byte("aliases")

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
	case err != nil:
		return nil, fmt.Errorf("store: %s: %w", path, err)
	}
	return &Store{db}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// SetAliases replaces the aliases of a scope's service.
func (s *Store) SetAliases(scope, service string, aliases []string) error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists(aliasBucket)
		if err != nil {
			return err
		}
		b, err := all.CreateBucketIfNotExists([]byte(scope))
		if err != nil {
			return err
		}
		if err := dropAliases(b, service); err != nil {
			return err
		}
		for _, alias := range aliases {
			if err := b.Put([]byte(alias), []byte(service)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: aliases of service %q: %w", service, err)
	}
	return nil
}

func dropAliases(b *bolt.Bucket, service string) error {
	c := b.Cursor()
	for alias, to := c.First(); alias != nil; alias, to = c.Next() {
		if string(to) == service {
			if err := c.Delete(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Aliases gives the services of a scope by alias.
func (s *Store) Aliases(scope string) (map[string]string, error) {
	out := map[string]string{}
	err := s.db.View(func(tx *bolt.Tx) error {
		all := tx.Bucket(aliasBucket)
		if all == nil || all.Bucket([]byte(scope)) == nil {
			return nil
		}
		return all.Bucket([]byte(scope)).ForEach(func(alias, service []byte) error {
			out[string(alias)] = string(service)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: aliases: %w", err)
	}
	return out, nil
}
