package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/particle/wire"
	"github.com/aquanode/aquanode/test/load"
	"github.com/aquanode/aquanode/test/process"
)

// flood sends frames of one stranger over several streams until the attack ends. A stream that the
// peer resets is opened anew.
func flood(streams int, make func(a *Arena, s *load.Stranger) func(i int) []byte) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		s, err := a.Stranger(ctx, "flood")
		if err != nil {
			return err
		}
		frames := make(a, s)
		var all sync.WaitGroup
		for range streams {
			all.Go(func() {
				for ctx.Err() == nil {
					if stream(ctx, s, frames) != nil {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		all.Wait()
		return nil
	}
}

// always sends the same bytes.
func always(b []byte) func(*Arena, *load.Stranger) func(int) []byte {
	return func(*Arena, *load.Stranger) func(int) []byte { return func(int) []byte { return b } }
}

// prepared makes different frames beforehand and sends them over and over.
func prepared(n int, frame func(a *Arena, s *load.Stranger, i int) []byte) func(*Arena, *load.Stranger) func(int) []byte {
	return func(a *Arena, s *load.Stranger) func(int) []byte {
		all := make([][]byte, n)
		for i := range all {
			all[i] = frame(a, s, i)
		}
		return func(i int) []byte { return all[i%n] }
	}
}

// frameRows send what is not a particle, or as one should not.
func frameRows() []Row {
	const kind = "frames"
	junk := make([]byte, 64<<10)
	rand.Read(junk)
	return []Row{
		{Name: "ids of 60 MB", Kind: kind, Lasts: 20 * time.Second, Calm: 30 * time.Second, Reasons: []string{"refused/expired", "refused/message", "refused/size"},
			Attack: bigIDs(37, 60<<20)},
		{Name: "ids of 6 MB", Kind: kind, Slice: true, Lasts: 6 * time.Second, Reasons: []string{"refused/expired", "refused/message", "refused/size"},
			Attack: bigIDs(100, 6<<20)},
		{Name: "live ids of 1 MB", Kind: kind, Reasons: []string{"refused/message", "refused/size", "stepped/"},
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "ids")
				if err != nil {
					return err
				}
				for i := range 200 {
					id := fmt.Sprint(i) + strings.Repeat("y", 1<<20)
					if err := send(ctx, s, changed(s, "(null)", 5*time.Second, func(p *particle.Particle) { p.ID = id })); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "forged signatures", Kind: kind, Slice: true, Reasons: []string{"refused/signature"},
			Attack: flood(4, prepared(2000, func(_ *Arena, s *load.Stranger, _ int) []byte {
				p := s.Particle()
				p.Signature[7] ^= 1
				return wire.Frame(p)
			}))},
		{Name: "forged data", Kind: kind, Reasons: []string{"refused/interpreter"},
			Attack: flood(4, prepared(2000, func(_ *Arena, s *load.Stranger, _ int) []byte {
				p := s.Particle()
				p.Data = []byte("forged")
				return wire.Frame(p)
			}))},
		{Name: "junk", Kind: kind, Reasons: []string{"refused/message", "refused/frame"}, Attack: flood(4, always([]byte("\x05hello")))},
		{Name: "random bytes", Kind: kind, Reasons: []string{"refused/message", "refused/frame"}, Attack: flood(4, always(junk))},
		{Name: "frames too long", Kind: kind, Reasons: []string{"refused/frame"}, Attack: flood(4, always([]byte("\xff\xff\xff\xff\x7f")))},
		{Name: "frames that never come", Kind: kind, Lasts: 25 * time.Second, Reasons: []string{"refused/frame", "refused/memory"},
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "stalls")
				if err != nil {
					return err
				}
				for range 900 { // the stranger's own library has its limits
					st, err := s.Open(ctx)
					if err != nil {
						return nil
					}
					if _, err := st.Write([]byte("\x80\x80\x80\x30begin")); err != nil {
						return err
					}
				}
				return nil
			}},
		{Name: "frames of 90 MB that stop before their end", Kind: kind, Lasts: 10 * time.Second, Calm: 40 * time.Second, Reasons: []string{"refused/frame", "refused/memory"},
			Attack: func(ctx context.Context, a *Arena) error {
				head := binary.AppendUvarint(nil, 90<<20)
				body := make([]byte, 45<<20)
				var all sync.WaitGroup
				for k := range 12 {
					s, err := a.Stranger(ctx, fmt.Sprint("half ", k))
					if err != nil {
						return err
					}
					all.Go(func() {
						if st, err := s.Open(ctx); err == nil {
							context.AfterFunc(ctx, func() { st.Reset() })
							st.Write(head)
							st.Write(body)
						}
					})
				}
				all.Wait()
				return nil
			}},
		{Name: "frames byte by byte", Kind: kind, Reasons: nil,
			Attack: func(ctx context.Context, a *Arena) error {
				var all sync.WaitGroup
				for k := range 4 {
					s, err := a.Stranger(ctx, fmt.Sprint("slow ", k))
					if err != nil {
						return err
					}
					for range 25 {
						all.Go(func() {
							st, err := s.Open(ctx)
							if err != nil {
								return
							}
							for _, b := range frame(s, "(null)", time.Minute) {
								if _, err := st.Write([]byte{b}); err != nil || ctx.Err() != nil {
									st.Reset()
									return
								}
								time.Sleep(5 * time.Millisecond)
							}
						})
					}
				}
				all.Wait()
				return nil
			}},
		{Name: "streams opened and left", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				for k := 0; ctx.Err() == nil && k < 20; k++ {
					s, err := a.Stranger(ctx, fmt.Sprint("opens ", k))
					if err != nil {
						return err
					}
					for range 900 {
						st, err := s.Open(ctx)
						if err != nil {
							break
						}
						st.Write([]byte{0x80}) // the handshake goes with the first bytes
					}
				}
				return nil
			}},
		{Name: "streams opened and reset", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "resets")
				if err != nil {
					return err
				}
				for ctx.Err() == nil {
					if st, err := s.Open(ctx); err == nil {
						st.Write([]byte{0x80})
						st.Reset()
					}
				}
				return nil
			}},
		{Name: "connections opened and closed", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				for i := 0; ctx.Err() == nil; i++ {
					s, err := load.NewStranger(ctx, fmt.Sprint("knocks ", i), a.Peer.Addr())
					if err == nil {
						s.Close()
					}
				}
				return nil
			}},
		{Name: "1000 TCP connections that say nothing", Kind: kind, Attack: silent(1000, nil)},
		{Name: "500 TCP connections that say half a handshake", Kind: kind, Attack: silent(500, []byte("\x13/multistream/1.0.0\n\x07/noise\n\x00\xff"))},
		{Name: "500 TCP connections that say junk", Kind: kind, Attack: silent(500, junk)},
		{Name: "WebSocket junk", Kind: kind, Args: []string{"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/tcp/0/ws"},
			Attack: func(ctx context.Context, a *Arena) error {
				port := ""
				for _, addr := range a.Peer.Addrs {
					if strings.Contains(addr, "/ws") {
						port = "127.0.0.1:" + strings.Split(addr, "/")[4]
					}
				}
				upgrade := "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				texts := []string{upgrade + string(junk), upgrade + "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask" + string(junk), "GET / HTTP/1.1\r\n" + strings.Repeat("X-Y: z\r\n", 100_000), "POST /" + strings.Repeat("a", 1<<20), upgrade}
				for i := 0; ctx.Err() == nil; i++ {
					c, err := a.TCP(ctx, port)
					if err != nil {
						return nil
					}
					c.SetDeadline(time.Now().Add(time.Second))
					io.WriteString(c, texts[i%len(texts)])
					if i%4 != 0 {
						c.Close()
					}
				}
				return nil
			}},
		{Name: "identify with 2000 protocols", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				for k := 0; ctx.Err() == nil && k < 10; k++ {
					s, err := a.Stranger(ctx, fmt.Sprint("talks ", k))
					if err != nil {
						return err
					}
					for i := range 2000 {
						s.SetStreamHandler(protocol.ID(fmt.Sprintf("/%d/%s", i, strings.Repeat("p", 200))), func(st network.Stream) { st.Reset() })
					}
				}
				return nil
			}},
		{Name: "identify pushes without end", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "pushes")
				if err != nil {
					return err
				}
				message := append(binary.AppendUvarint(nil, 4000), bytes.Repeat([]byte{0x1a, 2, 'a', 'b'}, 1000)...)
				for ctx.Err() == nil {
					st, err := s.NewStream(ctx, s.Target, identify.IDPush)
					if err != nil {
						continue
					}
					st.Write(message)
					st.Close()
				}
				return nil
			}},
		{Name: "ping flood", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				var all sync.WaitGroup
				for k := range 4 {
					s, err := a.Stranger(ctx, fmt.Sprint("pings ", k))
					if err != nil {
						return err
					}
					all.Go(func() {
						for ctx.Err() == nil {
							st, err := s.NewStream(ctx, s.Target, ping.ID)
							if err != nil {
								time.Sleep(time.Millisecond)
								continue
							}
							context.AfterFunc(ctx, func() { st.Reset() })
							go io.Copy(io.Discard, st)
							for {
								if _, err := st.Write(junk[:32]); err != nil {
									break
								}
							}
						}
					})
				}
				all.Wait()
				return nil
			}},
		{Name: "kad flood", Kind: kind, Attack: kadFlood},
		{Name: "a reader that never reads", Kind: kind, Lasts: 8 * time.Second, Calm: 40 * time.Second,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "deaf")
				if err != nil {
					return err
				}
				s.SetStreamHandler(wire.ProtocolID, func(network.Stream) {}) // neither read nor closed
				script := fmt.Sprintf(`(seq (call "HOST_PEER" ("op" "identity") ["%s"] r) (call %%init_peer_id%% ("a" "b") [r]))`, strings.Repeat("d", 20_000))
				return stream(ctx, s, func(int) []byte { return frame(s, a.Script(script), 20*time.Second) })
			}},
		{Name: "a reader that drops the stream", Kind: kind, Slice: true,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "drops", asPeer())
				if err != nil {
					return err
				}
				s.SetStreamHandler(wire.ProtocolID, func(st network.Stream) {
					if _, err := wire.ReadMessage(byteReader{st}, wire.MaxMessage); err == nil {
						a.Answers.Add(1)
					}
					st.Reset()
				})
				script := a.Script(`(seq (call "HOST_PEER" ("op" "identity") ["x"] r) (call %init_peer_id% ("a" "b") [r]))`)
				for ctx.Err() == nil {
					if err := send(ctx, s, frame(s, script, 5*time.Second)); err != nil {
						return err
					}
				}
				return nil
			},
			Check: func(a *Arena, c process.Counts) error {
				if lost := c["lost/write"]; lost > 0 {
					return fmt.Errorf("%d of %d frames that were written whole count as not sent", lost, lost+c["sent/"])
				}
				return answered(100)(a, c)
			}},
		{Name: "a protocol that nobody speaks", Kind: kind,
			Attack: func(ctx context.Context, a *Arena) error {
				s, err := a.Stranger(ctx, "babel")
				if err != nil {
					return err
				}
				for i := 0; ctx.Err() == nil; i++ {
					if _, err := s.NewStream(ctx, s.Target, protocol.ID(fmt.Sprintf("/nobody/%d/%s", i, strings.Repeat("x", 500)))); err == nil {
						return errors.New("the peer took a protocol that it does not have")
					}
				}
				return nil
			}},
	}
}

