//go:build interop

package jsclient

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// block is a fenced block of a page: a file if it has a name, commands if its language is sh, else what the commands
// before it print.
type block struct{ language, name, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```$")

func blocksOf(t *testing.T, page string) (all []block) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, block{m[1], m[2], m[3]})
	}
	return all
}

// TestPage does what docs/JS-CLIENT.md says, in an empty folder, and expects what it promises. The packages are those
// of the lock file beside this source, and the ports are free ones.
func TestPage(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	if err := buildAquanode(t.Context(), filepath.Join(bin, "aquanode")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("npm_config_prefer_offline", "true")
	if err := os.CopyFS(dir, packages); err != nil {
		t.Fatal(err)
	}
	ports, compared := freePorts(t, 7770, 4), 0
	var printed func(promise string) string
	for _, b := range blocksOf(t, filepath.Join("..", "..", "..", "docs", "JS-CLIENT.md")) {
		b.text = ports.Replace(b.text)
		switch {
		case b.name != "":
			if err := os.WriteFile(filepath.Join(dir, b.name), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case b.language != "sh":
			if got := printed(b.text); got != b.text {
				t.Fatalf("the page promises\n%s\nbut there is\n%s", b.text, got)
			}
			compared++
		case strings.HasPrefix(b.text, "aquanode dev "):
			printed = background(t, dir, b.text)
		default:
			printed = shell(t, dir, b.text)
		}
	}
	if compared != 3 {
		t.Errorf("%d outputs of the page were compared, not 3", compared)
	}
}

func shell(t *testing.T, dir, commands string) func(string) string {
	cmd := exec.CommandContext(t.Context(), "bash", "-ec", commands)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, text)
	}
	return func(string) string { return string(text) }
}

// background starts a program that ends with the test. What it prints is asked for with a promise, whose last line is
// waited for.
func background(t *testing.T, dir, command string) func(string) string {
	args, out, done := strings.Fields(command), &output{}, make(chan struct{})
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-done
	})
	return func(promise string) string {
		lines := strings.Split(strings.TrimSpace(promise), "\n")
		if _, err := out.wait(lines[len(lines)-1], done); err != nil {
			t.Error(err)
		}
		return out.String()
	}
}

// freePorts gives a replacement of n consecutive ports by free ones.
func freePorts(t *testing.T, first, n int) *strings.Replacer {
	for range 100 {
		var pairs []string
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		base := l.Addr().(*net.TCPAddr).Port
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if err != nil {
				break
			}
			l.Close()
			pairs = append(pairs, fmt.Sprint(first+i), fmt.Sprint(base+i))
		}
		if len(pairs) == 2*n {
			return strings.NewReplacer(pairs...)
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return nil
}
