package p2p

import (
	"bufio"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/particle/wire"
)

// nox reads one frame of a stream and drops it. The frame was read, so it was sent, also
// when the reset overtakes the closing of our side: 3 of 2,374 did under load.
func TestFrameWrittenWholeIsSent(t *testing.T) {
	const n, senders = 4000, 8
	got := make(chan string, n)
	other := strange(t, wire.ProtocolID, func(s network.Stream) {
		message, err := wire.ReadMessage(bufio.NewReader(s), wire.MaxMessage)
		s.Reset()
		if err != nil {
			t.Error(err)
			return
		}
		p, err := wire.Decode(message)
		if err != nil {
			t.Error(err)
			return
		}
		got <- p.ID
	})
	x := newNode(t, 1, nil)
	connectTo(t, other, x)
	conn := x.newest(other.ID())
	x.identified(conn)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			m := outgoing(100 * i)
			for range n / senders {
				if err := x.sendSingle(conn, m); err != nil {
					t.Errorf("a frame that was read counts as lost: %v", err)
				}
			}
		})
	}
	for range n {
		wait(t, got, "a frame")
	}
	all.Wait()
}

// Of frames written together, those that were written whole before the stream broke count
// as sent.
func TestWholeFramesOfABatch(t *testing.T) {
	batch := []Outgoing{{Frame: make([]byte, 10)}, {Frame: make([]byte, 20)}, {Frame: make([]byte, 5)}}
	for n, want := range map[int]int{0: 0, 9: 0, 10: 1, 29: 1, 30: 2, 34: 2, 35: 3} {
		if got := whole(batch, n); got != want {
			t.Errorf("%d bytes written: want %d whole frames, got %d", n, want, got)
		}
	}
}

// A name is measured before it is decoded: base58 takes quadratic time, hours for these.
func TestLongNames(t *testing.T) {
	x := newNode(t, 1, nil)
	long := strings.Repeat("Z", 50<<20)
	x.Send(long, outgoing(0))
	short := func(err error) {
		t.Helper()
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("want a short error, got %.1000v", err)
		}
	}
	err := wait(t, x.sent, "the fate of a frame")
	wantReason(t, err, journal.BadPeerID)
	short(err)
	_, err = x.IsConnected(long)
	short(err)
	short(x.Connect(context.Background(), long, nil))
	id := stranger(t, 50, "", nil).ID().String()
	short(x.Connect(context.Background(), id, []string{"/p2p/" + long}))
	short(x.Connect(context.Background(), id, make([]string, 1<<20)))
	_, err = x.Dial(context.Background(), "/ip4/127.0.0.1/tcp/1/p2p/"+long)
	short(err)
	short(x.Meet([]string{"/p2p/" + long}))
	if _, known := x.Contact(long); known {
		t.Error("there is no such peer")
	}
}
