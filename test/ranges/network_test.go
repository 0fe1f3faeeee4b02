//go:build netns

package ranges

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A namespace is a network of its own in the kernel. It has no name, so that nothing of it stays
// when the process ends, however it does.
type namespace struct{ file *os.File }

func newNamespace() (n namespace, err error) {
	err = onThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n.file, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	return n, err
}

// onThread runs f on a thread that ends with it, as one has to whose namespace was changed.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// do runs f in the namespace. What it opens or starts on this goroutine is there for good.
func (n namespace) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return f()
	})
}

// ip runs commands of ip(8), one a line.
func (n namespace) ip(commands ...string) error {
	return n.do(func() error {
		cmd := exec.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(strings.Join(commands, "\n"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("ip: %w\n%s\n%s", err, strings.Join(commands, "\n"), out.String())
		}
		return nil
	})
}

// A link is a switch with hosts, each in a namespace of its own. All addresses are reached over it,
// whatever their range.
type link struct {
	t     *testing.T
	sw    namespace
	hosts int
}

// newLink makes a switch. Where no namespace can be made, the test fails.
func newLink(t *testing.T) *link {
	t.Helper()
	l := &link{t: t, sw: makeNamespace(t)}
	if err := l.sw.ip("link add switch type bridge", "link set switch up"); err != nil {
		t.Fatal(err)
	}
	return l
}

func makeNamespace(t *testing.T) namespace {
	t.Helper()
	n, err := newNamespace()
	if err != nil {
		t.Fatalf("no network namespace can be made, which takes root or CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { n.file.Close() })
	return n
}

// host adds a host with addresses of 10.0.0.0/8 or fd00::/8.
func (l *link) host(addrs ...string) namespace {
	l.t.Helper()
	h := makeNamespace(l.t)
	port := fmt.Sprint("p", l.hosts)
	l.hosts++
	commands := []string{
		"link set lo up",
		fmt.Sprintf("link add eth0 type veth peer name %s netns /proc/%d/fd/%d", port, os.Getpid(), l.sw.file.Fd()),
		"link set eth0 up",
	}
	for _, a := range addrs {
		bits, more := 8, ""
		if strings.Contains(a, ":") {
			more = " nodad" // else it is not usable for a second
		}
		commands = append(commands, fmt.Sprintf("addr add %s/%d dev eth0%s", a, bits, more))
	}
	err := h.ip(commands...)
	if err == nil {
		err = l.sw.ip("link set "+port+" master switch", "link set "+port+" up")
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

// dialer connects from a host, from the given address if there is one.
type dialer struct {
	from namespace
	addr string
}

// DialContext implements the dialer that libp2p and net/http take.
func (d dialer) DialContext(ctx context.Context, network, addr string) (c net.Conn, err error) {
	err = d.from.do(func() (err error) {
		var local net.Addr
		if d.addr != "" {
			local = &net.TCPAddr{IP: net.ParseIP(d.addr)}
		}
		c, err = (&net.Dialer{LocalAddr: local}).DialContext(ctx, network, addr)
		return err
	})
	return c, err
}
