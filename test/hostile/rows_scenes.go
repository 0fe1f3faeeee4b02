package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
	"github.com/aquanode/aquanode/test/process"
)

// refusal checks how a start failed: with a text that names something, and no panic.
func refusal(err error, names string) error {
	switch text := fmt.Sprint(err); {
	case err == nil:
		return fmt.Errorf("the peer started, want a refusal that names %s", names)
	case strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") || strings.Contains(text, "fatal error") || strings.Contains(text, "SIG"):
		return fmt.Errorf("panic: %.300s", crash(text))
	case strings.Contains(text, "not ready within"):
		return fmt.Errorf("the start hangs: %.300s", text)
	case !strings.Contains(text, names):
		return fmt.Errorf("the refusal does not name %s: %.300s", names, text)
	case len(text) > 4000:
		return fmt.Errorf("the refusal is %d bytes long", len(text))
	}
	return nil
}

// keptParticles is a data directory of a durable peer that was killed with n particles, whose deadlines
// lie apart.
func keptParticles(ctx context.Context, s *Scene, data string, n int, ttl, apart time.Duration) error {
	p, err := s.Start(data, "--durable")
	if err != nil {
		return err
	}
	defer p.Kill()
	h, err := load.NewStranger(ctx, "keeps", p.Addr())
	if err != nil {
		return err
	}
	defer h.Close()
	script := strings.ReplaceAll(`(seq (call "HOST_PEER" ("op" "identity") [1] x) (seq (call "HOST_PEER" ("vault" "put") ["x"] f) (call %init_peer_id% ("a" "b") [x] y)))`, hostPeer, p.PeerID)
	now := time.Now()
	err = stream(ctx, h, func(i int) []byte {
		if i == n {
			return nil
		}
		return changed(h, script, ttl+time.Duration(i)*apart-time.Since(now), func(*particle.Particle) {})
	})
	if err != nil {
		return err
	}
	for {
		counts, err := p.Counts(ctx)
		if err != nil {
			return err
		}
		if counts["arrived/"] >= n {
			// What arrived is on disk some milliseconds later.
			time.Sleep(200 * time.Millisecond)
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: the journal has %v", err, counts)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// diskRows start over what lies on a disk.
func diskRows() []Row {
	const kind = "start"
	return []Row{
		{Name: "a start over expiring particles", Kind: kind, Scene: func(ctx context.Context, s *Scene) error {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
			defer cancel()
			const n, apart = 4000, 4 * time.Millisecond
			if err := keptParticles(ctx, s, "data", n, 6*time.Second, apart); err != nil {
				return err
			}
			for life := range 6 {
				p, err := s.Start("data", "--durable")
				if err != nil {
					return fmt.Errorf("start %d: %w", life, err)
				}
				time.Sleep(500 * time.Millisecond)
				if !p.Alive() {
					return fmt.Errorf("start %d: the process ended: %s", life, crash(p.Log()))
				}
				p.Kill()
			}
			return nil
		}},
		{Name: "flipped bits in the stores", Kind: kind, Scene: flippedBits},
		{Name: "stores cut short", Kind: kind, Scene: cutStores},
		{Name: "files that are no service", Kind: kind, Slice: true, Scene: func(ctx context.Context, s *Scene) error {
			var faults []error
			lines := strings.Split(strings.TrimSpace(testdata("js-services.txt")), "\n")
			lines = append(lines, `throw new Error("x".repeat(1e6))`, `for (;;);`, `exports.f = `, "\x00\xff", `exports = new Proxy({}, {ownKeys() { throw 1 }})`, `new ArrayBuffer(1e12)`)
			for i, line := range lines {
				dir := filepath.Join(s.Dir, fmt.Sprint("services", i))
				if err := files(dir, map[string]string{"odd.js": line}); err != nil {
					return err
				}
				p, err := s.Start(fmt.Sprint("data", i), "--services", dir)
				if err == nil {
					_, err = p.Stop(2 * stopLimit) // a file may be a service
				} else {
					err = refusal(err, "odd.js")
				}
				if err != nil {
					faults = append(faults, fmt.Errorf("%q: %w", line, err))
				}
			}
			return errors.Join(faults...)
		}},
		{Name: "a key file that others can read", Kind: kind, Scene: func(ctx context.Context, s *Scene) error {
			p, err := s.Start("data")
			if err != nil {
				return err
			}
			if _, err := p.Stop(2 * stopLimit); err != nil {
				return err
			}
			key := filepath.Join(s.Dir, "data", "peer.key")
			if err := os.Chmod(key, 0o644); err != nil {
				return err
			}
			if p, err = s.Start("data"); err == nil {
				p.Kill()
			}
			return refusal(err, "peer.key")
		}},
		{Name: "a port that another process has", Kind: kind, Scene: func(ctx context.Context, s *Scene) error {
			first, err := s.Start("first")
			if err != nil {
				return err
			}
			defer first.Kill()
			port := strings.Split(first.Addr(), "/")[4]
			second, err := s.Start("second", "--listen", "/ip4/127.0.0.1/tcp/"+port)
			if err == nil {
				second.Kill()
			}
			return refusal(err, port)
		}},
		{Name: "two processes with one key", Kind: kind, Scene: twoWithOneKey},
		{Name: "a full disk", Kind: kind, Scene: fullDisk},
		{Name: "two signals", Kind: kind, Scene: func(ctx context.Context, s *Scene) error {
			p, err := s.Start("data", "--grace", "30s")
			if err != nil {
				return err
			}
			defer p.Kill()
			h, err := load.NewStranger(ctx, "waits", p.Addr())
			if err != nil {
				return err
			}
			defer h.Close()
			if err := h.Send(ctx, frame(h, fmt.Sprintf(`(call %q ("peer" "timeout") [60000 "x"] r)`, p.PeerID), time.Minute)); err != nil {
				return err
			}
			time.Sleep(500 * time.Millisecond)
			p.Signal(syscall.SIGTERM)
			time.Sleep(500 * time.Millisecond)
			p.Signal(syscall.SIGTERM)
			select {
			case <-p.Ended():
				return nil
			case <-time.After(stopLimit):
				return errors.New("a second SIGTERM did not end the process")
			}
		}},
		{Name: "SIGTERM while it starts over 4000 particles", Kind: kind, Scene: func(ctx context.Context, s *Scene) error {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
			defer cancel()
			if err := keptParticles(ctx, s, "data", 4000, time.Hour, 0); err != nil {
				return err
			}
			for range 3 {
				p, err := s.Start("data", "--durable")
				if err != nil {
					return err
				}
				if took, err := p.Stop(2 * stopLimit); err != nil || took > stopLimit {
					return fmt.Errorf("stop took %s: %w\n%s", took, err, crash(p.Log()))
				}
			}
			return nil
		}},
	}
}

// twoWithOneKey starts two processes with one key, both connected to a third. Both have to fail
// /health and name the check.
func twoWithOneKey(ctx context.Context, s *Scene) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	hub, err := s.Start("hub")
	if err != nil {
		return err
	}
	defer hub.Kill()
	first, err := s.Start("first", "--bootstrap", hub.Addr())
	if err != nil {
		return err
	}
	defer first.Kill()
	if err := os.Mkdir(filepath.Join(s.Dir, "second"), 0o700); err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(s.Dir, "first", "peer.key"))
	if err != nil {
		return err
	}
	if err := s.Write("second/peer.key", string(key)); err != nil {
		return err
	}
	second, err := s.Start("second", "--bootstrap", hub.Addr())
	if err != nil {
		return err
	}
	defer second.Kill()
	for _, p := range []*process.Peer{first, second} {
		for {
			body, err := p.Get(ctx, "/health")
			if err != nil {
				return fmt.Errorf("/health never failed: %w", err)
			}
			if bytes.Contains(body, []byte(`"key":"Fail"`)) {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

// stored makes a data directory with aliases and particles, and returns its files.
func stored(ctx context.Context, s *Scene) (all []string, err error) {
	if err := keptParticles(ctx, s, "whole", 300, time.Hour, 0); err != nil {
		return nil, err
	}
	return []string{"peer.db", "particles.db"}, nil
}

// copyDir copies the files of a data directory.
func copyDir(from, to string) error {
	return errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)), os.Chmod(filepath.Join(to, "peer.key"), 0o600))
}

// spoiled starts a peer over a spoiled copy of a directory. It may start, or refuse and name the file.
func (s *Scene) spoiled(name string, spoil func(b []byte) []byte) error {
	dir := filepath.Join(s.Dir, "spoiled")
	if err := copyDir(filepath.Join(s.Dir, "whole"), dir); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b = spoil(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	p, err := s.Start("spoiled", "--durable")
	if err != nil {
		if err := refusal(err, name); err != nil {
			return err
		}
		return unchanged(path, b)
	}
	time.Sleep(300 * time.Millisecond)
	alive := p.Alive()
	if _, err := p.Stop(2 * stopLimit); !alive || err != nil {
		return fmt.Errorf("the process ended: %w: %s", err, crash(p.Log()))
	}
	return nil
}

// unchanged wants a refused file to be as it was.
func unchanged(path string, b []byte) error {
	now, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(now, b) {
		err = fmt.Errorf("%s was refused and written to", filepath.Base(path))
	}
	return err
}

func flippedBits(ctx context.Context, s *Scene) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	names, err := stored(ctx, s)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	var faults []error
	for _, name := range names {
		for i := range 20 {
			err := s.spoiled(name, func(b []byte) []byte {
				at := random.IntN(len(b))
				if i < 10 { // the pages at the front hold the structure
					at = random.IntN(min(len(b), 4*4096))
				}
				b[at] ^= 1 << random.IntN(8)
				return b
			})
			if err != nil {
				faults = append(faults, fmt.Errorf("%s, try %d: %w", name, i, err))
			}
		}
	}
	return someOf(faults)
}

func cutStores(ctx context.Context, s *Scene) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	names, err := stored(ctx, s)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range names {
		for what, spoil := range map[string]func([]byte) []byte{
			"cut to half":      func(b []byte) []byte { return b[:len(b)/2] },
			"cut to 4096":      func(b []byte) []byte { return b[:4096] },
			"cut to nothing":   func(b []byte) []byte { return nil },
			"zeros at its end": func(b []byte) []byte { clear(b[len(b)/2:]); return b },
			"other bytes":      func(b []byte) []byte { return bytes.Repeat([]byte("junk"), len(b)/4) },
		} {
			if err := s.spoiled(name, spoil); err != nil {
				faults = append(faults, fmt.Errorf("%s, %s: %w", name, what, err))
			}
		}
	}
	return someOf(faults)
}

// someOf joins the first errors.
func someOf(all []error) error {
	if len(all) > 3 {
		all = append(all[:3:3], fmt.Errorf("and %d more", len(all)-3))
	}
	return errors.Join(all...)
}

// fullDisk lets the file system of a durable peer run full and gives it room again.
func fullDisk(ctx context.Context, s *Scene) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir := filepath.Join(s.Dir, "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		return fmt.Errorf("this row mounts a small file system and needs the right to: %w", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	p, err := s.Start("small/data", "--durable")
	if err != nil {
		return err
	}
	defer p.Kill()
	h, err := load.NewStranger(ctx, "fills", p.Addr())
	if err != nil {
		return err
	}
	defer h.Close()
	filler := filepath.Join(dir, "filler")
	os.WriteFile(filler, make([]byte, 8<<20), 0o600) // fails when the disk is full, which is the purpose
	for range 40 {
		// The peer may take them or refuse them; it must not die.
		h.Send(ctx, frame(h, `(ap "`+strings.Repeat("f", 100_000)+`" x)`, time.Minute))
	}
	healthy := func() (bool, error) {
		body, err := p.Get(ctx, "/health")
		return !bytes.Contains(body, []byte("Fail")), err
	}
	wait := func(want bool) error {
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			got, err := healthy()
			switch {
			case err != nil:
				return fmt.Errorf("%w: %s", err, crash(p.Log()))
			case got == want:
				return nil
			case time.Now().After(end):
				return fmt.Errorf("/health passes: %v, want %v", got, want)
			}
			h.Send(ctx, frame(h, `(null)`, time.Minute))
		}
	}
	if err := wait(false); err != nil {
		return fmt.Errorf("with a full disk: %w", err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	if err := wait(true); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return nil
}

// A relay that is not what it should be.
type relay struct {
	host.Host
	mu   sync.Mutex
	seen int
}

func (r *relay) addr() string { return fmt.Sprintf("%s/p2p/%s", r.Addrs()[0], r.ID()) }

// newRelay listens and does something with each stream of the particle protocol.
func newRelay(name string, handle func(r *relay, s network.Stream)) (*relay, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(keyOf(name))
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), asPeer(),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableRelay(), libp2p.DisableMetrics())
	if err != nil {
		return nil, err
	}
	r := &relay{Host: h}
	h.SetStreamHandler(wire.ProtocolID, func(s network.Stream) {
		r.mu.Lock()
		r.seen++
		r.mu.Unlock()
		handle(r, s)
	})
	return r, nil
}

