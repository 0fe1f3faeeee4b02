package simulate

import (
	"fmt"
	"strings"

	"github.com/aquanode/aquanode/interpreter/value"
)

// LocalChain makes n local calls one after the other, each with the result of the one before.
func LocalChain(n int) *Scenario {
	var air strings.Builder
	for i := range n {
		arg := fmt.Sprintf("x%d", i-1)
		if i == 0 {
			arg = "0"
		}
		fmt.Fprintf(&air, "(seq (call %%init_peer_id%% (\"s\" \"step\") [%s] x%d)\n", arg, i)
	}
	return &Scenario{
		Air: Text(air.String() + "(null)" + strings.Repeat(")", n)),
		Serve: func(c Call) (Result, bool) {
			i, _ := c.arg(0).AsInt64()
			return Result{Result: value.Int(i + 1).Text()}, true
		},
	}
}

// FanOut calls n peers in parallel and then, with all of their answers, the client.
func FanOut(n int) *Scenario {
	s := &Scenario{Peers: []Peer{NewPeer("client", nil)}}
	var air, names strings.Builder
	for i := range n {
		p := NewPeer(fmt.Sprintf("w%d", i), nil)
		s.Peers = append(s.Peers, p)
		fmt.Fprintf(&air, "(par (call \"@%s\" (\"s\" \"work\") [%d] x%d)\n", p.Name, i, i)
		fmt.Fprintf(&names, "x%d ", i)
	}
	s.Air = Text(fmt.Sprintf("(seq %s(null)%s\n(call %%init_peer_id%% (\"s\" \"join\") [%s]))",
		air.String(), strings.Repeat(")", n), names.String()))
	return s
}
