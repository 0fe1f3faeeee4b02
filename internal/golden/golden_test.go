package golden

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recorder is a test whose errors are recorded.
type recorder struct {
	testing.TB
	errors int
}

func (r *recorder) Helper()                   {}
func (r *recorder) Errorf(_ string, _ ...any) { r.errors++ }

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.txt")
	compare := func(update, got string) int {
		t.Setenv(variable, update)
		r := &recorder{TB: t}
		File(r, file, got)
		return r.errors
	}
	if compare("1", "one") != 0 || compare("", "one") != 0 {
		t.Error("the text that was written differs")
	}
	if compare("", "two") != 1 {
		t.Error("a different text is not an error")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "one" {
		t.Errorf("a comparison changed the file to %q, error %v", text, err)
	}
	if compare("1", "two") != 0 || compare("", "two") != 0 {
		t.Error("the file is not updated")
	}
}

// A flag of one package makes a run over the whole tree fail.
func TestNoUpdateFlag(t *testing.T) {
	flagged := regexp.MustCompile(`flag\.Bool(Var)?\([^)]*"update"`)
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "../..":
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err == nil && flagged.Match(text) {
			t.Errorf("%s defines a flag -update; use golden.Updating", path)
		}
		return err
	})
	if err != nil || files < 50 {
		t.Fatalf("read %d test files, error %v", files, err)
	}
}
