package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	logging "github.com/ipfs/go-log/v2"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
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
// After a failed write (the disk is full, say) nobody waits for the disk: a peer goes on without
// its logs, and [Logs.Err] says so. The disk is tried again every second or more. When it has room
// again, logs that were added to meanwhile are torn: they lack records, so nothing is appended to
// them before their owner replaces their records, for which it is asked by [Config.Resumed].
//
// One goroutine writes; Close waits for it.
type Logs struct {
	db   *bolt.DB
	done sync.WaitGroup

	cfg Config

	mu     sync.Mutex
	queued *sync.Cond // something is in the queue, or closed
	queue  []change
	bytes  int
	due    bool   // the queue is to be written now
	rests  bool   // the queue is to be written soon
	last   uint64 // log
	kept   uint64 // bytes on disk, of keys and values
	closed bool

	err     error // why nothing is written
	fault   bool  // and never will be
	since   time.Time
	pause   time.Duration       // until the disk is tried again
	probe   bool                // it is time for that
	torn    map[*Log]struct{}   // that live and lack records
	gone    map[uint64]struct{} // removed while nothing was written
	skipped int                 // records that were not written since
}

// Config configures Logs.
type Config struct {
	// MaxBytes of records on disk, beyond which Room refuses; 0 is 4 GiB.
	MaxBytes int64
	// Resumed, if set, is called when the disk takes writes again. It must not wait for the disk.
	Resumed func()
}

// A Log is one list. Its first record is the head. It is safe for concurrent use.
type Log struct {
	logs   *Logs
	number uint64
	next   uint32 // record; guarded by logs.mu
	old    uint32 // records below were there when the logs were opened
	torn   bool   // lacks records on disk; guarded by logs.mu
	ended  bool   // removed
	head   []byte // while it is not on disk and the log is torn
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
	joined bool // belongs into one transaction with the next change
	then   func()
}

const (
	batchBytes  = 16 << 20 // of values in one transaction
	maxBacklog  = 64 << 20 // of values that wait, before Room waits too
	recordBytes = 64       // what a record without value counts

	// patience is how long a change rests that nobody waits for.
	patience = 20 * time.Millisecond

	// A disk that took nothing is tried again after a second, then twice as long, up to 16 s.
	firstPause, lastPause = time.Second, 16 * time.Second

	// ballast is the room there has to be before writing is taken up again: some thousand
	// records, so that it does not stop again at once.
	ballast = 1 << 20
)

var (
	logBucket  = []byte("logs")
	logPath    = []string{"logs"}
	logBuckets = logPath
)

// ErrFull means that particles take all the disk that they may.
var ErrFull = errors.New("no more room on disk for particles")

// OpenLogs opens the logs of a data directory, which has to be held by an open Store, and
// lists what is in them.
func OpenLogs(dir string, cfg Config) (*Logs, []Kept, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 4 << 30
	}
	path := filepath.Join(dir, LogsFile)
	l := &Logs{cfg: cfg, torn: map[*Log]struct{}{}, gone: map[uint64]struct{}{}}
	l.queued = sync.NewCond(&l.mu)
	kept, err := l.open(path)
	if err == nil && len(kept) == 0 { // the file never shrinks
		if err = errors.Join(l.db.Close(), os.Remove(path)); err == nil {
			_, err = l.open(path)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	l.done.Go(l.write)
	return l, kept, nil
}

func (l *Logs) open(path string) (kept []Kept, err error) {
	list := visitor{record: func(_ []string, k, v []byte) {
		number, record := keyParts(k)
		if record == 0 {
			kept = append(kept, Kept{&Log{logs: l, number: number}, append([]byte{}, v...)})
		}
		if n := len(kept); n > 0 && kept[n-1].Log.number == number {
			kept[n-1].Log.next, kept[n-1].Log.old = record+1, record+1
		}
		l.last = number
	}}
	var at ledger
	if l.db, at, err = openFile(path, logBuckets, list); err != nil {
		return nil, err
	}
	l.kept = at.bytes
	return kept, nil
}

func key(number uint64, record uint32) []byte {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 12), number)
	return binary.BigEndian.AppendUint32(k, record)
}

