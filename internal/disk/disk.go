// Package disk puts files on disk for good, and keeps a directory for one process.
package disk

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// LockFile is the name of the file in a directory whose lock means that a process has it. It stays.
const LockFile = "lock"

// ErrLocked means that another process has the directory.
var ErrLocked = errors.New("another process has the directory")

// Lock takes a directory for this process until release, or the end of the process.
func Lock(dir string) (release func() error, err error) {
	l := flock.New(filepath.Join(dir, LockFile), flock.SetPermissions(0o600))
	switch ok, err := l.TryLock(); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrLocked
	}
	return l.Close, nil
}

// Exposed reports whether others than the owner may read or write a file. Systems without such
// modes have no answer: it is false there.
func Exposed(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return modes && info.Mode().Perm()&0o077 != 0, nil
}

// Sync returns when what was written to files, and the names in directories, outlive a loss of
// power. A new file needs both: itself and the directory that names it.
func Sync(paths ...string) error {
	for _, path := range paths {
		if err := sync(path); err != nil {
			return err
		}
	}
	return nil
}
