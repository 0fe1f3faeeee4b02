package air

import (
	"fmt"
	"strings"
	"testing"
)

// largeScript builds a script of at least size bytes out of calls, aps, folds, pars and
// xors, the way compiled scripts look.
func largeScript(size int) string {
	var parts []string
	for n, length := 0, 0; length < size; n++ {
		part := fmt.Sprintf(`
(xor
 (seq
  (call "12D3KooWFWQXP3KtujAwaHQdK5FWLUKFnZaRKgcE48CjJoDRQ16i" ("service-%[1]d" "run") [%%init_peer_id%% result-%[1]d.$.items.[0] 42 "text of an argument"] result-%[2]d)
  (par
   (fold result-%[2]d item-%[1]d
    (seq
     (ap item-%[1]d.$.name $names)
     (next item-%[1]d)
    )
   )
   (call item-%[1]d ("peer" "identify") [] $names)
  )
 )
 (match :error:.$.error_code 10001
  (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: %[1]d])
 )
)`, n, n+1)
		parts = append(parts, part)
		length += len(part) + len("(seq \n)")
	}
	return "(seq (ap [] result-0)\n" + nest(parts) + "\n)"
}

// nest puts parts in order into a tree of seqs.
func nest(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	half := len(parts) / 2
	return "(seq " + nest(parts[:half]) + nest(parts[half:]) + "\n)"
}

// denseScript is one without indentation and with short names: the most instructions
// for its size.
func denseScript(size int) string {
	var parts []string
	for n, length := 0, 0; length < size; n++ {
		part := fmt.Sprintf(`(seq (call x%[1]d ("s" "f") [x%[1]d.$.a] x%[2]d) (xor (fold x%[1]d i%[1]d (par (ap i%[1]d $s) (next i%[1]d))) (match x%[2]d 1 (null))))`, n, n+1)
		parts = append(parts, part)
		length += len(part) + len("(seq )")
	}
	return "(seq (ap 1 x0) " + nest(parts) + ")"
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{1_000, 20_000, 200_000, 2_000_000} {
		src := largeScript(size)
		b.Run(fmt.Sprintf("%dkB", size/1000), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseDense(b *testing.B) {
	src := denseScript(200_000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	s, err := Parse(largeScript(200_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Format(s.Tree())
	}
}

func BenchmarkFormatSource(b *testing.B) {
	src := strings.ReplaceAll(largeScript(200_000), "(par", "; a comment\n(par")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FormatSource(src); err != nil {
			b.Fatal(err)
		}
	}
}
