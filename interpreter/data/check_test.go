package data

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/fault"
)

// patchVector is an archive of the blob vectors with a few bytes changed by chance: keep bytes from
// its beginning, others put in, the rest from its end. Code is what a run of the reference ended
// with, -1 if it trapped.
type patchVector struct {
	Blob string
	Keep int
	Put  string
	Rest int
	Code int64
}

func (vec patchVector) apply(t *testing.T, archive []byte) []byte {
	t.Helper()
	put, err := hex.DecodeString(vec.Put)
	if err != nil {
		t.Fatal(err)
	}
	patched := append([]byte(nil), archive[:vec.Keep]...)
	return append(append(patched, put...), archive[len(archive)-vec.Rest:]...)
}

// TestPatchedArchives judges the checker by the reference's validator. They may differ in one
// thing: a second pointer to a shared text that wants more bytes than the first. The reference lets
// it through and reads memory that is not the text's, after which it traps more often than not.
func TestPatchedArchives(t *testing.T) {
	archives := make(map[string][]byte)
	for _, blob := range readVectors[blobVector](t, "blobs") {
		e, err := Open(blob.Data)
		if err != nil {
			t.Fatal(err)
		}
		archives[blob.Name] = e.archive
	}
	refused, beyond := 0, 0
	for i, vec := range readVectors[patchVector](t, "archives_odd") {
		_, err := checkArchive(vec.apply(t, archives[vec.Blob]), nil)
		if err != nil {
			refused++
		}
		switch {
		case vec.Code == -1 || (err != nil) == (vec.Code == fault.CodeArchive):
		case err != nil && strings.Contains(err.Error(), "was a text of"):
			beyond++
		default:
			t.Errorf("case %d: %v, want code %d", i, err, vec.Code)
		}
	}
	if refused < 1000 || beyond > 5 {
		t.Errorf("%d refused, %d of them beyond their text", refused, beyond)
	}
}

// build writes an archive by hand: root gets the seven vecs of the root, in order.
func build(write func(w *writer) (lists [7]vec)) []byte {
	w := newWriter()
	lists := write(w)
	w.align()
	for i := range lists {
		if i > 0 && lists[i].count == 0 && lists[i-1].at > 0 {
			lists[i].at = w.pos()
		}
	}
	w.root(lists, 0)
	return w.b
}

// TestSharingDoesNotMultiply: a few bytes that point at many must not become many times as many.
func TestSharingDoesNotMultiply(t *testing.T) {
	const n = 20_000
	for name, write := range map[string]func(w *writer) [7]vec{
		"canon results that share a list": func(w *writer) (lists [7]vec) {
			shared := -1
			lists[4] = w.list(n, entrySize, func(i int) int {
				w.shareText(fmt.Sprint(i))
				if shared < 0 {
					shared = w.canonResult(&CanonResult{"t", slices.Repeat([]CID{"e"}, n)})
				}
				return shared
			}, func(i, part int, b []byte, at int) {
				key := fmt.Sprint(i)
				putFat(b, at, w.shareText(key), len(key))
				putRel(b[8:], at+8, part)
			})
			return lists
		},
		"states that share a long id": func(w *writer) (lists [7]vec) {
			lists[0] = w.trace(slices.Repeat([]State{CanonDone(CID(strings.Repeat("x", n)))}, n))
			return lists
		},
		"states that share a long peer": func(w *writer) (lists [7]vec) {
			lists[0] = w.trace(slices.Repeat([]State{CallSent(strings.Repeat("x", n))}, n))
			return lists
		},
	} {
		_, err := Envelope{Version, InterpreterVersion, build(write)}.Decode()
		if codeOf(err) != fault.CodeArchive || strings.Contains(err.Error(), "is not within") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDecodeAllocatesInProportion decodes archives whose counts promise more than there is, and one
// in which everything points at the same few bytes.
func TestDecodeAllocatesInProportion(t *testing.T) {
	const n = 50_000
	same := Encode(&Data{Trace: slices.Repeat([]State{CallDone(Scalar, "c", 0)}, n)})
	promises := slices.Clone(same)
	copy(promises[len(promises)-rootSize+4:], "\x7f\xff\xff\xff") // states
	for name, b := range map[string][]byte{"same": same, "promises": promises} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Decode(b)
		runtime.ReadMemStats(&after)
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(8*len(b)); got > limit {
			t.Errorf("%s: %d bytes for %d", name, got, len(b))
		}
	}
}
