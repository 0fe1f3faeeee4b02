package services_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

// A typed Go function is a function of a service. Arguments that do not fit its types are refused.
func ExampleFunc() {
	divide := func(_ context.Context, a, b float64) (float64, error) {
		if b == 0 {
			return 0, errors.New("division by zero")
		}
		return a / b, nil
	}
	r := services.New(services.Config{Host: "12D3KooW"})
	err := r.Register("calc", services.Funcs{"divide": services.Func(divide, "a", "b")})
	if err != nil {
		fmt.Println(err)
	}
	for _, args := range [][]value.Value{
		{value.Int(3), value.Int(2)},
		{value.Int(3), value.Int(0)},
		{value.Int(3), value.String("two")},
		{value.Int(3)},
	} {
		call := &services.Call{HostPeerID: "12D3KooW", Service: "calc", Function: "divide", Args: args}
		fmt.Println(r.Invoke(context.Background(), call).Result)
	}

	err = r.Register("wrong", services.Funcs{"f": services.Func(func(chan int) {})})
	fmt.Println(err)
	// Output:
	// 1.5
	// "division by zero"
	// "argument 'b' of function 'divide': a string is not a Go float64"
	// "function 'divide' takes 2 arguments, not 1"
	// register service "wrong" on Host: function "f": argument 1 of func(chan int): JSON cannot carry a chan int
}

// A handler reads its arguments itself, and knows who called.
func ExampleHandlerFunc() {
	whoami := services.HandlerFunc(func(_ context.Context, c *services.Call) (value.Value, error) {
		return value.String(c.InitPeerID), nil
	})
	r := services.New(services.Config{Host: "12D3KooW"})
	if err := r.Register("who", services.Funcs{"am_i": whoami}, services.Concurrent()); err != nil {
		fmt.Println(err)
	}
	call := &services.Call{HostPeerID: "12D3KooW", InitPeerID: "12D3Else", Service: "who", Function: "am_i"}
	fmt.Println(r.Invoke(context.Background(), call).Result)
	// Output: "12D3Else"
}