// keyParts takes a key apart. Keys are of one length; a file whose seals are right has no others.
func keyParts(k []byte) (number uint64, record uint32) {
	if len(k) != 12 {
		return 0, 0
	}
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

// Replace puts records in the place of all but the head, at once. It mends a torn log.
func (g *Log) Replace(records [][]byte) {
	l := g.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case g.ended || l.closed:
		return
	case l.err != nil:
		g.tear()
		return
	}
	l.add(change{log: g, record: 1, drop: true, joined: true})
	if g.torn {
		if g.head != nil {
			l.add(change{log: g, value: g.head, joined: true})
		}
		g.next, g.torn, g.head = max(g.next, 1), false, nil
		delete(l.torn, g)
	}
	for i, r := range records {
		l.add(change{log: g, record: g.next, value: r, joined: i+1 < len(records)})
		g.next++
	}
}

// Torn reports whether records are missing on disk, see [Logs].
func (g *Log) Torn() bool {
	g.logs.mu.Lock()
	defer g.logs.mu.Unlock()
	return g.torn
}

// Remove ends the log.
func (g *Log) Remove() {
	l := g.logs
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.torn, g)
	g.ended, g.head = true, nil
	if l.err != nil {
		l.lose(change{log: g, drop: true})
		return
	}
	l.add(change{log: g, drop: true})
}

func (g *Log) append(record []byte) {
	l := g.logs
	c := change{log: g, record: g.next, value: record}
	g.next++
	switch {
	case l.closed || g.ended:
		return
	case l.err != nil || g.torn:
		l.lose(c)
	default:
		l.add(c)
	}
}

// tear notes that a log lacks records. l.mu is held.
func (g *Log) tear() {
	g.torn = true
	g.logs.torn[g] = struct{}{}
}

// lose takes a change that is not written. What the next start must not find is removed later.
func (l *Logs) lose(c change) {
	switch {
	case c.log == nil:
		return
	case c.drop && c.record == 0:
		l.gone[c.log.number] = struct{}{}
		return
	case c.log.ended:
		return
	case c.drop:
	case c.record == 0:
		c.log.head = c.value
		l.skipped++
	default:
		l.skipped++
	}
	c.log.tear()
}

// add queues a change. l.mu is held.
func (l *Logs) add(c change) {
	if l.closed {
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
	err = guard(func() error {
		return g.logs.db.View(func(tx *bolt.Tx) (err error) {
			records, err = g.read(tx.Bucket(logBucket))
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: log: %w", err)
	}
	return records, nil
}

func (g *Log) read(in *bolt.Bucket) (records [][]byte, err error) {
	if in == nil {
		return nil, nil
	}
	c := in.Cursor()
	for k, sealed := c.Seek(key(g.number, 1)); k != nil; k, sealed = c.Next() {
		number, record := keyParts(k)
		if number != g.number || record >= g.old {
			break
		}
		v, err := unseal(logPath, k, sealed)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", record, err)
		}
		records = append(records, append([]byte{}, v...))
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
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Room waits while much more is asked for than the disk takes. It returns ErrFull when the records
// of all logs take the room that they may.
func (l *Logs) Room(ctx context.Context) error {
	l.mu.Lock()
	behind, kept := l.bytes > maxBacklog, l.kept
	l.mu.Unlock()
	if behind {
		_ = l.Sync(ctx) // the error is told by Err
	}
	if kept > uint64(l.cfg.MaxBytes) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFull, kept, l.cfg.MaxBytes)
	}
	return nil
}

// Size is the bytes of records on disk.
func (l *Logs) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.kept)
}

// Backlog is the bytes that wait to be written.
func (l *Logs) Backlog() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Err is why not all logs are on disk, nil as long as all is well.
func (l *Logs) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil && !l.fault:
		return fmt.Errorf("%w; since %s, %d records were not written, the disk is tried again", l.err, l.since.Format(time.RFC3339), l.skipped)
	case l.err != nil:
		return l.err
	case len(l.torn) > 0:
		return fmt.Errorf("store: logs: %d logs lack records of the time when the disk took none", len(l.torn))
	}
	return nil
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
		if l.failing() {
			l.loseAll(batch)
		} else if slices.ContainsFunc(batch, func(c change) bool { return c.log != nil }) {
			after, err := update(l.db, func(b *transaction) error { return apply(b, batch) })
			if err != nil {
				l.fail(err, batch)
			} else {
				l.wrote(after)
			}
		}
		for _, c := range batch {
			if c.then != nil {
				c.then()
			}
		}
		l.retry()
	}
}

