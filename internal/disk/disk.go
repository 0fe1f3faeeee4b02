// Package disk puts files on disk for good.
package disk

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
