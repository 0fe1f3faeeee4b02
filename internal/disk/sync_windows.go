package disk

import (
	"errors"
	"os"
)

// sync writes a file to disk. FlushFileBuffers wants a handle that may write. It takes no
// directories: NTFS writes names to its own log.
func sync(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
