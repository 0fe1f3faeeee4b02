package vault

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// What does not fit on the disk leaves nothing behind, and is not counted.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 { // once more in a namespace in which this is root
		cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^TestFullDisk$")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "aquanode-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	s, err := OpenDurable(dir, Limits{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := Particle{Scope: "host", ID: "p", Token: "t", Expires: time.Now().Add(time.Hour)}
	if _, err := s.Put(t.Context(), p, make([]byte, 2<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("want no space, got %v", err)
	}
	if _, bytes := s.Usage(); bytes != 0 {
		t.Errorf("want nothing counted, got %d bytes", bytes)
	}
	if files, err := os.ReadDir(s.Dir(p)); err != nil || len(files) > 0 {
		t.Errorf("want no file, got %v, %v", files, err)
	}
	file, err := s.Put(t.Context(), p, make([]byte, 512<<10)) // there is room again
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Read(p, file); err != nil || len(b) != 512<<10 {
		t.Errorf("want the file, got %d bytes, %v", len(b), err)
	}
}
