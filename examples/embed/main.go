// A program with a peer of its own: the peer offers a Go function as a service, and runs a script
// that calls it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/services"
)

type greeting struct {
	Text   string `json:"text"`
	Length int    `json:"length"`
}

func greet(_ context.Context, name string) (greeting, error) {
	text := "Hello, " + name + "!"
	return greeting{text, len(text)}, nil
}

func main() {
	peer, err := node.New(node.Config{})
	check(err)
	defer peer.Close()
	check(peer.Services().Register("greeter", services.Funcs{"greet": services.Func(greet, "name")}))
	check(peer.Start())

	result, err := peer.Run(context.Background(), node.Script{Aqua: `greet("Bob")`})
	check(err)
	var g greeting
	check(result.Decode(&g))
	fmt.Printf("%s (%d letters)\n", g.Text, g.Length)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
