package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	logging "github.com/ipfs/go-log/v2"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/aquanode/aquanode/internal/disk"
)

var log = logging.Logger("store")

// LogsFile is the name of the logs' database in the data directory.
const LogsFile = "particles.db"

// Logs are many short lists of records that live seconds to hours, in a database of their own:
//
//	logs / <log, 8 bytes> <record, 4 bytes> -> bytes
//
// Numbers of logs grow, so that what is written together lies together. All that is asked for
// while a transaction is on its way to disk goes into the next one: a busy peer pays for a few
// transactions a second instead of one a record, and an idle one waits for its own alone.
//
// After a failed write (the disk is full, say) nothing is written any more and nobody waits:
// a peer goes on without its logs, and [Logs.Err] says so.
//
// One goroutine writes; Close waits for it.
type Logs struct {
	db   *bolt.DB
	done sync.WaitGroup

	mu     sync.Mutex
	queued *sync.Cond // something is in the queue, or closed
	queue  []change
	bytes  int
	due    bool   // the queue is to be written now
	rests  bool   // the queue is to be written soon
	last   uint64 // log
	closed bool
	err    error
}

// A Log is one list. Its first record is the head. It is safe for concurrent use.
type Log struct {
	logs   *Logs
	number uint64
	next   uint32 // record; guarded by logs.mu
	old    uint32 // records below were there when the logs were opened
}

// Kept is a log found by OpenLogs.
type Kept struct {
	Log  *Log
	Head []byte
}

// A change waits to be written. Without a log there is only something to call.
type change struct {
	log    *Log
	record uint32
	value  []byte
	drop   bool // the records from this one on
	then   func()
}

const (
	batchBytes  = 16 << 20 // of values in one transaction
	maxBacklog  = 64 << 20 // of values that wait, before Room waits too
	recordBytes = 64       // what a record without value counts

	// patience is how long a change rests that nobody waits for.
	patience = 20 * time.Millisecond
)

var logBucket = []byte("logs")

// OpenLogs opens the logs of a data directory, which has to be held by an open Store, and
// lists what is in them.
func OpenLogs(dir string) (*Logs, []Kept, error) {
	path := filepath.Join(dir, LogsFile)
	l := new(Logs)
	l.queued = sync.NewCond(&l.mu)
	kept, err := l.open(path)
	if err == nil && len(kept) == 0 { // the file never shrinks
		if err = errors.Join(l.db.Close(), os.Remove(path)); err == nil {
			_, err = l.open(path)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store: %s: %w", path, err)
	}
	l.done.Go(l.write)
	return l, kept, nil
}

func (l *Logs) open(path string) (kept []Kept, err error) {
	// The list of free pages is found again by a scan at the start, instead of being written
	// with every transaction.
	l.db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	err = l.db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(logBucket)
		return err
	})
	if err == nil {
		err = disk.Sync(filepath.Dir(path))
	}
	if err == nil {
		err = l.db.View(func(tx *bolt.Tx) error {
			kept = l.list(tx.Bucket(logBucket).Cursor())
			return nil
		})
	}
	if err != nil {
		err = errors.Join(err, l.db.Close())
	}
	return kept, err
}

// list finds the logs and their heads.
func (l *Logs) list(c *bolt.Cursor) (kept []Kept) {
	for k, v := c.First(); k != nil; k, v = c.Next() {
		number, record := keyParts(k)
		if record == 0 {
			kept = append(kept, Kept{&Log{logs: l, number: number}, append([]byte{}, v...)})
		}
		if n := len(kept); n > 0 && kept[n-1].Log.number == number {
			kept[n-1].Log.next, kept[n-1].Log.old = record+1, record+1
		}
		l.last = number
	}
	return kept
}

func key(number uint64, record uint32) []byte {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 12), number)
	return binary.BigEndian.AppendUint32(k, record)
}

func keyParts(k []byte) (number uint64, record uint32) {
	return binary.BigEndian.Uint64(k), binary.BigEndian.Uint32(k[8:])
}

// Begin starts a log. Values given to a log are not copied and must not change.
func (l *Logs) Begin(head []byte) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	g := &Log{logs: l, number: l.last}
	g.append(head)
	return g
}

// Append adds a record.
func (g *Log) Append(record []byte) {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	g.append(record)
}