type byteReader struct{ network.Stream }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Stream, b[:])
	return b[0], err
}

// bigIDs sends expired frames whose ids are long.
func bigIDs(n, size int) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		s, err := a.Stranger(ctx, "names")
		if err != nil {
			return err
		}
		p := s.Particle()
		p.ID, p.Timestamp = strings.Repeat("i", size), 1
		b := wire.Frame(p)
		for range n {
			if err := send(ctx, s, b); err != nil {
				return err
			}
		}
		return nil
	}
}

// silent opens TCP connections and writes something, or nothing.
func silent(n int, say []byte) func(context.Context, *Arena) error {
	return func(ctx context.Context, a *Arena) error {
		for range n {
			c, err := a.TCP(ctx, a.Port())
			if err != nil {
				return nil // refused: the peer's right
			}
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write(say)
		}
		return nil
	}
}

// kadFlood asks for the neighbours of random keys.
func kadFlood(ctx context.Context, a *Arena) error {
	s, err := a.Stranger(ctx, "kad")
	if err != nil {
		return err
	}
	known, err := s.Peerstore().GetProtocols(s.Target)
	if err != nil {
		return err
	}
	var kad protocol.ID
	for _, id := range known {
		if strings.Contains(string(id), "kad") {
			kad = id
		}
	}
	if kad == "" {
		return fmt.Errorf("the peer has no kad protocol: %v", known)
	}
	// FIND_NODE (type 4) with a key of 32 bytes.
	query := func() []byte {
		b := []byte{0x08, 4, 0x12, 32}
		key := make([]byte, 32)
		rand.Read(key)
		b = append(b, key...)
		return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				st, err := s.NewStream(ctx, s.Target, kad)
				if err != nil {
					time.Sleep(time.Millisecond)
					continue
				}
				context.AfterFunc(ctx, func() { st.Reset() })
				go io.Copy(io.Discard, st)
				for {
					if _, err := st.Write(query()); err != nil {
						break
					}
				}
			}
		})
	}
	all.Wait()
	return nil
}
