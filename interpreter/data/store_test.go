package data

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMergeCopies: after a merge nothing is left that depends on the bytes that arrived.
func TestMergeCopies(t *testing.T) {
	for _, vec := range readVectors[blobVector](t, "blobs") {
		b := slices.Clone(vec.Data)
		theirs, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		ours := &Data{}
		ours.Merge(theirs, nil)
		for i := range theirs.Trace {
			ours.Trace = append(ours.Trace, theirs.Trace[i].Clone())
		}
		merged, err := MergeSigners(&Signers{}, signersOf(t, theirs), nil)
		if err != nil {
			t.Fatal(err)
		}
		ours.Signatures = merged.Signatures()
		before := Encode(ours)
		clear(b)
		after := Encode(ours)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("%s: changed with the bytes that arrived", vec.Name)
		}
	}
}

// TestMergePrefersCurrent: our own data is not verified, theirs is.
func TestMergePrefersCurrent(t *testing.T) {
	var ours, theirs Data
	ours.ServiceResults.Put("r", ServiceResult{Value: "wrong"})
	theirs.ServiceResults.Put("r", ServiceResult{Value: "right"})
	ours.Merge(&theirs, nil)
	if r, _ := ours.ServiceResults.Get("r"); r.Value != "right" || ours.ServiceResults.Len() != 1 {
		t.Errorf("%+v", r)
	}
}
