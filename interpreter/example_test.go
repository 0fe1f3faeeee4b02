package interpreter_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/aquanode/aquanode/interpreter"
	"github.com/aquanode/aquanode/particle"
)

// A peer opens a particle, steps it, and answers the calls that it asks for.
func ExampleState() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	peer := particle.PeerID(key.Public().(ed25519.PublicKey))
	script := `
(seq
    (call %init_peer_id% ("math" "add") [1 2] sum)
    (call "another peer" ("op" "print") [sum])
)`
	state, err := interpreter.Open(script, nil, interpreter.Params{
		InitPeerID: peer, CurrentPeerID: peer, ParticleID: "p1", Key: key,
		Timestamp: uint64(time.Now().UnixMilli()), TTL: 10_000,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	asked := state.Step(ctx, nil, nil)
	for _, call := range asked.CallRequests {
		fmt.Println(call.ServiceID, call.FunctionName, call.Arguments)
	}
	results := map[uint32]interpreter.CallResult{asked.CallRequests[0].ID: {Result: "3"}}
	answered := state.Step(ctx, nil, results)
	fmt.Println("next:", answered.NextPeers)

	data, err := state.Data() // goes to the next peers
	fmt.Println(len(data) > 0, err)
	// Output:
	// math add [1 2]
	// next: [another peer]
	// true <nil>
}
