package node_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/services"
)

// A peer offers a Go function, and a script on another peer calls it.
func Example() {
	type user struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	}
	users := map[int]user{7: {"Ada", 36}}
	server, err := node.New(node.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Network: "none"})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	err = server.Services().Register("users", services.Funcs{
		"find": services.Func(func(_ context.Context, id int) (user, error) {
			if u, ok := users[id]; ok {
				return u, nil
			}
			return user{}, fmt.Errorf("there is no user %d", id)
		}, "id"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}

	peer, err := node.New(node.Config{Bootstrap: server.Addrs()[:1], Network: "none"})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Start(); err != nil {
		log.Fatal(err)
	}
	script, err := node.Script{
		Aqua: `
data User:
  name: string
  age: u32

service Users("users"):
  find(id: u32) -> User

func find(id: u32) -> User:
  on server:
    u <- Users.find(id)
  <- u`,
		Call:  "find(id)",
		Peers: map[string]string{"server": server.ID()},
		Data:  map[string]any{"id": 7},
		TTL:   10 * time.Second,
	}.Compile(nil)
	if err != nil {
		log.Fatal(err)
	}
	result, err := peer.Run(context.Background(), script)
	if err != nil {
		log.Fatal(err)
	}
	var found user
	if err := result.Decode(&found); err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Name, found.Age)

	script.Data = map[string]any{"id": 8} // of the compiled script: any data of the same types
	_, err = peer.Run(context.Background(), script)
	var failed *node.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.PeerID == server.ID(), failed.Message)
	}
	// Output:
	// Ada 36
	// true Local service error, ret_code is 1, error message is '"there is no user 8"'
}

// A script in AIR names the data that it asks for.
func ExampleNode_Run() {
	peer, err := node.New(node.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Start(); err != nil {
		log.Fatal(err)
	}
	result, err := peer.Run(context.Background(), node.Script{
		AIR: `
			(seq (call %init_peer_id% ("getDataSrv" "words") [] words)
			(seq (call %init_peer_id% ("array" "length") [words] n)
			     (call %init_peer_id% ("callbackSrv" "response") [words n])))`,
		Data: map[string]any{"words": []string{"one", "two"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	var words []string
	var n int
	if err := result.Decode(&words, &n); err != nil {
		log.Fatal(err)
	}
	fmt.Println(words, n)
	// Output: [one two] 2
}