// Replace puts records in the place of all but the head, at once.
func (g *Log) Replace(records [][]byte) {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	g.logs.add(change{log: g, record: 1, drop: true})
	for _, r := range records {
		g.append(r)
	}
}

// Remove ends the log.
func (g *Log) Remove() {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	g.logs.add(change{log: g, drop: true})
}

func (g *Log) append(record []byte) {
	g.logs.add(change{log: g, record: g.next, value: record})
	g.next++
}

// add queues a change. l.mu is held.
func (l *Logs) add(c change) {
	if l.closed || l.err != nil && c.then == nil {
		return
	}
	l.queue = append(l.queue, c)
	l.bytes += len(c.value) + recordBytes
	switch {
	case c.then != nil || l.bytes >= batchBytes:
		l.hurry()
	case !l.due && !l.rests:
		l.rests = true
		time.AfterFunc(patience, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.hurry()
		})
	}
}

func (l *Logs) hurry() {
	l.due, l.rests = true, false
	l.queued.Signal()
}

// Read gives the records after the head that were there when the logs were opened.
func (g *Log) Read() (records [][]byte, err error) {
	err = g.logs.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(logBucket).Cursor()
		for k, v := c.Seek(key(g.number, 1)); k != nil; k, v = c.Next() {
			if number, record := keyParts(k); number != g.number || record >= g.old {
				break
			}
			records = append(records, append([]byte{}, v...))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: log: %w", err)
	}
	return records, nil
}

// After calls f when all that was asked for before is on disk. Calls come one after the
// other, in order, and must not wait.
func (l *Logs) After(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(change{then: f})
}

// Sync waits until all that was asked for before is on disk.
func (l *Logs) Sync(ctx context.Context) error {
	done := make(chan struct{})
	l.mu.Lock()
	closed := l.closed
	l.add(change{then: func() { close(done) }})
	l.mu.Unlock()
	if closed {
		return bolterrors.ErrDatabaseNotOpen
	}
	select {
	case <-done:
		return l.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Room waits while much more is asked for than the disk takes.
func (l *Logs) Room(ctx context.Context) {
	l.mu.Lock()
	full := l.bytes > maxBacklog
	l.mu.Unlock()
	if full {
		_ = l.Sync(ctx) // the error is told by Err
	}
}

// Backlog is the bytes that wait to be written.
func (l *Logs) Backlog() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Err is why nothing is written any more, nil as long as all is well.
func (l *Logs) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close writes what is queued and closes the file.
func (l *Logs) Close() error {
	l.mu.Lock()
	l.closed = true
	l.queued.Signal()
	l.mu.Unlock()
	l.done.Wait()
	return errors.Join(l.Err(), l.db.Close())
}

func (l *Logs) write() {
	for batch := l.take(); batch != nil; batch = l.take() {
		if l.Err() == nil && slices.ContainsFunc(batch, func(c change) bool { return c.log != nil }) {
			if err := l.db.Update(func(tx *bolt.Tx) error { return apply(tx.Bucket(logBucket), batch) }); err != nil {
				l.fail(err)
			}
		}
		for _, c := range batch {
			if c.then != nil {
				c.then()
			}
		}
	}
}

func (l *Logs) fail(err error) {
	log.Errorw("particles are no longer kept", "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("store: logs: %w", err)
}

// take waits for changes. It gives nil at the end.
func (l *Logs) take() (batch []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !(l.due && len(l.queue) > 0) && !l.closed {
		l.queued.Wait()
	}
	size, n := 0, 0
	for n < len(l.queue) && size < batchBytes {
		size += len(l.queue[n].value) + recordBytes
		n++
	}
	batch, l.queue = l.queue[:n:n], slices.Clone(l.queue[n:]) // a clone, so that values do not stay
	l.bytes -= size
	l.due = len(l.queue) > 0
	if n == 0 {
		return nil
	}
	return batch
}

func apply(b *bolt.Bucket, batch []change) error {
	b.FillPercent = 0.9 // keys grow
	for _, c := range batch {
		var err error
		switch {
		case c.log == nil:
		case c.drop:
			err = drops(b, c)
		default:
			err = b.Put(key(c.log.number, c.record), c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func drops(b *bolt.Bucket, from change) error {
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(key(from.log.number, from.record)); k != nil; k, _ = c.Next() {
		if number, _ := keyParts(k); number != from.log.number {
			break
		}
		keys = append(keys, append([]byte{}, k...))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
