package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/node/journal"
)

const root = "../../"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A bound is a line of the tables of docs/SECURITY.md.
type bound struct{ what, limit, reason, tests, rows string }

func bounds(t *testing.T) (all []bound) {
	t.Helper()
	for line := range strings.Lines(read(t, "docs/SECURITY.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "what" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, bound{cells[0], cells[1], cells[2], cells[3], cells[4]})
	}
	if len(all) < 30 {
		t.Fatalf("%d bounds were read", len(all))
	}
	return all
}

var quoted = regexp.MustCompile("`([^`]+)`")

func names(text string) (all []string) {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// Every reason named exists, and every reason that exists is named.
func TestSecurityReasons(t *testing.T) {
	named := map[string]bool{string(journal.Other): true} // in the text, as a fault
	for _, b := range bounds(t) {
		for _, reason := range names(b.reason) {
			named[reason] = true
			if !slices.Contains(journal.Reasons(), journal.Reason(reason)) {
				t.Errorf("%s: there is no reason %q", b.what, reason)
			}
		}
	}
	for _, reason := range journal.Reasons() {
		if !named[string(reason)] {
			t.Errorf("docs/SECURITY.md does not name the reason %q", reason)
		}
	}
}

// Every setting named exists, and every limit that can be set is named.
func TestSecuritySettings(t *testing.T) {
	var settings []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(read(t, "docs/SETTINGS.md"), -1) {
		settings = append(settings, m[1])
	}
	named := map[string]bool{}
	for _, b := range bounds(t) {
		for _, setting := range names(b.limit) {
			named[setting] = true
			if !slices.Contains(settings, setting) && setting != "key" { // a check of /health
				t.Errorf("%s: there is no setting %q", b.what, setting)
			}
		}
	}
	for _, setting := range settings {
		if strings.HasPrefix(setting, "max_") && !named[setting] {
			t.Errorf("docs/SECURITY.md does not name the limit %q", setting)
		}
	}
}

// Every test and every row named exists.
func TestSecurityTests(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range Rows() {
		rows[r.Name] = true
	}
	for _, b := range bounds(t) {
		if b.tests == "" || b.rows == "" {
			t.Errorf("%s: no test or no row holds it", b.what)
		}
		for _, test := range names(b.tests) {
			dir, name, _ := strings.Cut(test, " ")
			if !hasTest(t, dir, name) {
				t.Errorf("%s: there is no test %s in %s", b.what, name, dir)
			}
		}
		for row := range strings.SplitSeq(b.rows, "; ") {
			if !rows[row] && !strings.HasPrefix(row, "every row") {
				t.Errorf("%s: there is no row %q", b.what, row)
			}
		}
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "func "+name+"(") {
			return true
		}
	}
	return false
}
