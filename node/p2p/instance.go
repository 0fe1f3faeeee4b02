package p2p

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/aquanode/aquanode/internal/text"
)

// Two processes with one key take each other's particles, and nobody notices. They never meet:
// libp2p does not dial its own peer id. But a third peer that both are connected to has two
// connections to one peer id. It asks each for the nonce that a process draws when it
// starts. When they differ, it lets each process prove to the other one that it is alive:
//
//	third -> A    'c'
//	A -> third    challenge, 32 random bytes
//	third -> B    'p', challenge
//	B -> third    proof: nonce, signature of challenge and the rest, address
//	third -> A    proof
//
// A believes the signature, which is by its own key and of its own challenge, and not the third
// peer: so nobody can make up a conflict or bring one of the past.
const instanceProtocol protocol.ID = "/aquanode/instance/1.0.0"

const (
	instanceTimeout = 10 * time.Second
	// conflictAgain is how often a third peer compares while it has both connections,
	// conflictStays how long a process believes the last proof.
	conflictAgain = 20 * time.Second
	conflictStays = time.Minute
	maxCompared   = 32 // peers compared, and challenges open, at once
	maxProofAddr  = 256
)

type (
	nonce     [16]byte
	challenge [32]byte
)

// proof says that a process with the key of a peer is alive.
type proof struct {
	nonce     nonce
	signature [ed25519.SignatureSize]byte
	addr      string
}

// signed is what the signature of a proof covers: a hash, so that no challenge makes it a
// particle.
func (p *proof) signed(c challenge) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n%s", instanceProtocol, len(p.addr), p.addr)
	h.Write(p.nonce[:])
	h.Write(c[:])
	return h.Sum(nil)
}

func (p *proof) write(w io.Writer) error {
	b := append(p.nonce[:], p.signature[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.addr)))
	_, err := w.Write(append(b, p.addr...))
	return err
}

func readProof(r io.Reader) (p proof, err error) {
	var b [len(p.nonce) + len(p.signature) + 2]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return p, err
	}
	n := copy(p.nonce[:], b[:])
	n += copy(p.signature[:], b[n:])
	addr := make([]byte, binary.BigEndian.Uint16(b[n:]))
	if len(addr) > maxProofAddr {
		return p, fmt.Errorf("an address of %d bytes", len(addr))
	}
	_, err = io.ReadFull(r, addr)
	p.addr = string(addr)
	return p, err
}

// instance is this process among those with its key.
type instance struct {
	nonce nonce
	open  chan struct{} // a token for each stream of the protocol that is served

	mu        sync.Mutex
	compared  map[peer.ID]bool // peers with a goroutine that compares their connections
	other     string           // address of the other process with our key
	confirmed time.Time
}

func newInstance() *instance {
	i := &instance{open: make(chan struct{}, maxCompared), compared: make(map[peer.ID]bool)}
	rand.Read(i.nonce[:])
	return i
}

// Conflict returns an address of this process and one of another process that has the same key,
// if one has proved within the last minute that it is alive.
func (h *Host) Conflict() (addrs [2]string, ok bool) {
	i := h.instance
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.other == "" || time.Since(i.confirmed) > conflictStays {
		return addrs, false
	}
	return [2]string{h.mainAddr(), i.other}, true
}

// mainAddr names this process to humans.
func (h *Host) mainAddr() string {
	if all := h.Addrs(); len(all) > 0 {
		return text.Cut(all[0], maxProofAddr-len("..."))
	}
	return "a process that listens nowhere"
}

// serveInstance answers a third peer.
func (h *Host) serveInstance(s network.Stream) {
	select {
	case h.instance.open <- struct{}{}:
		defer func() { <-h.instance.open }()
	default:
		s.Reset()
		return
	}
	if !h.work.enter() {
		s.Reset()
		return
	}
	defer h.work.leave()
	s.SetDeadline(time.Now().Add(instanceTimeout))
	if err := h.answer(s); err != nil {
		log.Debugw("instance protocol", "peer", s.Conn().RemotePeer(), "error", err)
		s.Reset()
		return
	}
	s.Close()
}

