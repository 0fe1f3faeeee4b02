package aqua

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/aqua/diag"
)

// writeFiles writes a tree of files and returns its root.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFiles(t *testing.T) {
	root := writeFiles(t, map[string]string{
		"main.aqua": "", "near.aqua": "", "src/deep/x.aqua": "", "lib/far.aqua": "", "lib/near.aqua": "",
		"node_modules/@scope/pkg/file.aqua": "", "vendor/pkg/file.aqua": "", "dir.aqua/x": "",
	})
	in := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	dirs := Dirs(in("lib"), in("node_modules"))
	mapped := Imports{
		root:           {"": {in("lib")}, "@": {in("node_modules/@scope")}, "@scope/": {in("vendor")}},
		in("src/deep"): {"up/": {root}},
	}
	for _, c := range []struct {
		imports          Imports
		from, path, want string
	}{
		{dirs, "main.aqua", "near.aqua", "near.aqua"},
		{dirs, "src/deep/x.aqua", "near.aqua", "lib/near.aqua"},
		{dirs, "src/deep/x.aqua", "../../near.aqua", "near.aqua"},
		{dirs, "main.aqua", "far.aqua", "lib/far.aqua"},
		{dirs, "main.aqua", "@scope/pkg/file.aqua", "node_modules/@scope/pkg/file.aqua"},
		{dirs, "main.aqua", "none.aqua", ""},
		{dirs, "main.aqua", "dir.aqua", ""},
		{nil, "main.aqua", "far.aqua", ""},
		{mapped, "main.aqua", "@scope/pkg/file.aqua", "vendor/pkg/file.aqua"},
		{mapped, "main.aqua", "@pkg/file.aqua", "node_modules/@scope/pkg/file.aqua"},
		{mapped, "main.aqua", "@/pkg/file.aqua", "node_modules/@scope/pkg/file.aqua"},
		{mapped, "src/deep/x.aqua", "up/near.aqua", "near.aqua"},
		{mapped, "src/deep/x.aqua", "far.aqua", ""},
	} {
		src, tried, ok := Files(c.imports)(in(c.from), c.path)
		if !ok && c.want == "" {
			if len(tried) == 0 {
				t.Errorf("%s in %s: nothing was tried", c.path, c.from)
			}
			continue
		}
		if src.Path != in(c.want) {
			t.Errorf("%s in %s is %q, want %s (tried %v)", c.path, c.from, src.Path, c.want, tried)
		}
	}
}

// Imports from the disk: one file by two paths, and a circle.
func TestImportedFiles(t *testing.T) {
	root := writeFiles(t, map[string]string{
		"lib/a.aqua":     "aqua A declares *\n\nfunc a() -> u8:\n  <- 1\n",
		"lib/b.aqua":     "aqua B declares b\n\nimport \"a\"\n\nfunc b() -> u8:\n  <- a()\n",
		"lib/loop1.aqua": "aqua L1\nimport \"loop2.aqua\"\n",
		"lib/loop2.aqua": "aqua L2\nimport \"../lib/loop1.aqua\"\n",
	})
	compile := func(text string) (*Result, error) {
		return Compile(Source{filepath.Join(root, "main.aqua"), text}, Options{Imports: Files(nil)})
	}
	r, err := compile("aqua M\n\nimport \"lib/a.aqua\"\nuse \"lib/b\" as B\n\nexport f\n\nfunc f() -> u8, u8:\n  <- a(), B.b()\n")
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := r.Function("f"); !ok || !strings.Contains(f.AIR, `("callbackSrv" "response") [1 1]`) {
		t.Errorf("f is %v", f)
	}
	_, err = compile("aqua M\n\nimport \"lib/loop1.aqua\"\n")
	want := "Cycle loops detected in imports: loop1.aqua imports loop2.aqua, loop2.aqua imports loop1.aqua"
	if list := Diagnostics(err); !slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return d.Message[0] == want }) {
		t.Errorf("error %v, want %s", err, want)
	}
}
