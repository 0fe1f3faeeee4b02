package data

import (
	"encoding/hex"
	"strings"
	"testing"
)

// patchVector is an archive of the blob vectors with a few bytes changed by chance: keep bytes from its
// beginning, others put in, the rest from its end. Code is what a run of the reference ended with, -1 if it trapped.
type patchVector struct {
	Blob string
	Keep int
	Put  string
	Rest int
	Code int
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

// TestPatchedArchives judges the checker by the reference's validator. They may differ in one thing: a second pointer to a
// shared text that wants more bytes than the first. The reference lets it through and reads memory that is not
// the text's, after which it traps more often than not.
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
		err := checkArchive(vec.apply(t, archives[vec.Blob]))
		if err != nil {
			refused++
		}
		switch {
		case vec.Code == -1 || (err != nil) == (vec.Code == CodeArchive):
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
