package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

var thorough = flag.Bool("thorough", false, "flip every 64th bit, which takes minutes")

// content is what a data directory holds, by places.
type content map[string]string

// read opens a directory as a peer does and reads everything.
func read(dir string) (content, error) {
	s, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	c := content{}
	for _, scope := range []string{"host", "worker"} {
		aliases, err := s.Aliases(scope)
		if err != nil {
			return nil, err
		}
		removed, err := s.Removed(scope)
		if err != nil {
			return nil, err
		}
		for k, v := range aliases {
			c["alias "+scope+" "+k] = v
		}
		for k, v := range removed {
			c["removed "+scope+" "+k] = v
		}
	}
	l, kept, err := OpenLogs(dir, Config{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for _, k := range kept {
		records, err := k.Log.Read()
		if err != nil {
			return nil, err
		}
		c["log "+string(k.Head)] = string(bytes.Join(records, []byte("|")))
	}
	return c, nil
}

// filled makes a directory whose files have branch pages, long values and pages that are free.
func filled(t testing.TB) (string, content) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "aquanode-damage-") // each repair syncs, thousands of times
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		alias := fmt.Sprintf("alias %d %s", i, strings.Repeat("x", 60))
		if err := errors.Join(s.SetAlias("host", alias, "service 1"), s.SetAlias("host", alias, fmt.Sprint("service ", i%7))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.SetAlias("worker", "a", "s"), s.RemoveService("host", "service 3", "blueprint"), s.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := OpenLogs(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		g := l.Begin(fmt.Appendf(nil, "head %d", i))
		for j := range 5 {
			g.Append(bytes.Repeat([]byte{byte(i), byte(j)}, 100))
		}
		switch {
		case i%5 == 1:
			g.Replace([][]byte{bytes.Repeat([]byte("c"), 9000), []byte("and more")})
		case i%5 == 2:
			g.Remove()
		}
		if err := l.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	c, err := read(dir)
	if err != nil || len(c) != 60-9+1+1+32 {
		t.Fatalf("want a full directory, got %d, %v", len(c), err)
	}
	return dir, c
}

// wantRefusal checks an error: it names the file and the way on.
func wantRefusal(t *testing.T, what, file string, err error) {
	t.Helper()
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "aquanode state repair") {
		t.Fatalf("%s: not a refusal that names the file and the way on: %v", what, err)
	}
}

// damages damages a file of a directory in one way after the other. Each time the peer starts with all
// that was there or refuses and leaves the file alone; after a repair it starts, and what it has is
// right. It reports how often the damage mattered.
func damages(t *testing.T, dir, file string, want content, ways func(whole []byte, try func(what string, damaged []byte))) (refused int) {
	t.Helper()
	path := filepath.Join(dir, file)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	ways(whole, func(what string, damaged []byte) {
		tries++
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(dir)
		after, _ := os.ReadFile(path)
		if err == nil {
			if !maps.Equal(got, want) {
				t.Fatalf("%s: taken for right", what)
			}
			return
		}
		refused++
		wantRefusal(t, what, path, err)
		if !bytes.Equal(after, damaged) {
			t.Fatalf("%s: the damaged file was changed", what)
		}
		all, err := Repair(dir, time.Now(), func(head []byte) string { return string(head) })
		if err != nil {
			t.Fatalf("%s: repair: %v", what, err)
		}
		lost := ""
		for _, r := range all {
			lost += strings.Join(append(r.Lost, r.Damages...), ";")
			if r.Saved == "" {
				continue
			}
			saved, err := os.ReadFile(r.Saved)
			if err != nil || !bytes.Equal(saved, damaged) {
				t.Fatalf("%s: the damaged file was not kept: %v", what, err)
			}
			os.Remove(r.Saved)
		}
		got, err = read(dir)
		if err != nil {
			t.Fatalf("%s: after repair: %v", what, err)
		}
		for k, v := range got {
			if want[k] != v {
				t.Fatalf("%s: after repair %q is %.80q, which is wrong", what, k, v)
			}
		}
		if len(got) < len(want) && lost == "" {
			t.Fatalf("%s: %d of %d are left, and nothing tells", what, len(got), len(want))
		}
	})
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d of %d refused", file, refused, tries)
	return refused
}

// One flipped bit, at places all over the files: one in 25 of the bits with which pages begin, and one
// in 8209 of all. The steps are odd, so that all bits of a byte have their turn.
func TestFlippedBits(t *testing.T) {
	dir, want := filled(t)
	for _, file := range []string{File, LogsFile} {
		refused := damages(t, dir, file, want, func(whole []byte, try func(string, []byte)) {
			flip := func(bit int) {
				b := bytes.Clone(whole)
				b[bit/8] ^= 1 << (bit % 8)
				try(fmt.Sprintf("%s, bit %d of byte %d", file, bit%8, bit/8), b)
			}
			step, often := 8209, 25
			if *thorough {
				step, often = 63, 1
			}
			for bit := 0; bit < 8*len(whole); bit += step {
				flip(bit)
			}
			size := os.Getpagesize()
			for page := 0; page < min(len(whole), 16*size); page += size {
				for bit := page / size % often; bit < 8*80; bit += often {
					flip(8*page + bit)
				}
			}
		})
		if refused < 100 {
			t.Errorf("%s: only %d flips mattered, the test shows little", file, refused)
		}
	}
}

func TestCutFiles(t *testing.T) {
	dir, want := filled(t)
	for _, file := range []string{File, LogsFile} {
		damages(t, dir, file, want, func(whole []byte, try func(string, []byte)) {
			for size := 0; size < len(whole); size += 1 + len(whole)/60 {
				try(fmt.Sprintf("%s, cut to %d", file, size), whole[:size])
			}
			try(file+", of zeros", make([]byte, len(whole)))
			try(file+", of text", bytes.Repeat([]byte("not a database. "), len(whole)/16))
			try(file+", twice as long", append(bytes.Clone(whole), whole...))
		})
	}
}

// A page that points to itself or to an older version of a page with right checksums.
func TestWrongPages(t *testing.T) {
	dir, want := filled(t)
	damages(t, dir, LogsFile, want, func(whole []byte, try func(string, []byte)) {
		size := os.Getpagesize()
		for from := 0; from+size <= len(whole); from += size {
			for to := 2 * size; to+size <= len(whole); to += 13 * size {
				if from == to {
					continue
				}
				b := bytes.Clone(whole)
				copy(b[to:to+size], whole[from:from+size])
				binary.LittleEndian.PutUint64(b[to:], uint64(to/size))
				try(fmt.Sprintf("page %d in the place of page %d", from/size, to/size), b)
			}
		}
		for page := 2 * size; page+size <= len(whole); page += size {
			if whole[page+8] != branchPage {
				continue
			}
			b := bytes.Clone(whole)
			binary.LittleEndian.PutUint64(b[page+pageHeader+8:], uint64(page/size))
			try(fmt.Sprintf("page %d points to itself", page/size), b)
		}
	})
}

// What is no file of ours at all is refused with what it is.
func TestNotOurFile(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"empty":       {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is empty"},
		"of a newer bbolt": {func(path string) error {
			if err := makeFile(path, nil); err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			for page := range 2 {
				m := b[page*os.Getpagesize()+pageHeader:]
				m[4] = 3
				sum := fnv.New64a()
				sum.Write(m[:metaSummed])
				binary.LittleEndian.PutUint64(m[metaSummed:], sum.Sum64())
			}
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		}, "newer version"},
		"of a newer format": {func(path string) error {
			return makeFile(path, func(db *bolt.DB) error {
				return db.Update(func(tx *bolt.Tx) error {
					path := []string{string(ledgerBucket)}
					return tx.Bucket(ledgerBucket).Put(ledgerKey, seal(path, ledgerKey, binary.BigEndian.AppendUint32(nil, format+1)))
				})
			})
		}, "newer version"},
	} {
		for _, file := range []string{File, LogsFile} {
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			_, err := read(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s %s: want %q, got %v", file, name, c.want, err)
			}
			if _, err := Repair(dir, time.Now(), func([]byte) string { return "" }); err != nil {
				t.Errorf("%s %s: repair: %v", file, name, err)
			}
			if _, err := read(dir); err != nil {
				t.Errorf("%s %s: after repair: %v", file, name, err)
			}
		}
	}
}

// Files of the format without seals are taken over as they are.
func TestOldFormat(t *testing.T) {
	dir := t.TempDir()
	for file, fill := range map[string]func(*bolt.Tx) error{
		File: func(tx *bolt.Tx) error {
			all, err := tx.CreateBucket(aliasBucket)
			if err != nil {
				return err
			}
			host, err := all.CreateBucket([]byte("host"))
			if err != nil {
				return err
			}
			return host.Put([]byte("a"), []byte("service"))
		},
		LogsFile: func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket(logBucket)
			if err != nil {
				return err
			}
			return errors.Join(b.Put(key(7, 0), []byte("head")), b.Put(key(7, 1), []byte("x")), b.Put(key(7, 2), []byte("y")))
		},
	} {
		db, err := bolt.Open(filepath.Join(dir, file), 0o600, nil) // with a list of free pages
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(fill), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := Check(dir); err != nil || all[0].State != "old" || all[1].State != "old" {
		t.Errorf("want both files old, got %+v, %v", all, err)
	}
	for range 2 {
		got, err := read(dir)
		if want := (content{"alias host a": "service", "log head": "x|y"}); err != nil || !maps.Equal(got, want) {
			t.Errorf("want %v, got %v, %v", want, got, err)
		}
	}
	if all, err := Check(dir); err != nil || all[0].State != "ok" || all[1].State != "ok" || all[1].Lists != 1 {
		t.Errorf("want both files ok, got %+v, %v", all, err)
	}
}

func TestCheckAndRepairNeedTheDirectory(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := Check(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("check: want %v, got %v", ErrInUse, err)
	}
	if _, err := Repair(dir, time.Now(), nil); !errors.Is(err, ErrInUse) {
		t.Errorf("repair: want %v, got %v", ErrInUse, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err := Check(dir); err != nil || len(all) != 2 || all[0].Bad() || all[1].State != "absent" {
		t.Errorf("got %+v, %v", all, err)
	}
	if _, err := Check(filepath.Join(dir, "nothing")); err == nil {
		t.Error("want an error for a directory that is not there")
	}
}
