package data

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data/internal/lanes"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Ids of many things at once take a fifth of the time that they take one by one, see package lanes, and
// the cores share them.

// ValueCIDs are the content ids of n values.
func ValueCIDs(n int, at func(i int) value.Value) []CID {
	return cidsOf(n, func(_ []byte, i int) []byte { return bytesOf(at(i).Text()) })
}

// ArgumentsCIDs are the argument hashes of n calls, of which at gives the texts of the arguments.
func ArgumentsCIDs(n int, at func(i int) []string) []CID {
	if n == 1 {
		return []CID{ArgumentsCID(at(0))}
	}
	cids := cidsOf(n, func(buf []byte, i int) []byte {
		if args := at(i); listSize(args) <= shortList {
			return appendList(buf, args)
		}
		return nil
	})
	for i := range cids {
		if args := at(i); listSize(args) > shortList {
			cids[i] = ArgumentsCID(args)
		}
	}
	return cids
}

// TetrapletCIDs are the content ids of tetraplets.
func TetrapletCIDs(list []value.Tetraplet) []CID {
	return cidsOf(len(list), func(buf []byte, i int) []byte { return list[i].AppendJSON(buf) })
}

// ServiceResultCIDs are the content ids of service results.
func ServiceResultCIDs(list []ServiceResult) []CID {
	return cidsOf(len(list), func(buf []byte, i int) []byte { return list[i].appendJSON(buf) })
}

// CanonElementCIDs are the content ids of elements of canonicalised streams.
func CanonElementCIDs(list []CanonElement) []CID {
	return cidsOf(len(list), func(buf []byte, i int) []byte { return list[i].appendJSON(buf) })
}

// Beside does two things at the same time if each has to make many content ids; they must not touch the same memory.
func Beside(many int, a, b func()) {
	if many < 2*perCore || runtime.GOMAXPROCS(0) == 1 {
		a()
		b()
		return
	}
	var other sync.WaitGroup
	other.Go(a)
	b()
	other.Wait()
}

// perCore is from how many ids on another core is worth it: some 20 µs of work, against 5 µs for a goroutine.
const perCore = 128

// A texter returns the i-th text to hash. It may append it to buf, or return any other.
type texter func(buf []byte, i int) []byte

// cidsOf are the content ids of n texts. Their texts share memory.
func cidsOf(n int, text texter) []CID {
	all := make([]byte, n*cidLen)
	cids := make([]CID, n)
	sumsOf(n, text, func(i int, sum *digest) {
		cid := appendCID(all[i*cidLen:i*cidLen], sum)
		cids[i] = CID(unsafe.String(&cid[0], cidLen))
	})
	return cids
}

// sumsOf hashes n texts. It calls text and use from several goroutines, which have ended when it returns.
func sumsOf(n int, text texter, use func(i int, sum *digest)) {
	workers := max(1, min(runtime.GOMAXPROCS(0), n/perCore))
	var wg sync.WaitGroup
	for w := range workers {
		from, to := w*n/workers, (w+1)*n/workers
		if w == workers-1 {
			sumRange(from, to, text, use)
		} else {
			wg.Go(func() { sumRange(from, to, text, use) })
		}
	}
	wg.Wait()
}

// A bench holds texts that are hashed together.
type bench struct {
	n     int
	texts [benchSize][]byte
	sums  [benchSize]digest
	room  [benchSize][384]byte // for texts; that of an element of a canon takes 260 bytes
}

const benchSize = 32

var benches = sync.Pool{New: func() any { return new(bench) }}

func takeBench() *bench { return benches.Get().(*bench) }

// space is room for the next text.
func (b *bench) space() []byte { return b.room[b.n][:0] }

func (b *bench) add(text []byte) {
	b.texts[b.n] = text
	b.n++
}

func (b *bench) sum() { lanes.Sum(b.sums[:b.n], b.texts[:b.n]) }

func (b *bench) release() {
	clear(b.texts[:])
	b.n = 0
	benches.Put(b)
}

func sumRange(from, to int, text texter, use func(i int, sum *digest)) {
	b := takeBench()
	for from < to {
		for b.n = 0; b.n < benchSize && from+b.n < to; {
			b.add(text(b.space(), from+b.n))
		}
		b.sum()
		for i := range b.n {
			use(from+i, &b.sums[i])
		}
		from += b.n
	}
	b.release()
}
