package data

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/data/internal/lanes"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Ids of many things at once take a fifth of the time that they take one by one, see package lanes,
// and the cores share them, in rounds: between two of them only the calling goroutine runs, and
// counts what was done. When the counter stops them, the ids that are missing are empty.

// ValueCIDs are the content ids of n values.
func ValueCIDs(n int, at func(i int) value.Value, count *meter.Counter) []CID {
	return cidsOf(count, n, func(_ []byte, i int) []byte { return bytesOf(at(i).Text()) })
}

// ArgumentsCIDs are the argument hashes of n calls, of which at gives the texts of the arguments.
func ArgumentsCIDs(n int, at func(i int) []string, count *meter.Counter) []CID {
	if n == 1 {
		_ = count.Bytes(listSize(at(0)))
		return []CID{ArgumentsCID(at(0))}
	}
	cids := cidsOf(count, n, func(buf []byte, i int) []byte {
		if args := at(i); listSize(args) <= shortList {
			return appendList(buf, args)
		}
		return nil
	})
	for i := range cids {
		if args := at(i); listSize(args) > shortList {
			if count.Bytes(listSize(args)) != nil {
				break
			}
			cids[i] = ArgumentsCID(args)
		}
	}
	return cids
}

// TetrapletCIDs are the content ids of tetraplets.
func TetrapletCIDs(list []value.Tetraplet, count *meter.Counter) []CID {
	return cidsOf(count, len(list), func(buf []byte, i int) []byte {
		return list[i].AppendJSON(buf)
	})
}

// ServiceResultCIDs are the content ids of service results.
func ServiceResultCIDs(list []ServiceResult, count *meter.Counter) []CID {
	return cidsOf(count, len(list), func(buf []byte, i int) []byte {
		return list[i].appendJSON(buf)
	})
}

// CanonElementCIDs are the content ids of elements of canonicalised streams.
func CanonElementCIDs(list []CanonElement, count *meter.Counter) []CID {
	return cidsOf(count, len(list), func(buf []byte, i int) []byte {
		return list[i].appendJSON(buf)
	})
}

// Beside does two things at the same time if each has to make many content ids; they must not touch
// the same memory.
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

// perCore is from how many ids on another core is worth it: some 20 µs of work, against 5 µs for a
// goroutine.
const perCore = 128

// A texter returns the i-th text to hash. It may append it to buf, or return any other.
type texter func(buf []byte, i int) []byte

// cidsOf are the content ids of n texts. Their texts share memory.
func cidsOf(count *meter.Counter, n int, text texter) []CID {
	cids := make([]CID, n)
	if count.Grow(n*(cidLen+int(unsafe.Sizeof(CID(""))))) != nil {
		return cids
	}
	all := make([]byte, n*cidLen)
	sumsOf(count, n, text, func(i int, sum *digest) {
		cid := appendCID(all[i*cidLen:i*cidLen], sum)
		cids[i] = CID(unsafe.String(&cid[0], cidLen))
	})
	return cids
}

// sumsOf hashes n texts. It calls text and use from several goroutines, which have ended when it
// returns.
func sumsOf(count *meter.Counter, n int, text texter, use func(i int, sum *digest)) {
	workers := max(1, min(runtime.GOMAXPROCS(0), n/perCore))
	parts := make([]part, workers)
	for w := range parts {
		parts[w] = part{from: w * n / workers, to: (w + 1) * n / workers}
	}
	for more := true; more; {
		more = round(parts, text, use)
		for w := range parts {
			p := &parts[w]
			if count.Work(p.texts+p.bytes/meter.Byte) != nil {
				return
			}
			for _, i := range p.long {
				sum := longSum(text(nil, i), count)
				if count.Err() != nil {
					return
				}
				use(i, &sum)
			}
			p.long = p.long[:0]
		}
	}
}

// part is what one goroutine hashes.
type part struct {
	from, to     int
	long         []int // texts too long to be hashed without asking the counter
	texts, bytes int   // in the latest round
}

// The most texts and bytes that a goroutine hashes in a round: 0.3 ms.
const (
	roundTexts = 4096
	roundBytes = 1 << 20
)

// round hashes some of each part, and reports whether there are more.
func round(parts []part, text texter, use func(i int, sum *digest)) (more bool) {
	var wg sync.WaitGroup
	for w := range parts {
		if w == len(parts)-1 {
			parts[w].sum(text, use)
		} else {
			wg.Go(func() { parts[w].sum(text, use) })
		}
	}
	wg.Wait()
	for w := range parts {
		more = more || parts[w].from < parts[w].to
	}
	return more
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

// sum hashes texts until the round has enough.
func (p *part) sum(text texter, use func(i int, sum *digest)) {
	p.texts, p.bytes = 0, 0
	if p.from == p.to {
		return
	}
	b := takeBench()
	var at [benchSize]int
	for p.from < p.to && p.texts < roundTexts && p.bytes < roundBytes {
		for b.n = 0; b.n < benchSize && p.from < p.to && p.bytes < roundBytes; p.from++ {
			t := text(b.space(), p.from)
			if len(t) > longText {
				p.long = append(p.long, p.from)
				continue
			}
			p.bytes += len(t)
			at[b.n] = p.from
			b.add(t)
		}
		b.sum()
		p.texts += b.n
		for i := range b.n {
			use(at[i], &b.sums[i])
		}
	}
	b.release()
}
