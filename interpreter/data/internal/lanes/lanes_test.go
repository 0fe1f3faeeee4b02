package lanes

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/zeebo/blake3"
)

// texts are n random texts whose sizes are of any kind: empty, full blocks, a full chunk.
func texts(r *rand.Rand, n, largest int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		size := r.IntN(largest + 1)
		if r.IntN(4) == 0 {
			size -= size % blockSize
		}
		list[i] = make([]byte, size)
		for j := range list[i] {
			list[i][j] = byte(r.Uint32())
		}
	}
	return list
}

func TestSum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		for _, largest := range []int{0, 1, blockSize, 300, 1024, 1500} {
			list := texts(r, n, largest)
			sums := make([][32]byte, n)
			Sum(sums, list)
			for i, text := range list {
				if want := blake3.Sum256(text); sums[i] != want || Single(text) != want {
					t.Fatalf("%d of %d texts, of %d bytes: %x and alone %x, want %x", i, n, len(text), sums[i], Single(text), want)
				}
			}
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{10, 130, 260, 1024} {
		list := make([][]byte, 64)
		for i := range list {
			list[i] = make([]byte, size)
		}
		sums := make([][32]byte, len(list))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size * len(list)))
			for b.Loop() {
				Sum(sums, list)
			}
		})
		b.Run(fmt.Sprint(size, "-single"), func(b *testing.B) {
			b.SetBytes(int64(size * len(list)))
			for b.Loop() {
				for _, text := range list {
					Single(text)
				}
			}
		})
	}
}
