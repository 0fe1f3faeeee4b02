package client_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/node"
)

// A client joins the network of a peer, which it uses as its relay. The relay calls back a function
// of the client while the script runs.
func Example() {
	relay, err := node.New(node.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		log.Fatal(err)
	}
	defer relay.Close()
	if err := relay.Start(); err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	c, err := client.Connect(ctx, client.Config{Relays: relay.Addrs()[:1]})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	result, err := c.Run(ctx, client.Script{
		Aqua: `
service Op("op"):
  concat_strings(a: string, b: string) -> string

func hello(name: string, shout: string -> string) -> string:
  on relay:
    text <- Op.concat_strings("hello ", name)
  loud <- shout(text)
  <- loud`,
		Call:  `hello("world")`,
		Peers: map[string]string{"relay": c.Relay()},
		Callbacks: map[string]client.Callback{
			"shout": func(_ context.Context, args []value.Value) (value.Value, error) {
				text, _ := args[0].AsString()
				return value.String(strings.ToUpper(text)), nil
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	var text string
	if err := result.Decode(&text); err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output: HELLO WORLD
}
