// Package lanes hashes many short texts at once: BLAKE3, the lanes of vector registers filled with
// different texts.
//
// Libraries use the lanes for the chunks of one long text only, and nearly all that is hashed here
// is below the 1024 bytes of one chunk: a thousand results are three thousand texts of 1 to 260
// bytes. Eight of them take the time of one and a half. Texts of more than a chunk are left to a
// library.
package lanes

import (
	"encoding/binary"

	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/guts"
)

const (
	width     = 8 // lanes
	blockSize = guts.BlockSize
)

// fewest is the number of texts from which on lanes are worth it.
const fewest = 3

// Sum writes the hashes of texts to sums, which is as long.
func Sum(sums [][32]byte, texts [][]byte) {
	if !available || len(texts) < fewest {
		for i, text := range texts {
			sums[i] = Single(text)
		}
		return
	}
	var s state
	var lane [width]struct {
		text  int // -1 when there are no more
		rest  []byte
		begun bool
	}
	next, busy := 0, 0
	begin := func(l int) {
		for next < len(texts) && len(texts[next]) > guts.ChunkSize {
			sums[next] = blake3.Sum256(texts[next])
			next++
		}
		if lane[l].text = -1; next == len(texts) {
			return
		}
		lane[l].text, lane[l].rest, lane[l].begun = next, texts[next], false
		for w := range s.cv {
			s.cv[w][l] = guts.IV[w]
		}
		next++
		busy++
	}
	for l := range lane {
		begin(l)
	}
	for busy > 0 {
		for l := range lane {
			t := &lane[l]
			if t.text < 0 {
				continue
			}
			s.flags[l] = 0
			if !t.begun {
				t.begun, s.flags[l] = true, guts.FlagChunkStart
			}
			n := min(len(t.rest), blockSize)
			if n == len(t.rest) {
				s.flags[l] |= guts.FlagChunkEnd | guts.FlagRoot
			}
			s.length[l] = uint32(n)
			s.fill(l, t.rest[:n])
			t.rest = t.rest[n:]
		}
		compress(&s)
		for l := range lane {
			if t := &lane[l]; t.text >= 0 && s.flags[l]&guts.FlagRoot != 0 {
				for w := range s.cv {
					binary.LittleEndian.PutUint32(sums[t.text][4*w:], s.cv[w][l])
				}
				busy--
				begin(l)
			}
		}
	}
}

// Single is the hash of one text. Short ones take two thirds of the time of a hasher made for any
// length.
func Single(text []byte) (sum [32]byte) {
	if len(text) > guts.ChunkSize {
		return blake3.Sum256(text)
	}
	root := guts.CompressChunk(text, &guts.IV, 0, 0)
	root.Flags |= guts.FlagRoot
	words := guts.CompressNode(root)
	for i, w := range words[:8] {
		binary.LittleEndian.PutUint32(sum[4*i:], w)
	}
	return sum
}

// state is one block of each lane and what the compression makes of it. The assembly knows the
// offsets.
type state struct {
	cv     [8][width]uint32  // word, lane
	block  [16][width]uint32 // word, lane
	length [width]uint32
	flags  [width]uint32
}

// fill takes a block, with zeros to its end if it is the last.
func (s *state) fill(l int, text []byte) {
	var last [blockSize]byte
	if len(text) < blockSize {
		copy(last[:], text)
		text = last[:]
	}
	b := (*[blockSize]byte)(text)
	for w := range s.block {
		s.block[w][l] = binary.LittleEndian.Uint32(b[4*w:])
	}
}
