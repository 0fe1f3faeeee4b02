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

	"github.com/aquanode/aquanode/internal/disk"
)

// FileState is what a look at a file of a data directory showed.
type FileState struct {
	Name    string   `json:"name"`
	State   string   `json:"state"` // ok, absent, old (is converted at the next start), damaged, newer or unreadable
	Bytes   int64    `json:"bytes"`
	Records uint64   `json:"records"`
	Lists   int      `json:"particles,omitempty"` // in particles.db
	Damages []string `json:"damages,omitempty"`   // the first ones
}

// Bad reports whether a peer refuses to start over the file.
func (s FileState) Bad() bool { return !slices.Contains([]string{"ok", "absent", "old"}, s.State) }

// database is a file of a data directory.
type database struct {
	name    string
	buckets []string
}

var databases = []database{{File, storeBuckets}, {LogsFile, logBuckets}}

// Check reads the files of a data directory that no peer uses, and changes nothing.
func Check(dir string) ([]FileState, error) {
	release, err := lockExisting(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	var all []FileState
	for _, d := range databases {
		s, _, _ := d.look(dir)
		all = append(all, s)
	}
	return all, nil
}

func lockExisting(dir string) (func() error, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("store: %s is not a directory", dir)
	}
	return lock(dir)
}

// look reads a file. The error is why nothing of it can be read.
func (d database) look(dir string) (FileState, *findings, error) {
	s := FileState{Name: d.name, State: "ok"}
	path := filepath.Join(dir, d.name)
	if info, err := os.Stat(path); err == nil {
		s.Bytes = info.Size()
	}
	f, err := inspect(path, d.buckets, visitor{record: func(_ []string, key, _ []byte) {
		if _, record := keyParts(key); record == 0 && d.name == LogsFile {
			s.Lists++
		}
	}})
	if f != nil {
		s.Records = f.ledger.records
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.State = "absent"
		return s, nil, nil
	case errors.Is(err, errOld):
		s.State = "old"
		return s, f, nil
	case errors.Is(err, ErrNewer):
		s.State = "newer"
	case errors.Is(err, fs.ErrPermission):
		s.State = "unreadable"
	case err != nil || f.count > 0:
		s.State = "damaged"
	}
	switch {
	case err != nil:
		s.Damages = []string{err.Error()}
	default:
		for _, err := range f.damages {
			s.Damages = append(s.Damages, err.Error())
		}
		if more := f.count - len(f.damages); more > 0 {
			s.Damages = append(s.Damages, fmt.Sprintf("%d more", more))
		}
	}
	return s, f, err
}

// Repaired is what became of a file.
type Repaired struct {
	FileState          // as it was
	Saved     string   `json:"saved,omitempty"` // where the damaged file is; empty: nothing had to be done
	Kept      int      `json:"kept"`            // records that the new file has
	Lost      []string `json:"lost,omitempty"`
}

// Repair puts a new file in the place of each damaged one, with all that can be told to be right, and
// leaves the damaged one beside it. A particle of which a record may be missing is lost in whole:
// half of it would contradict what the peer has said. describe names a particle by its head.
func Repair(dir string, now time.Time, describe func(head []byte) string) ([]Repaired, error) {
	release, err := lockExisting(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	var all []Repaired
	for _, d := range databases {
		r, err := d.repair(dir, now, describe)
		if err != nil {
			return all, fmt.Errorf("store: repair of %s: %w", filepath.Join(dir, d.name), err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (d database) repair(dir string, now time.Time, describe func([]byte) string) (r Repaired, err error) {
	state, f, unread := d.look(dir)
	r.FileState = state
	switch {
	case !r.Bad():
		return r, nil
	case r.State == "unreadable":
		return r, unread
	}
	path := filepath.Join(dir, d.name)
	if r.Saved, err = saveAside(path, now); err != nil {
		return r, err
	}
	s := &saver{logs: d.name == LogsFile, describe: describe}
	err = makeFile(path, func(db *bolt.DB) error {
		s.filler.db = db
		switch {
		case unread != nil:
			s.lost = append(s.lost, "all of it: "+unread.Error())
			return nil
		case f.stale():
			s.lost = append(s.lost, "all of it: records are missing or old, and it cannot be told which")
			return nil
		}
		again, err := inspect(r.Saved, d.buckets, visitor{record: s.record, broken: s.broken})
		if err != nil {
			return err
		}
		s.end()
		s.flush()
		if w := again.written; w != nil && w.records > again.ledger.records {
			s.lost = append(s.lost, fmt.Sprintf("%d records that cannot be read", w.records-again.ledger.records))
		}
		return s.err
	})
	r.Kept, r.Lost = s.kept, s.lost
	return r, err
}

// stale reports that the records are right one by one but are not those that were written last,
// with no place known where one is missing.
func (f *findings) stale() bool { return f.places == 0 && f.written != nil && *f.written != f.ledger }

// saveAside gives a damaged file a second name. It has its own until another one takes its place.
func saveAside(path string, now time.Time) (string, error) {
	saved := path + ".damaged-" + now.UTC().Format("20060102T150405.000Z")
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() {
		err = os.Link(path, saved)
	} else if err == nil {
		err = os.Rename(path, saved)
	}
	if err == nil {
		err = disk.Sync(filepath.Dir(path))
	}
	return saved, err
}

// A saver takes over what is right of a damaged file. Of the records of particles it holds those of
// one until it is clear that nothing is missing between them.
type saver struct {
	filler
	logs     bool
	describe func([]byte) string
	kept     int
	lost     []string

	number  uint64
	held    []fillRecord
	suspect bool // a record of this number may be missing
	gap     bool // records may be missing before the next one
}

func (s *saver) record(path []string, key, value []byte) {
	if !s.logs {
		s.kept++
		s.add(path, key, value)
		return
	}
	number, record := keyParts(key)
	if number != s.number {
		s.end()
		s.number, s.suspect = number, s.gap || record != 0
	}
	s.gap = false
	s.held = append(s.held, fillRecord{path, key, value})
}

func (s *saver) broken() {
	s.suspect, s.gap = true, true
}

// end decides about the particle whose records are held.
func (s *saver) end() {
	switch {
	case len(s.held) == 0:
	case s.suspect:
		if _, record := keyParts(s.held[0].key); record == 0 {
			s.lost = append(s.lost, "particle "+s.describe(s.held[0].value))
		}
	default:
		for _, r := range s.held {
			s.kept++
			s.add(r.path, r.key, r.value)
		}
	}
	s.held, s.suspect = nil, false
}
