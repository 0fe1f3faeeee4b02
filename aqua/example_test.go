package aqua_test

import (
	"fmt"

	"github.com/aquanode/aquanode/aqua"
)

func ExampleCompile() {
	source := `aqua Time

export time

service Clock("clock"):
    now() -> u64

func time() -> u64:
    t <- Clock.now()
    <- t
`
	result, err := aqua.Compile(aqua.Source{Path: "time.aqua", Text: source}, aqua.Options{NoRelay: true, NoXor: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, _ := result.Function("time")
	fmt.Print(f.AIR)
	// Output:
	// (xor
	//  (seq
	//   (call %init_peer_id% ("clock" "now") [] ret)
	//   (call %init_peer_id% ("callbackSrv" "response") [ret])
	//  )
	//  (call %init_peer_id% ("errorHandlingSrv" "error") [:error: 0])
	// )
}

// An error shows the place, and how to mend it where that is known.
func ExampleCompile_error() {
	_, err := aqua.Compile(aqua.Source{Path: "sum.aqua", Text: "aqua Sum\n\nfunc f(total: u64) -> u64:\n    <- totl\n"}, aqua.Options{})
	fmt.Println(err)
	// Output:
	// sum.aqua:4:8: error: Name 'totl' is not defined
	//   4 |     <- totl
	//     |        ^^^^
	//   hint: did you mean 'total'?
}
