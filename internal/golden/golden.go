// Package golden compares output with golden files: expected output that is recorded in testdata,
// and pages of docs that are made from tables.
//
// With UPDATE_GOLDEN=1 in the environment, tests rewrite the files instead:
//
//	UPDATE_GOLDEN=1 go test ./...
//	git diff
//
// It is a variable, not a flag, so that it works over the whole tree: go test passes a flag to all
// packages, and those that do not define it fail.
package golden

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const variable = "UPDATE_GOLDEN"

// Updating reports whether tests rewrite their golden files.
func Updating() bool { return os.Getenv(variable) == "1" }

// File compares got with a golden file, or rewrites the file.
func File(t testing.TB, file, got string) {
	t.Helper()
	if Updating() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with %s=1 to write it)", err, variable)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run with %s=1 if the new text is right (-want +got):\n%s",
			file, variable, diff)
	}
}
