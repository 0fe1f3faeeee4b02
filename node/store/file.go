package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/aquanode/aquanode/internal/disk"
)

// ErrDamaged means that a file does not hold what was written to it.
var ErrDamaged = errors.New("is damaged")

// errOld is a whole file of format 1.
var errOld = errors.New("has no seals")

// maxDamages is how many places of a file are told.
const maxDamages = 20

// findings are what reading a whole file brings to light.
type findings struct {
	ledger  ledger // as counted
	written *ledger
	damages []error // the first ones
	count   int     // of all
	bucket  bool    // the ledger's bucket is there
	strange bool    // a bucket that no version has
	unseals int     // records with a wrong seal
	places  int     // where records are missing
}

func (f *findings) damaged(err error) {
	if f.count++; f.count <= maxDamages {
		f.damages = append(f.damages, err)
	}
}

func (f *findings) err() error {
	switch {
	case f.count == 0:
		return nil
	case f.count > len(f.damages):
		return fmt.Errorf("%w and %d more", f.damages[0], f.count-1)
	}
	return f.damages[0]
}

// A visitor hears of the records of a file, and of the places between them where some are missing.
// Slices belong to it.
type visitor struct {
	record func(path []string, key, value []byte)
	broken func()
}

// inspect reads a whole file without trusting any byte of it. The error says why nothing of it can
// be read; damage is in the findings.
func inspect(path string, buckets []string, v visitor) (*findings, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := new(findings)
	s := scan{f, buckets, v, nil}
	r := reader{file: file, size: info.Size(), record: s.record, broken: s.broken}
	if err := r.open(); err != nil {
		return nil, err
	}
	r.walk()
	switch {
	case s.newer != nil:
		return nil, s.newer
	case !f.bucket && !f.strange && f.count == f.unseals:
		return f, errOld
	case f.written == nil && f.count == 0:
		f.damaged(errors.New("there is no ledger"))
	case f.written != nil && f.count == 0 && *f.written != f.ledger:
		f.damaged(fmt.Errorf("records are missing or old: %d are there, the ledger counts %d", f.ledger.records, f.written.records))
	}
	return f, nil
}

// A scan hears of what a reader finds in one of our files.
type scan struct {
	*findings
	buckets []string
	visitor
	newer error
}

func (s *scan) broken(at []string, d damage) {
	s.damaged(d)
	if !slices.Equal(at, elsewhere) && !ledgers(at) {
		s.missing()
	}
}

func (s *scan) missing() {
	s.places++
	if s.visitor.broken != nil {
		s.visitor.broken()
	}
}

func ledgers(at []string) bool { return len(at) > 0 && at[0] == string(ledgerBucket) }

func (s *scan) record(at []string, key, sealed []byte) {
	if ledgers(at) {
		s.bucket = true
		if string(key) == string(ledgerKey) {
			s.readLedger(at, sealed)
		}
		return
	}
	if len(at) == 0 || !slices.Contains(s.buckets, at[0]) {
		s.strange = true
		s.damaged(fmt.Errorf("there is no bucket %.40q in this file", at))
		s.missing()
		return
	}
	value, err := unseal(at, key, sealed)
	if err != nil {
		s.unseals++
		s.damaged(fmt.Errorf("bucket %.80q: %w", at, err))
		s.missing()
		return
	}
	s.ledger.add(key, sealed)
	if s.visitor.record != nil {
		s.visitor.record(at, key, value)
	}
}

func (s *scan) readLedger(at []string, sealed []byte) {
	value, err := unseal(at, ledgerKey, sealed)
	var l ledger
	if err == nil {
		l, err = decodeLedger(value)
	}
	switch {
	case errors.Is(err, ErrNewer):
		s.newer = err
	case err != nil:
		s.damaged(fmt.Errorf("ledger: %w", err))
	default:
		s.written = &l
	}
}

// refusal says what is wrong with a file and what to do about it.
func refusal(path string, err error) error {
	switch dir := filepath.Dir(path); {
	case errors.Is(err, ErrNewer):
		return fmt.Errorf("store: %s: %w; run that version, or 'aquanode state repair %s' to begin anew without it", path, err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("store: %w; make it readable and writable for the user of the peer: chmod 600 %s", err, path)
	default:
		return fmt.Errorf("store: %s %w: %w; run 'aquanode state repair %s' to save what is readable", path, ErrDamaged, err, dir)
	}
}

// options of all databases. The list of free pages is found again by a scan at the start, instead
// of being written with every transaction.
func options() *bolt.Options {
	return &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType}
}

// openFile opens a file of a directory that is locked. It is read in full before the database
// library sees it; one that is not there is made. The library is not to be asked for less: an
// empty file is a damaged one.
func openFile(path string, buckets []string, v visitor) (*bolt.DB, ledger, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeFile(path, nil); err != nil {
			return nil, ledger{}, fmt.Errorf("store: %s: %w", path, err)
		}
	}
	f, err := inspect(path, buckets, v)
	if errors.Is(err, errOld) {
		if err := convert(path); err != nil {
			return nil, ledger{}, fmt.Errorf("store: %s: conversion to format %d: %w", path, format, err)
		}
		f, err = inspect(path, buckets, v)
	}
	if err == nil {
		err = f.err()
	}
	if err != nil {
		return nil, ledger{}, refusal(path, err)
	}
	var db *bolt.DB
	err = guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, options())
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ledger{}, fmt.Errorf("store: %w: %s", ErrInUse, filepath.Dir(path))
	case err != nil:
		return nil, ledger{}, refusal(path, err)
	}
	return db, f.ledger, nil
}

// makeFile makes a file with what fill puts into it. It appears under its name whole and on disk,
// in the place of another one, or not at all.
func makeFile(path string, fill func(*bolt.DB) error) (err error) {
	dir := filepath.Dir(path)
	tmp := filepath.Join(dir, "."+filepath.Base(path)+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.Remove(tmp)
	db, err := bolt.Open(tmp, 0o600, options())
	if err != nil {
		return err
	}
	_, err = update(db, func(*transaction) error { return nil })
	if err == nil && fill != nil {
		err = fill(db)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := disk.Sync(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return disk.Sync(dir)
}

// filler puts records into a new file, some MiB in a transaction.
type filler struct {
	db    *bolt.DB
	queue []fillRecord
	bytes int
	err   error
}

type fillRecord struct {
	path       []string
	key, value []byte
}

func (w *filler) add(path []string, key, value []byte) {
	w.queue = append(w.queue, fillRecord{path, key, value})
	if w.bytes += len(value) + recordBytes; w.bytes >= batchBytes {
		w.flush()
	}
}

func (w *filler) flush() {
	if w.err == nil {
		_, w.err = update(w.db, func(b *transaction) error {
			for _, r := range w.queue {
				in, err := b.bucket(r.path)
				if err == nil {
					err = b.put(in, r.path, r.key, r.value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.queue, w.bytes = nil, 0
}

// convert seals the records of a whole file of format 1.
func convert(path string) error {
	return makeFile(path, func(db *bolt.DB) error {
		w := filler{db: db}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		r := reader{file: file, size: info.Size(), record: w.add}
		r.broken = func(_ []string, d damage) { w.err = errors.Join(w.err, d) }
		if err := r.open(); err != nil {
			return err
		}
		r.walk()
		w.flush()
		return w.err
	})
}
