package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/test/load"
)

// libraryAgainstRelay runs many scripts of the client library over a relay that takes everything and
// answers nothing. Each has to end at its TTL, and the client with them.
func libraryAgainstRelay(ctx context.Context, _ *Scene) error {
	r, err := newRelay("forgets", func(_ *relay, s network.Stream) { received(s); s.Close() })
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := client.Connect(ctx, client.Config{Relays: []string{r.addr()}, TTL: clientTTL})
	if err != nil {
		return err
	}
	const runs = 50
	ends := make(chan error, runs)
	began := time.Now()
	for range runs {
		go func() {
			_, err := c.Run(ctx, client.Script{AIR: load.Script})
			ends <- err
		}()
	}
	for range runs {
		var timeout *client.TimeoutError
		if err := <-ends; !errors.As(err, &timeout) {
			return fmt.Errorf("want a timeout, got %w", err)
		}
	}
	if took := time.Since(began); took > clientTTL+5*time.Second {
		return fmt.Errorf("the scripts took %s, their TTL is %s", took, clientTTL)
	}
	return c.Close()
}
