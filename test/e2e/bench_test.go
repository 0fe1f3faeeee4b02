package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"crypto/ed25519"

	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/particle"
)

// What a peer needs for clients that are connected and do nothing.
func BenchmarkIdleClients(b *testing.B) {
	const clients = 1000
	cmd := exec.Command(binary, "--listen", "/ip4/127.0.0.1/tcp/0/ws", "--data-dir", b.TempDir(), "--format", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var ready struct{ Addrs []string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		b.Fatal(err)
	}
	before := residentKB(b, cmd.Process.Pid)
	for i := range clients {
		seed := sha256.Sum256(fmt.Appendf(nil, "idle client %d", i))
		h, err := p2p.New(p2p.Config{
			Key: ed25519.NewKeyFromSeed(seed[:]), Client: true,
			Receive: func(string, *particle.Particle) {}, Refused: func(string, error) {},
		})
		if err != nil {
			b.Fatal(err)
		}
		defer h.Close()
		if err := h.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Dial(b.Context(), ready.Addrs[0]); err != nil {
			b.Fatalf("client %d: %v", i, err)
		}
	}
	time.Sleep(2 * time.Second) // introductions end
	after := residentKB(b, cmd.Process.Pid)
	for b.Loop() {
	}
	b.ReportMetric(float64(after-before)/clients, "kB/client")
	b.ReportMetric(float64(after)/1000, "MB-total")
}

// residentKB is the resident memory of a process.
func residentKB(b *testing.B, pid int) (kb int) {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("memory of processes is read from /proc: %v", err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		fmt.Sscanf(line, "VmRSS: %d kB", &kb)
	}
	return kb
}
