//go:build deploy

package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// platforms are what a release is for, with what files of programs there begin with.
var platforms = map[string]string{
	"linux-amd64": "\x7fELF", "linux-arm64": "\x7fELF", "darwin-amd64": "\xcf\xfa\xed\xfe", "darwin-arm64": "\xcf\xfa\xed\xfe",
	"windows-amd64": "MZ", "windows-arm64": "MZ",
}

// A release has what it promises. TestImageFromSource holds that its programs can be made again.
func TestRelease(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	const commit = "0123456789abcdef0123456789abcdef01234567"
	env := []string{"DIRTY=1", "COMMIT=" + commit, "SOURCE_DATE_EPOCH=1700000000"}
	command{dir: repo, env: env}.run(t, "deploy/release", "v1.2.3-rc1", out)
	sums := command{dir: out}.run(t, "sha256sum", "--strict", "-c", "SHA256SUMS")
	if n := strings.Count(sums, ": OK"); n != 2*len(platforms)+2 {
		t.Errorf("SHA256SUMS has %d files\n%s", n, sums)
	}
	for platform, magic := range platforms {
		name := "aquanode-1.2.3-rc1-" + platform
		dir := t.TempDir()
		command{dir: dir}.run(t, "tar", "-xzf", filepath.Join(out, name+".tar.gz"))
		file := filepath.Join(dir, name, "aquanode")
		if strings.HasPrefix(platform, "windows") {
			file += ".exe"
		}
		program, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(program, []byte(magic)) {
			t.Errorf("%s: %v, it begins with %q", platform, err, program[:min(4, len(program))])
		}
		if platform == runtime.GOOS+"-"+runtime.GOARCH {
			version := command{}.run(t, file, "version")
			if !strings.HasPrefix(version, "1.2.3-rc1; ") || !strings.Contains(version, "; commit "+commit+"; "+runtime.Version()) {
				t.Errorf("the program says %s", version)
			}
		}
		checkSBOM(t, filepath.Join(out, name+".cdx.json"))
	}
	// The same again gives the same.
	again := filepath.Join(t.TempDir(), "again")
	command{dir: repo, env: append(env, "TARGETS=linux/amd64 windows/arm64")}.run(t, "deploy/release", "1.2.3-rc1", again)
	first, second := sumsOf(t, out), sumsOf(t, again)
	if len(second) != 5 {
		t.Errorf("want five files of the second release, got %d", len(second))
	}
	for _, line := range second {
		if !slices.Contains(first, line) {
			t.Errorf("this file is another one than before: %s", line)
		}
	}
}

func sumsOf(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// checkSBOM holds that a list of components names the modules of the program.
func checkSBOM(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	var list struct {
		BomFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Error(err)
		return
	}
	found := false
	for _, c := range list.Components {
		found = found || c.Name == "github.com/libp2p/go-libp2p" && c.Version != ""
	}
	if list.BomFormat != "CycloneDX" || list.Metadata.Component.Version != "v1.2.3-rc1" || !found {
		t.Errorf("%s: %s of %v with %d components", filepath.Base(file), list.BomFormat, list.Metadata.Component, len(list.Components))
	}
}

// The image from source. The image of Go, which cannot be had everywhere, is replaced by one from the
// Go that runs the test, with the modules of the project. The program is compiled there at another
// place, without a cache, and is the same as the one that is compiled here.
func TestImageFromSource(t *testing.T) {
	needEngine(t)
	golang(t)
	context := t.TempDir()
	command{dir: repo}.run(t, "sh", "-c", "git ls-files -z -- . ':!test' ':!docs' | tar --null -T - -cf - | tar -xf - -C "+context)
	commit := command{dir: repo}.run(t, "git", "rev-parse", "HEAD")
	docker(t, "build", "--build-arg", "VERSION=", "--build-arg", "COMMIT="+commit, "-t", "aquanode:source", context)
	container := docker(t, "create", "aquanode:source")
	defer docker(t, "rm", container)
	file := filepath.Join(t.TempDir(), "aquanode")
	docker(t, "cp", container+":/usr/bin/aquanode", file)
	command{}.run(t, "cmp", file, program(t))
}

// golang makes the image that the Dockerfile names.
func golang(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	root, cache := command{}.run(t, "go", "env", "GOROOT"), filepath.Join(dir, "cache")
	proxy := "file://" + filepath.Join(command{}.run(t, "go", "env", "GOMODCACHE"), "cache", "download")
	command{dir: repo, env: []string{"GOMODCACHE=" + cache, "GOPROXY=" + proxy, "GOFLAGS=-modcacherw", "GONOSUMDB=*"}}.run(t, "go", "mod", "download")
	for _, c := range [][]string{
		{"mkdir", "-p", "bin", "go/pkg", "tmp"},
		{"cp", "-rL", root + "/bin", root + "/src", root + "/go.env", root + "/VERSION", "go"},
		{"cp", "-rL", root + "/pkg/include", root + "/pkg/tool", "go/pkg"},
		{"mv", "cache/cache/download", "modules"},
		{"rm", "-rf", "cache"},
		{"sh", "-c", "cp $(command -v busybox) bin/busybox && ln -s busybox bin/sh && ln -s busybox bin/dirname"},
	} {
		command{dir: dir}.run(t, c[0], c[1:]...)
	}
	text := `FROM scratch
COPY bin /bin
COPY tmp /tmp
COPY go /usr/local/go
COPY modules /modules
ENV PATH=/usr/local/go/bin:/bin GOPROXY=file:///modules GONOSUMDB=* GOTOOLCHAIN=local HOME=/tmp GOMAXPROCS=2
`
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "-t", "golang:1.26", dir)
}
