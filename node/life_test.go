package node_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/services"
)

// Each call at the wrong time of a peer's life has an error of its own.
func TestLife(t *testing.T) {
	n, err := node.New(node.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Network: "none", Admin: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	answer := services.Funcs{"answer": services.Func(func() int { return 42 })}
	run := func() error {
		r, err := n.Run(t.Context(), node.Script{Aqua: "answer()"})
		got := 0
		if err == nil {
			err = r.Decode(&got)
		}
		if err == nil && got != 42 {
			t.Errorf("want 42, got %d", got)
		}
		return err
	}
	meet := func() error { return n.Meet(n.Addrs()) }
	for _, step := range []struct {
		name string
		call func() error
		want error
	}{
		{"register", func() error { return n.Services().Register("a", answer) }, nil},
		{"run before start", run, node.ErrNotStarted},
		{"meet before start", meet, nil},
		{"start", n.Start, nil},
		{"start twice", n.Start, node.ErrStarted},
		{"run", run, nil},
		{"close", n.Close, nil},
		{"close twice", n.Close, nil},
		{"start after close", n.Start, node.ErrClosed},
		{"run after close", run, node.ErrClosed},
		{"meet after close", meet, node.ErrClosed},
		{"register after close", func() error { return n.Services().Register("b", answer) }, services.ErrClosed},
	} {
		if err := step.call(); !errors.Is(err, step.want) || (err == nil) != (step.want == nil) {
			t.Errorf("%s: want %v, got %v", step.name, step.want, err)
		}
	}
}

// A Close while the peer starts ends everything that Start began.
func TestCloseDuringStart(t *testing.T) {
	for range 20 {
		n, err := node.New(node.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Network: "none", Admin: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan error, 1)
		go func() { started <- n.Start() }()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := <-started; err != nil && !errors.Is(err, node.ErrClosed) {
			t.Errorf("want ErrClosed or nothing, got %v", err)
		}
		if addr := n.AdminAddr(); addr != "" {
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				t.Errorf("%s still answers", addr)
			}
		}
	}
}

// A peer without a key has a new one, unless it keeps files that belong to a key.
func TestNewKey(t *testing.T) {
	ids := map[string]bool{}
	for range 2 {
		n, err := node.New(node.Config{Network: "none"})
		if err != nil {
			t.Fatal(err)
		}
		ids[n.ID()] = true
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(ids) != 2 {
		t.Errorf("want two peers, got %v", ids)
	}
	if _, err := node.New(node.Config{DataDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("want an error about the key, got %v", err)
	}
}
