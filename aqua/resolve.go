package aqua

import (
	"os"
	"path/filepath"
	"strings"
)

// Resolver finds the file of an import. from is the path of the importing file. If there is no
// file, tried has the paths that it tried.
type Resolver func(from, path string) (src Source, tried []string, ok bool)

// Imports are the directories for imported files, besides that of the importing file: by the path
// prefix of the importing file, then by the prefix of the import. The longest prefixes win.
//
//	{"/": {"": {"lib", "node_modules"}}}
type Imports map[string]map[string][]string

// Dirs searches the directories for all imports, in order.
func Dirs(dirs ...string) Imports { return Imports{"/": {"": dirs}} }

// Files resolves imports from the disk.
func Files(imports Imports) Resolver {
	return func(from, path string) (Source, []string, bool) {
		var tried []string
		for _, candidate := range imports.candidates(from, path) {
			tried = append(tried, candidate)
			info, err := os.Stat(candidate)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			text, err := os.ReadFile(candidate)
			if err != nil {
				continue
			}
			return Source{Path: filepath.Clean(candidate), Text: string(text)}, tried, true
		}
		return Source{}, tried, false
	}
}

// candidates returns the paths where a file may be, the best first.
func (m Imports) candidates(from, path string) []string {
	list := []string{filepath.Join(filepath.Dir(from), path)}
	abs, err := filepath.Abs(from)
	if err != nil {
		return list
	}
	prefix, ok := longest(m, func(p string) bool { return strings.HasPrefix(abs, filepath.Clean(p)) })
	if !ok {
		return list
	}
	inner := m[prefix]
	cut, ok := longest(inner, func(p string) bool { return strings.HasPrefix(path, p) })
	if !ok {
		return list
	}
	for _, dir := range inner[cut] {
		list = append(list, filepath.Join(dir, path[len(cut):]))
	}
	return list
}

func longest[T any](m map[string]T, fits func(string) bool) (best string, ok bool) {
	for k := range m {
		if fits(k) && (!ok || len(k) > len(best)) {
			best, ok = k, true
		}
	}
	return best, ok
}
