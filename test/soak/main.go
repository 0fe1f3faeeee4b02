// Command soak runs five durable peers as processes, for a bounded time, under traffic of random
// scripts, and meanwhile kills them, stops them, and cuts, freezes and slows the links between them.
//
// It accounts for every particle by its id. A particle is answered right, or one of its peers was
// killed while it was on its way, and the client's journal says what was waited for: what is in the
// network when a peer dies is lost with it. Nothing else is an excuse, unless -lenient: a peer that
// is stopped goes on with its particles in its next life, and data for a peer that cannot be
// reached waits. The report counts what was lost by what happened.
//
// At the end, with nothing live, each process has to be below 150 MB of resident memory, and to end
// well when it is asked to.
//
//	go run ./test/soak -for 20m
//	go test ./test/soak          some seconds of it
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var c Config
	flag.DurationVar(&c.For, "for", time.Minute, "`TIME` that traffic goes on")
	flag.DurationVar(&c.TTL, "ttl", 25*time.Second, "`TIME` that a script may take, at most 30s")
	flag.IntVar(&c.Workers, "workers", 6, "`NUMBER` of scripts at once")
	flag.Uint64Var(&c.Seed, "seed", uint64(time.Now().UnixNano()), "`NUMBER` that scripts and troubles are made from")
	flag.StringVar(&c.Binary, "binary", "", "`FILE` of the program (default: built now)")
	flag.BoolVar(&c.Quiet, "quiet", false, "without kills, stops and broken links")
	flag.BoolVar(&c.Lenient, "lenient", false, "frames on their way to a peer that is stopped, or over a link that is cut, may be lost")
	flag.DurationVar(&c.Rest, "rest", time.Minute, "`TIME` for memory to return at the end")
	asJSON := flag.Bool("json", false, "print the report as JSON")
	flag.Parse()
	c.Log = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := Run(ctx, c)
	if r != nil {
		if *asJSON {
			json.NewEncoder(os.Stdout).Encode(r)
		} else {
			fmt.Println(r)
		}
	}
	if err == nil && len(r.Faults) > 0 {
		err = fmt.Errorf("%d faults", len(r.Faults))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
