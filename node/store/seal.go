package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/cespare/xxhash/v2"
	bolt "go.etcd.io/bbolt"
)

// Each value ends in a seal: 8 bytes of a hash over the bucket, the key and the value, so a flipped
// bit in any of them is found. The file's ledger adds up the seals of all its records, in the same
// transaction, so a record that is missing or old is found as well.
const sealSize = 8

// format is the version of what we put into a bbolt file. Version 1 had no seals.
const format = 2

// ledgerBucket is the first one by name: it says how the others are to be read.
var (
	ledgerBucket = []byte("_ledger")
	ledgerKey    = []byte("ledger")
	ballastKey   = []byte("ballast") // see probe
)

// A ledger counts the sealed records of a file.
type ledger struct {
	records uint64
	bytes   uint64 // of keys and values
	sum     uint64 // of seals
}

func (l *ledger) add(key, sealed []byte) {
	l.records++
	l.bytes += uint64(len(key) + len(sealed))
	l.sum += binary.BigEndian.Uint64(sealed[len(sealed)-sealSize:])
}

func (l *ledger) remove(key, sealed []byte) {
	if len(sealed) < sealSize {
		return
	}
	l.records--
	l.bytes -= uint64(len(key) + len(sealed))
	l.sum -= binary.BigEndian.Uint64(sealed[len(sealed)-sealSize:])
}

func (l *ledger) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, format)
	for _, n := range []uint64{l.records, l.bytes, l.sum} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

const ledgerSize = 4 + 3*8

func decodeLedger(b []byte) (l ledger, err error) {
	if len(b) < 4 {
		return l, errors.New("the ledger is too short")
	}
	switch v := binary.BigEndian.Uint32(b); {
	case v > format:
		return l, ErrNewer
	case v != format || len(b) != ledgerSize:
		return l, errors.New("the ledger is of no known form")
	}
	return ledger{binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:]), binary.BigEndian.Uint64(b[20:])}, nil
}

// sealOf hashes names with their lengths, so that (ab, c) and (a, bc) differ.
func sealOf(path []string, key, value []byte) uint64 {
	var h xxhash.Digest
	h.Reset()
	var n [8]byte
	for _, p := range path {
		h.Write(binary.BigEndian.AppendUint64(n[:0], uint64(len(p))))
		h.WriteString(p)
	}
	h.Write(binary.BigEndian.AppendUint64(n[:0], uint64(len(key))))
	h.Write(key)
	h.Write(value)
	return h.Sum64()
}

func seal(path []string, key, value []byte) []byte {
	b := append(make([]byte, 0, len(value)+sealSize), value...)
	return binary.BigEndian.AppendUint64(b, sealOf(path, key, value))
}

var errSeal = errors.New("the checksum of a record is wrong")

// unseal returns the value within a sealed one, not copied.
func unseal(path []string, key, sealed []byte) ([]byte, error) {
	n := len(sealed) - sealSize
	if n < 0 || binary.BigEndian.Uint64(sealed[n:]) != sealOf(path, key, sealed[:n]) {
		return nil, errSeal
	}
	return sealed[:n:n], nil
}

// A transaction is one that keeps the ledger.
type transaction struct {
	tx     *bolt.Tx
	ledger ledger
}

// update runs f in a transaction and returns the ledger after it.
func update(db *bolt.DB, f func(*transaction) error) (ledger, error) {
	b := new(transaction)
	err := guard(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			b.tx = tx
			own, err := tx.CreateBucketIfNotExists(ledgerBucket)
			if err != nil {
				return err
			}
			path := []string{string(ledgerBucket)}
			if old := own.Get(ledgerKey); old != nil {
				value, err := unseal(path, ledgerKey, old)
				if err != nil {
					return err
				}
				if b.ledger, err = decodeLedger(value); err != nil {
					return err
				}
			}
			if err := f(b); err != nil {
				return err
			}
			return own.Put(ledgerKey, seal(path, ledgerKey, b.ledger.encode()))
		})
	})
	return b.ledger, err
}

// bucket finds or makes a bucket within others.
func (b *transaction) bucket(path []string) (*bolt.Bucket, error) {
	at, err := b.tx.CreateBucketIfNotExists([]byte(path[0]))
	for _, name := range path[1:] {
		if err != nil {
			return nil, err
		}
		at, err = at.CreateBucketIfNotExists([]byte(name))
	}
	return at, err
}

func (b *transaction) put(in *bolt.Bucket, path []string, key, value []byte) error {
	if old := in.Get(key); old != nil {
		b.ledger.remove(key, old)
	}
	sealed := seal(path, key, value)
	b.ledger.add(key, sealed)
	return in.Put(key, sealed)
}

func (b *transaction) delete(in *bolt.Bucket, key []byte) error {
	old := in.Get(key)
	if old == nil {
		return nil
	}
	b.ledger.remove(key, old)
	return in.Delete(key)
}

// errFault means that the database library panicked, or that its mapped file could not be read. The
// database is not to be used again.
var errFault = errors.New("the database failed")

// guard turns panics and faults of the database library into errors. The file was checked when it
// was opened, so what comes here is a disk that fails later.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errFault, p)
		}
	}()
	return f()
}
