package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimit(t *testing.T) {
	n, err := Limit()
	if err != nil || n < 16<<20 {
		t.Errorf("got %d, %v", n, err)
	}
}

// What a busy moment took is given back when it is over, and the runtime's limit is as before.
func TestKeep(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		go Keep(ctx, 4<<30)
		synctest.Wait()
		if got, limit := debug.SetMemoryLimit(-1), int64(4<<30); got > limit || got < limit*8/10 {
			t.Errorf("the soft limit is %d", got)
		}
		load := make([][]byte, 256)
		for i := range load {
			load[i] = make([]byte, 1<<20)
			for at := 0; at < len(load[i]); at += 4096 {
				load[i][at] = 1
			}
		}
		busy := measure().resident
		runtime.KeepAlive(load)
		clear(load)
		time.Sleep(3 * giveBackEvery)
		synctest.Wait()
		if after := measure().resident; after > busy-200<<20 {
			t.Errorf("%d bytes resident, %d before", after, busy)
		}
		cancel()
		synctest.Wait()
	})
	if got := debug.SetMemoryLimit(-1); got != before {
		t.Errorf("the soft limit is %d, was %d", got, before)
	}
}
