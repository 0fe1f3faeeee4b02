package aqua

import (
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// program is a module of about n lines: functions that call each other, loops
// over peers, conditions and joins.
func program(n int) string {
	var b strings.Builder
	b.WriteString("aqua Bench\n\nexport last\n\nservice Job(\"job\"):\n  run(x: string) -> string\n  log(x: string)\n\n")
	lines, i := 9, 0
	for ; lines < n-12; lines += 17 {
		call := "Job.run(x)"
		if i%8 > 0 {
			call = "work" + itoa(i-1) + "(peers, relay, x)"
		}
		b.WriteString("func work" + itoa(i) + `(peers: []string, relay: string, x: string) -> string:
  out: *string
  for p <- peers par:
    on p via relay:
      try:
        out <- Job.run(p)
      catch e:
        Job.log(e.message)
  join out[peers.length - 1]
  if x == "a":
    Job.log(out!)
  else:
    Job.log(x)
  y <- ` + call + `
  z <- Job.run(y)
  <- z

`)
		i++
	}
	b.WriteString("func last(peers: []string, relay: string) -> string:\n  x <- work" + itoa(i-1) + "(peers, relay, \"a\")\n  <- x\n")
	return b.String()
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{30, 100, 1000} {
		b.Run(itoa(n)+"lines", func(b *testing.B) {
			text := program(n)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(Source{"bench.aqua", text}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// All recorded programs that compile, one after the other: the published
// compiler takes 3.6 s for 104 of them in one warm process.
func BenchmarkVectors(b *testing.B) {
	v := loadVectors(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range v.Cases {
			if c.File == acceptedHere {
				continue
			}
			_, err := Compile(Source{c.File, v.Files[c.File]}, c.options(v.Files))
			if (err == nil) != c.OK {
				b.Fatal(c.File, err)
			}
		}
	}
}
