package main

import (
	"fmt"
	"strings"
	"time"
)

// day is a TTL that outlives every row.
const day = 23 * time.Hour

// folds nests folds over arrays: width^depth turns around body.
func folds(width, depth int, body string) string {
	script := body
	for d := depth - 1; d >= 0; d-- {
		script = fmt.Sprintf("(fold a i%d (seq %s (next i%[1]d)))", d, script)
	}
	return parsed(width, "a", script)
}

// overBudget are the reasons for the end of a particle that used too much of the processor.
var overBudget = []string{"ended/budget", "refused/budget"}

// overAny are those for the end of one whose trace grows with each turn of a loop: which of its limits
// comes first depends on the machine.
var overAny = append([]string{"ended/memory"}, overBudget...)

// processorRows take the processor.
func processorRows() []Row {
	const kind = "processor time"
	wedge := testdata("wedge.air")
	noops := func(inner string) string { return folds(1000, 2, inner) }
	return []Row{
		{Name: "wedge", Kind: kind, Slice: true, Reasons: overBudget, Lasts: 8 * time.Second, Calm: time.Minute,
			Attack: particles(2, 1, day, func(int) string { return wedge })},
		{Name: "wedge from 20 keys", Kind: kind, Reasons: overBudget, Env: short, Calm: time.Minute,
			Attack: particles(40, 20, day, func(int) string { return wedge })},
		{Name: "wedge with a TTL of 2 s, a stream", Kind: kind,
			Attack: particles(200, 4, 2*time.Second, func(int) string { return wedge })},
		{Name: "five particles of a million nulls", Kind: kind,
			Attack: particles(5, 1, time.Minute, func(int) string { return noops("(null)") })},
		{Name: "five particles of a million calls", Kind: kind, Lasts: 6 * time.Second, Calm: time.Minute,
			Attack: particles(5, 1, time.Minute, func(int) string { return noops(`(call "HOST_PEER" ("op" "noop") [])`) })},
		{Name: "ten thousand calls in a row", Kind: kind,
			Attack: particles(20, 2, time.Minute, func(int) string {
				return folds(100, 2, `(call "HOST_PEER" ("op" "noop") [])`)
			})},
		{Name: "xor loops", Kind: kind, Env: short, Reasons: overAny,
			Attack: particles(4, 1, day, func(int) string { return folds(1000, 4, `(xor (fail 1 "x") (null))`) })},
		{Name: "match loops over an error object", Kind: kind, Env: short, Reasons: overAny,
			Attack: particles(4, 1, day, func(int) string {
				return folds(1000, 4, `(xor (match i0 "no" (null)) (ap :error: e))`)
			})},
		{Name: "folds over a stream that grows", Kind: kind, Env: short, Reasons: append(overBudget, "failed/interpreter"),
			Attack: particles(4, 1, day, func(int) string {
				return `(seq (ap 1 $s) (fold $s i (seq (ap i $s) (next i))))`
			})},
		{Name: "stream folds over stream folds", Kind: kind,
			Attack: particles(4, 1, day, func(int) string {
				fill := `(fold a i (seq (ap i $s) (next i)))`
				return parsed(300, "a", "(seq "+fill+` (fold $s x (seq (fold $s y (seq (fold $s z (seq (null) (next z))) (next y))) (next x))))`)
			})},
		{Name: "canon of a stream again and again", Kind: kind,
			Attack: particles(4, 1, day, func(int) string {
				return parsed(2000, "a", `(fold a i (seq (seq (ap i $s) (canon "HOST_PEER" $s #c)) (next i)))`)
			})},
		{Name: "canon maps of maps", Kind: kind,
			Attack: particles(4, 1, day, func(int) string {
				return parsed(1000, "a", `(seq (fold a i (seq (ap (i i) %m) (next i))) (fold a j (seq (new #%c (canon "HOST_PEER" %m #%c)) (next j))))`)
			})},
		{Name: "map keys by thousands", Kind: kind,
			Attack: particles(3, 1, day, func(k int) string {
				keys := times(20_000, func(i int) string { return fmt.Sprintf(`(ap ("k%d-%d" %d) %%m)`, k, i, i) })
				return `(seq ` + tree("seq", keys) + ` (canon "HOST_PEER" %m #%c))`
			})},
		{Name: "nested 100,000 deep", Kind: kind,
			Attack: particles(6, 1, day, func(i int) string {
				op := []string{"seq", "par", "xor"}[i%3]
				return strings.Repeat("("+op+" (null) ", 99_000) + "(null)" + strings.Repeat(")", 99_000)
			})},
		{Name: "nested to the left", Kind: kind,
			Attack: particles(6, 1, day, func(i int) string {
				op := []string{"seq", "par", "xor"}[i%3]
				return strings.Repeat("("+op+" ", 99_000) + "(null)" + strings.Repeat(" (null))", 99_000)
			})},
		{Name: "news a hundred thousand deep", Kind: kind,
			Attack: particles(3, 1, day, func(int) string {
				return strings.Repeat("(new $s ", 99_000) + "(ap 1 $s)" + strings.Repeat(")", 99_000)
			})},
		{Name: "brackets without end", Kind: kind, Reasons: []string{"failed/interpreter"},
			Attack: particles(6, 1, day, func(int) string { return strings.Repeat("(seq ", 2_000_000) })},
		{Name: "par tree of 65,536 leaves", Kind: kind,
			Attack: particles(3, 1, day, func(int) string {
				return tree("par", times(65_536, func(i int) string { return fmt.Sprintf(`(call "HOST_PEER" ("op" "identity") [%d] v%[1]d)`, i) }))
			})},
		{Name: "100,000 variables", Kind: kind,
			Attack: particles(3, 1, day, func(int) string {
				return tree("seq", times(100_000, func(i int) string { return fmt.Sprintf("(ap %d v%[1]d)", i) }))
			})},
		{Name: "20,000 streams", Kind: kind,
			Attack: particles(3, 1, day, func(int) string {
				return tree("seq", times(20_000, func(i int) string { return fmt.Sprintf("(ap %d $s%[1]d)", i) }))
			})},
		{Name: "next peers, 20,000", Kind: kind, Reasons: absent,
			Attack: one(time.Minute, nextPeers(20_000))},
		{Name: "next peers, 100,000", Kind: kind, Reasons: absent, Lasts: 8 * time.Second,
			Attack: one(time.Minute, nextPeers(100_000))},
		{Name: "next peers that cannot be, 50,000", Kind: kind, Reasons: []string{"lost/peer-id"},
			Attack: one(time.Minute, tree("par", times(50_000, func(i int) string { return fmt.Sprintf(`(call "nobody%d" ("a" "b") [])`, i) })))},
		{Name: "a peer name of 160,000 characters", Kind: kind, Reasons: []string{"lost/peer-id"},
			Attack: particles(10, 1, time.Minute, func(i int) string {
				return fmt.Sprintf(`(call "12D3%s" ("a" "b") [])`, strings.Repeat("z", 160_000+i))
			})},
		{Name: "a base58 text of 300,000 characters", Kind: kind,
			Attack: particles(20, 1, time.Minute, func(i int) string {
				f := []string{"bytes_from_b58", "string_from_b58", "string_to_b58"}[i%3]
				return fmt.Sprintf(`(call "HOST_PEER" ("op" %q) ["%s"] r)`, f, strings.Repeat("z", 300_000+i))
			})},
		{Name: "kad keys of 300,000 characters", Kind: kind,
			Attack: particles(20, 1, time.Minute, func(i int) string {
				return fmt.Sprintf(`(call "HOST_PEER" ("kad" "neighborhood") ["%s" false 20] r)`, strings.Repeat("z", 300_000+i))
			})},
		{Name: "array functions over 100,000 elements", Kind: kind,
			Attack: particles(8, 1, time.Minute, func(i int) string {
				f := []string{"diff", "intersect", "sdiff"}[i%3]
				return arrayOf(stringsJSON(100_000, "a"), "a", arrayOf(stringsJSON(100_000, "b"), "b",
					fmt.Sprintf(`(call "HOST_PEER" ("array" %q) [a b] r)`, f)))
			})},
		{Name: "json put, ten thousand keys", Kind: kind,
			Attack: particles(4, 1, time.Minute, func(int) string {
				return `(seq (call "HOST_PEER" ("json" "parse") ["{}"] o0) ` + tree("seq", times(3000, func(i int) string {
					return fmt.Sprintf(`(call "HOST_PEER" ("json" "put") [o%d "k%[1]d" %[1]d] o%[2]d)`, i, i+1)
				})) + ")"
			})},
		{Name: "json nested 100,000 deep", Kind: kind,
			Attack: particles(10, 1, time.Minute, func(int) string {
				return `(seq (call "HOST_PEER" ("json" "parse") ["` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) +
					`"] a) (call "HOST_PEER" ("json" "stringify") [a] b))`
			})},
	}
}

// absent are the reasons for frames that nobody takes.
var absent = []string{"held/unreachable", "lost/unreachable", "lost/memory", "lost/queue", "held/dial", "held/queue", "refused/memory", "ended/memory"}

// short lets a particle have a second of the processor.
var short = []string{"AQUANODE_PARTICLE_TIME=1s"}

func nextPeers(n int) string {
	return tree("par", times(n, func(int) string { return fmt.Sprintf(`(call %q ("a" "b") [])`, absentPeer()) }))
}

// arrayOf makes an array of arguments, in brackets as a call has them: AIR has no literal for one.
func arrayOf(args, name, script string) string {
	return fmt.Sprintf(`(seq (call "HOST_PEER" ("op" "array") %s %s) %s)`, args, name, script)
}

// stringsJSON is an argument list of n different strings.
func stringsJSON(n int, prefix string) string {
	return "[" + strings.Join(times(n, func(i int) string { return fmt.Sprintf("%q", fmt.Sprint(prefix, i)) }), " ") + "]"
}