// back opens a stream to whoever sent s and writes to it.
func (r *relay) back(s network.Stream, write func(to network.Stream)) {
	to, err := r.NewStream(context.Background(), s.Conn().RemotePeer(), wire.ProtocolID)
	if err != nil {
		return
	}
	write(to)
	to.CloseWrite()
}

// received reads the particle of a stream.
func received(s network.Stream) *particle.Particle {
	m, err := wire.ReadMessage(byteReader{s}, wire.MaxMessage)
	if err != nil {
		return nil
	}
	p, err := wire.Decode(m)
	if err != nil {
		return nil
	}
	return p
}

// clientTTL is the TTL of scripts over bad relays.
const clientTTL = 3 * time.Second

// liar is a row in which aquanode run has a bad relay: it has to end by itself with an error, soon
// after its TTL, small, and without noise.
func liar(name string, handle func(r *relay, s network.Stream)) Row {
	return Row{Name: "relay " + name, Kind: "clients", Scene: func(ctx context.Context, s *Scene) error {
		r, err := newRelay(name, handle)
		if err != nil {
			return err
		}
		defer r.Close()
		if err := s.Write("script.air", load.Script); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, clientTTL+20*time.Second)
		defer cancel()
		o := s.Command(ctx, "run", "script.air", "--relay", r.addr(), "--ttl", clientTTL.String())
		r.mu.Lock()
		seen := r.seen
		r.mu.Unlock()
		switch {
		case seen == 0:
			return fmt.Errorf("the client sent nothing: %v %.300s", o.Err, o.Stderr)
		case o.Err == nil:
			return fmt.Errorf("a result from a relay that has none to give: %.100s", o.Stdout)
		case ctx.Err() != nil:
			return fmt.Errorf("the client did not end within %s", o.Took)
		case o.Took > clientTTL+5*time.Second:
			return fmt.Errorf("the client took %s, its TTL is %s", o.Took, clientTTL)
		case o.Peak > memoryLimit:
			return fmt.Errorf("the client took %d MB", o.Peak>>20)
		case len(o.Stderr) > 16<<10:
			return fmt.Errorf("%d bytes of error text", len(o.Stderr))
		case bytes.Contains(o.Stderr, []byte("panic")) || bytes.Contains(o.Stderr, []byte("fatal error")):
			return fmt.Errorf("panic: %s", crash(string(o.Stderr)))
		}
		return nil
	}}
}

