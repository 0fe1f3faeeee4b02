package particle_test

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/aquanode/aquanode/particle"
)

func ExampleNew() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	created := time.UnixMilli(1_700_000_000_000)
	p := particle.New(key, "(null)", 10*time.Second, created)

	fmt.Println(p.InitPeerID)
	fmt.Println(p.Verify(), p.Expired(created.Add(9*time.Second)), p.Expired(created.Add(11*time.Second)))

	p.Script = "(never)" // anybody else's script
	fmt.Println(p.Verify() != nil)
	// Output:
	// 12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN
	// <nil> false true
	// true
}
