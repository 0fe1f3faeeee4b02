// Package npm installs npm packages for the tests that run them.
package npm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// errNoNode says that there is no Node.js to run packages in. Tests with npm packages have a build tag: who asks for them
// means it, so they fail.
var errNoNode = errors.New("no node or npm program found: install Node.js 20 or newer to test with npm packages")

// Install gives a directory with the given files, package-lock.json among them, and the packages that npm ci
// installs beside them. It is in the user's cache directory, named by what is in it and by the given name, and appears complete or
// not at all, so that several test binaries may come at once. Nobody may write into it.
func Install(ctx context.Context, name string, files fs.FS) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", errNoNode
		}
	}
	dir, err := install(ctx, name, files)
	if err != nil {
		return "", fmt.Errorf("install npm packages of %s: %w", name, err)
	}
	return dir, nil
}

func install(ctx context.Context, name string, files fs.FS) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum, err := sumOf(files)
	if err != nil {
		return "", err
	}
	parent := filepath.Join(cache, "aquanode")
	dir := filepath.Join(parent, "interop-"+name+"-"+sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := os.CopyFS(made, files); err != nil {
		return "", err
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	npm.Dir = made
	if text, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, text)
	}
	if err := os.Rename(made, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		} // somebody else was faster
	}
	return dir, nil
}

func sumOf(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(b), b)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}