func (l *Logs) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err != nil
}

func (l *Logs) wrote(after ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = after.bytes
}

func (l *Logs) loseAll(batch []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range batch {
		l.lose(c)
	}
}

// fail stops writing after an error.
func (l *Logs) fail(err error, batch []change) {
	l.loseAll(batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.since, l.skipped = fmt.Errorf("store: logs: %w", err), time.Now(), len(batch)
	l.fault = errors.Is(err, errFault) || errors.Is(err, bolterrors.ErrDatabaseNotOpen)
	log.Errorw("particles are not kept", "error", err, "again", !l.fault)
	l.pause = firstPause
	l.wait()
}

// wait has the disk tried again after a pause. l.mu is held.
func (l *Logs) wait() {
	if l.fault {
		return
	}
	time.AfterFunc(l.pause, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.probe = true
		l.add(change{then: func() {}})
	})
	l.pause = min(2*l.pause, lastPause)
}

// retry takes up writing when the disk has room.
func (l *Logs) retry() {
	l.mu.Lock()
	due := l.probe && l.err != nil
	l.probe = false
	gone := maps.Clone(l.gone)
	l.mu.Unlock()
	if !due {
		return
	}
	after, err := l.try(gone)
	l.mu.Lock()
	if err != nil {
		l.fault = errors.Is(err, errFault)
		l.wait()
		l.mu.Unlock()
		return
	}
	for number := range gone {
		delete(l.gone, number)
	}
	log.Warnw("particles are kept again", "down", time.Since(l.since).Round(time.Millisecond), "records_not_written", l.skipped, "particles_to_write_again", len(l.torn))
	for i, c := range l.queue { // from before the failure: none is added during it
		l.lose(c)
		l.queue[i] = change{then: c.then}
	}
	l.err, l.kept = nil, after.bytes
	for number := range l.gone { // since then
		l.add(change{log: &Log{logs: l, number: number}, drop: true})
		delete(l.gone, number)
	}
	l.mu.Unlock()
	if l.cfg.Resumed != nil {
		l.cfg.Resumed()
	}
}

// try removes logs that have ended, and makes sure that there is room for more than that.
func (l *Logs) try(gone map[uint64]struct{}) (ledger, error) {
	_, err := update(l.db, func(b *transaction) error {
		in, err := b.bucket(logPath)
		if err != nil {
			return err
		}
		for number := range gone {
			if err := drops(b, in, number, 0); err != nil {
				return err
			}
		}
		return b.tx.Bucket(ledgerBucket).Put(ballastKey, make([]byte, ballast))
	})
	if err != nil {
		return ledger{}, err
	}
	return update(l.db, func(b *transaction) error { return b.tx.Bucket(ledgerBucket).Delete(ballastKey) })
}

// take waits for changes. It gives nil at the end.
func (l *Logs) take() (batch []change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !(l.due && len(l.queue) > 0) && !l.closed {
		l.queued.Wait()
	}
	size, n := 0, 0
	for n < len(l.queue) && (size < batchBytes || l.queue[n-1].joined) {
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

func apply(b *transaction, batch []change) error {
	in, err := b.bucket(logPath)
	if err != nil {
		return err
	}
	in.FillPercent = 0.9 // keys grow
	for _, c := range batch {
		switch {
		case c.log == nil:
		case c.drop:
			err = drops(b, in, c.log.number, c.record)
		default:
			err = b.put(in, logPath, key(c.log.number, c.record), c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drops removes the records of a log from one on.
func drops(b *transaction, in *bolt.Bucket, log uint64, from uint32) error {
	var keys [][]byte
	c := in.Cursor()
	for k, _ := c.Seek(key(log, from)); k != nil; k, _ = c.Next() {
		if number, _ := keyParts(k); number != log {
			break
		}
		keys = append(keys, append([]byte{}, k...))
	}
	for _, k := range keys {
		if err := b.delete(in, k); err != nil {
			return err
		}
	}
	return nil
}