// again gives back the particle with its data changed.
func again(change func(p *particle.Particle)) func(*relay, network.Stream) {
	return func(r *relay, s network.Stream) {
		if p := received(s); p != nil {
			change(p)
			r.back(s, func(to network.Stream) { to.Write(wire.Frame(p)) })
		}
	}
}

// clientRows give clients bad relays.
func clientRows() []Row {
	giant := strings.Repeat("g", 90<<20)
	stalls := liar("stalls", func(_ *relay, s network.Stream) {})
	stalls.Slice = true
	return []Row{
		stalls,
		liar("takes and says nothing", func(_ *relay, s network.Stream) { received(s); s.Close() }),
		liar("resets every stream", func(_ *relay, s network.Stream) { s.Reset() }),
		liar("closes the connection", func(_ *relay, s network.Stream) { received(s); s.Conn().Close() }),
		liar("echoes", again(func(*particle.Particle) {})),
		liar("forges data", again(func(p *particle.Particle) { p.Data = []byte("forged") })),
		liar("cuts data", again(func(p *particle.Particle) { p.Data = p.Data[:len(p.Data)/2] })),
		liar("changes the script", again(func(p *particle.Particle) { p.Script = "(null)" })),
		liar("answers another particle", again(func(p *particle.Particle) {
			*p = *particle.New(keyOf("another"), `(call "x" ("callbackSrv" "response") ["lie"])`, time.Minute, time.Now())
		})),
		liar("sends giants", func(r *relay, s network.Stream) {
			p := received(s)
			if p == nil {
				return
			}
			q := *p
			q.Data = []byte(giant)
			r.back(s, func(to network.Stream) {
				for range 4 {
					to.Write(wire.Frame(&q))
				}
			})
		}),
		liar("sends giant frames of nothing", func(r *relay, s network.Stream) {
			received(s)
			r.back(s, func(to network.Stream) {
				to.Write([]byte("\x80\x80\x80\x30"))
				for range 90 {
					to.Write(make([]byte, 1<<20))
				}
			})
		}),
		liar("floods with junk", func(r *relay, s network.Stream) {
			received(s)
			r.back(s, func(to network.Stream) {
				for range 200_000 {
					if _, err := to.Write([]byte("\x05hello")); err != nil {
						return
					}
				}
			})
		}),
		liar("floods with particles", func(r *relay, s network.Stream) {
			received(s)
			key := keyOf("flood")
			r.back(s, func(to network.Stream) {
				for range 20_000 {
					if _, err := to.Write(wire.Frame(particle.New(key, fmt.Sprintf(`(call %q ("op" "noop") [])`, s.Conn().RemotePeer()), time.Minute, time.Now()))); err != nil {
						return
					}
				}
			})
		}),
		liar("sends a wedge", func(r *relay, s network.Stream) {
			received(s)
			script := strings.ReplaceAll(testdata("wedge.air"), hostPeer, s.Conn().RemotePeer().String())
			r.back(s, func(to network.Stream) {
				for range 2 {
					to.Write(wire.Frame(particle.New(keyOf("wedge"), script, day, time.Now())))
				}
			})
		}),
		liar("sends an oom", func(r *relay, s network.Stream) {
			received(s)
			script := strings.ReplaceAll(testdata("oom.air"), hostPeer, s.Conn().RemotePeer().String())
			r.back(s, func(to network.Stream) {
				to.Write(wire.Frame(particle.New(keyOf("oom"), script, time.Minute, time.Now())))
			})
		}),
		liar("opens a thousand streams", func(r *relay, s network.Stream) {
			received(s)
			for range 1000 {
				to, err := r.NewStream(context.Background(), s.Conn().RemotePeer(), wire.ProtocolID)
				if err != nil {
					return
				}
				to.Write([]byte{0x80})
			}
		}),
		{Name: "relay that is not a peer", Kind: "clients", Scene: func(ctx context.Context, s *Scene) error {
			if err := s.Write("script.air", load.Script); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, clientTTL+20*time.Second)
			defer cancel()
			for _, addr := range []string{"/ip4/127.0.0.1/tcp/1/p2p/" + absentPeer(), "nonsense", "/ip4/127.0.0.1/tcp/1", strings.Repeat("/ip4/127.0.0.1", 10_000)} {
				o := s.Command(ctx, "run", "script.air", "--relay", addr, "--ttl", clientTTL.String())
				if o.Err == nil || ctx.Err() != nil || bytes.Contains(o.Stderr, []byte("panic")) || len(o.Stderr) > 16<<10 {
					return fmt.Errorf("relay %.60q: %w, %d bytes: %s", addr, o.Err, len(o.Stderr), crash(string(o.Stderr)))
				}
			}
			return nil
		}},
		{Name: "relay forgets the client library", Kind: "clients", Scene: libraryAgainstRelay},
	}
}
