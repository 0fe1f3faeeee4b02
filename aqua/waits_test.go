package aqua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A read of a stream to which nothing is written before it: the compiler warns, and no order of
// delivery brings an answer. Without a warning there is an answer.
func TestWaitsForever(t *testing.T) {
	const head = `aqua Waits

export f

service Op("op"):
  identity(s: string) -> string

func push(p: string, s: *string):
  on p:
    x <- Op.identity(p)
  s <<- x

func f(a: string, b: string, peers: []string) -> string:
  s: *string
`
	for _, c := range []struct {
		name, body string
		warns      bool
	}{
		{"join before par", `
  join s[0]
  par on a:
    s <- Op.identity(a)
`, true},
		{"join before push", `
  join s[0]
  s <<- a
`, true},
		{"nothing is written", `
  on a:
    x = s!
  Op.identity(x)
`, true},
		{"in the same loop", `
  for p <- peers:
    t: *string
    join t[0]
    t <<- p
`, true},
		{"declared in on", `
  on a:
    t: *string
    join t[1]
    t <- Op.identity(a)
`, true},
		{"join after par", `
  on a:
    s <- Op.identity(a)
  par join s[0]
`, false},
		{"join after co", `
  co on a:
    s <- Op.identity(a)
  join s[0]
`, false},
		{"written by a function", `
  co push(a, s)
  join s[0]
`, false},
		{"written by a closure", `
  add = (p: string):
    s <<- p
  add(a)
  join s[0]
`, false},
		{"written in a loop before", `
  for p <- peers par:
    on p:
      s <- Op.identity(p)
  join s[2]
`, false},
		{"read and written in turn", `
  s <<- a
  for p <- peers:
    join s[0]
    s <<- p
`, false},
		{"read in a closure that runs later", `
  last = () -> string:
    <- s[0]
  s <<- a
  y <- last()
`, false},
		{"another iteration writes", `
  done: *string
  for p <- peers par:
    if p == b:
      done <<- s[0]
    else:
      s <<- p
  join done[0]
`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := head + strings.TrimPrefix(c.body, "\n") + "  <- a\n"
			r, err := Compile(Source{"waits.aqua", text}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			warns := false
			for _, w := range r.Warnings {
				warns = warns || strings.HasSuffix(w.Message[0], "which waits forever")
			}
			if warns != c.warns {
				t.Errorf("a warning: %t, want %t", warns, c.warns)
			}
			for seed := range uint64(10) {
				if answer := start(t, text).run(t, seed); (answer == "") != c.warns {
					t.Fatalf("order %d answers %q", seed, answer)
				}
			}
		})
	}
}

// There is no warning for the recorded programs and for those that are known to answer.
func TestNoFalseAlarm(t *testing.T) {
	v := loadVectors(t)
	for _, c := range v.Cases {
		noAlarm(t, c.File, v.Files[c.File], c.options(v.Files))
	}
	files, err := filepath.Glob("testdata/home/*.aqua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		noAlarm(t, file, string(text), Options{})
	}
}

func noAlarm(t *testing.T, file, text string, opts Options) {
	t.Helper()
	r, err := Compile(Source{file, text}, opts)
	if err != nil {
		return // one of the recorded programs with an error
	}
	for _, w := range r.Warnings {
		if strings.HasSuffix(w.Message[0], "which waits forever") {
			t.Errorf("false alarm: %s", w)
		}
	}
}