func (h *Host) answer(s network.Stream) error {
	r := bufio.NewReaderSize(s, 512)
	kind, err := r.ReadByte()
	if err != nil {
		return err
	}
	var c challenge
	switch kind {
	case 'p':
		if _, err := io.ReadFull(r, c[:]); err != nil {
			return err
		}
		p := proof{nonce: h.instance.nonce, addr: h.mainAddr()}
		copy(p.signature[:], ed25519.Sign(h.cfg.Key, p.signed(c)))
		return p.write(s)
	case 'c':
		rand.Read(c[:])
		if _, err := s.Write(c[:]); err != nil {
			return err
		}
		p, err := readProof(r)
		if err != nil {
			return err
		}
		return h.believe(p, c)
	}
	return fmt.Errorf("unknown request %q", kind)
}

// believe checks the proof of another process with our key.
func (h *Host) believe(p proof, c challenge) error {
	if !ed25519.Verify(h.cfg.Key.Public().(ed25519.PublicKey), p.signed(c), p.signature[:]) {
		return errors.New("a proof that is not by this key")
	}
	if p.nonce == h.instance.nonce {
		return errors.New("a proof of this very process")
	}
	i := h.instance
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.other != p.addr {
		log.Errorw("another process runs with the key of this peer", "address", p.addr)
	}
	i.other, i.confirmed = p.addr, time.Now()
	return nil
}

// compare starts to compare the connections to a peer, if there are several.
func (h *Host) compare(id peer.ID) {
	i := h.instance
	if h.cfg.Client || len(h.host.Network().ConnsToPeer(id)) < 2 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.compared[id] || len(i.compared) >= maxCompared {
		return
	}
	i.compared[id] = h.work.start(func() {
		defer func() {
			i.mu.Lock()
			defer i.mu.Unlock()
			delete(i.compared, id)
		}()
		for h.ctx.Err() == nil && h.introduce(id) {
			sleep(h.ctx, conflictAgain)
		}
	})
	if !i.compared[id] {
		delete(i.compared, id)
	}
}

// introduce lets two processes with one key know of each other. It reports whether there are
// two.
func (h *Host) introduce(id peer.ID) bool {
	var first network.Conn
	var known nonce
	for _, c := range h.host.Network().ConnsToPeer(id) {
		p, err := h.prove(c, challenge{})
		switch {
		case err != nil: // gone, or it does not speak the protocol
		case first == nil:
			first, known = c, p.nonce
		case p.nonce != known:
			err := errors.Join(h.confront(first, c), h.confront(c, first))
			log.Warnw("two processes have the key of one peer", "peer", id, "first", first.RemoteMultiaddr(), "second", c.RemoteMultiaddr(), "error", err)
			return true
		}
	}
	return false
}

// confront brings one process the proof of another one.
func (h *Host) confront(one, other network.Conn) error {
	return h.ask(one, func(s network.Stream) error {
		if _, err := s.Write([]byte("c")); err != nil {
			return err
		}
		var c challenge
		if _, err := io.ReadFull(s, c[:]); err != nil {
			return err
		}
		p, err := h.prove(other, c)
		if err != nil {
			return err
		}
		return p.write(s)
	})
}

// prove asks the process behind a connection for a proof.
func (h *Host) prove(conn network.Conn, c challenge) (p proof, err error) {
	err = h.ask(conn, func(s network.Stream) error {
		if _, err := s.Write(append([]byte("p"), c[:]...)); err != nil {
			return err
		}
		p, err = readProof(s)
		return err
	})
	return p, err
}

// ask opens a stream of the protocol on a connection. It waits for the end of the remote's
// side, or a write could be lost with it.
func (h *Host) ask(conn network.Conn, talk func(network.Stream) error) error {
	ctx, cancel := context.WithTimeout(h.ctx, instanceTimeout)
	defer cancel()
	s, err := conn.NewStream(ctx)
	if err != nil {
		return err
	}
	s.SetDeadline(time.Now().Add(instanceTimeout))
	if err = multistream.SelectProtoOrFail(instanceProtocol, s); err == nil {
		err = talk(s)
	}
	if err == nil {
		s.CloseWrite()
		_, err = io.Copy(io.Discard, io.LimitReader(s, 1))
	}
	if err != nil {
		s.Reset()
		return err
	}
	return s.Close()
}
