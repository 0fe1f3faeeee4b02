package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A program is a random script and the answer that it has to give.
type program struct {
	air   string
	want  string       // JSON
	peers map[int]bool // that it visits
}

// A writer makes random expressions: AIR that leaves a text in a variable, and the text.
type writer struct {
	random *rand.Rand
	ids    []string
	n      int // variables so far
	peers  map[int]bool
}

// newProgram makes a script for a client of peer relay.
func newProgram(random *rand.Rand, ids []string, relay int) *program {
	w := &writer{random: random, ids: ids, peers: map[int]bool{relay: true}}
	body, v, want := w.expr(2 + random.IntN(2))
	hop := fmt.Sprintf(`(call %q ("op" "noop") [])`, ids[relay])
	return &program{
		air: fmt.Sprintf(`(xor (seq %s (seq %s (seq %s (call %%init_peer_id%% ("callbackSrv" "response") [%s]))))
			(seq %s (call %%init_peer_id%% ("errorHandlingSrv" "error") [:error: 0])))`, hop, body, hop, v, hop),
		want: fmt.Sprintf("%q", want), peers: w.peers,
	}
}

func (w *writer) fresh() string { w.n++; return fmt.Sprint("v", w.n) }

// peer picks a peer and gives its id, quoted.
func (w *writer) peer() string {
	i := w.random.IntN(len(w.ids))
	w.peers[i] = true
	return fmt.Sprintf("%q", w.ids[i])
}

func (w *writer) word() string {
	size := 1 + w.random.IntN(8)
	if w.random.IntN(20) == 0 {
		size = 20_000 // a large value now and then
	}
	return strings.Repeat(string(rune('a'+w.random.IntN(26))), size)
}

// expr gives instructions, the variable of the result, and the result.
func (w *writer) expr(depth int) (air, v, want string) {
	if depth == 0 {
		return w.leaf()
	}
	kinds := []func(int) (string, string, string){w.join, w.join, w.chain, w.caught, w.folded, w.mapped, w.scoped, w.vaulted, w.slow}
	return kinds[w.random.IntN(len(kinds))](depth - 1)
}

func (w *writer) leaf() (air, v, want string) {
	v, want = w.fresh(), w.word()
	return fmt.Sprintf(`(call %s ("op" "identity") ["%s"] %s)`, w.peer(), want, v), v, want
}

// join makes two values beside each other, or one after the other, and puts them together on another peer.
func (w *writer) join(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	b, bv, bw := w.expr(depth)
	op := []string{"par", "par", "seq"}[w.random.IntN(3)]
	v = w.fresh()
	return fmt.Sprintf(`(seq (%s %s %s) (call %s ("op" "concat_strings") [%s %s] %s))`, op, a, b, w.peer(), av, bv, v), v, aw + bw
}

// chain passes a value over some peers.
func (w *writer) chain(depth int) (air, v, want string) {
	air, v, want = w.expr(depth)
	for range 2 + w.random.IntN(3) {
		next, word := w.fresh(), w.word()
		air = fmt.Sprintf(`(seq %s (call %s ("op" "concat_strings") [%s "%s"] %s))`, air, w.peer(), v, word, next)
		v, want = next, want+word
	}
	return air, v, want
}

// caught fails on a peer and goes on in the other branch.
func (w *writer) caught(depth int) (air, v, want string) {
	air, v, want = w.expr(depth)
	failing := []string{`(call %s ("nobody" "nothing") [])`, `(call %s ("math" "div") [1 0])`, `(seq (call %s ("op" "noop") []) (fail 1 "on purpose"))`}[w.random.IntN(3)]
	return fmt.Sprintf(`(xor %s %s)`, fmt.Sprintf(failing, w.peer()), air), v, want
}

// folded collects values in a stream and makes one text of it.
func (w *writer) folded(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	n := 2 + w.random.IntN(4)
	list, item, stream, canon := w.fresh(), w.fresh(), "$"+w.fresh(), "#"+w.fresh()
	v = w.fresh()
	var elements, texts []string
	for i := range n {
		elements = append(elements, fmt.Sprintf(`"%d"`, i))
		texts = append(texts, fmt.Sprintf("%q", fmt.Sprint(aw, i)))
	}
	air = fmt.Sprintf(`(seq (seq %s (call %s ("op" "array") [%s] %s)) (new %s (seq (fold %s %s (seq (call %s ("op" "concat_strings") [%s %s] %s) (next %s)))
		(seq (canon %s %s %s) (call %s ("json" "stringify") [%s] %s)))))`,
		a, w.peer(), strings.Join(elements, " "), list, stream, list, item, w.peer(), av, item, stream, item,
		w.peer(), stream, canon, w.peer(), canon, v)
	return air, v, "[" + strings.Join(texts, ",") + "]"
}

// mapped puts a value into a map and takes it out by its key.
func (w *writer) mapped(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	m, c := "%"+w.fresh(), "#%"+w.fresh()
	v = w.fresh()
	return fmt.Sprintf(`(seq %s (seq (ap ("key" %s) %s) (seq (ap ("other" "x") %[3]s) (seq (canon %s %[3]s %[5]s) (call %[6]s ("op" "identity") [%[5]s.$.key.[0]] %[7]s)))))`,
		a, av, m, w.peer(), c, w.peer(), v), v, aw
}

// scoped hides a stream.
func (w *writer) scoped(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	s, c := "$"+w.fresh(), "#"+w.fresh()
	v = w.fresh()
	return fmt.Sprintf(`(seq %[1]s (new %[2]s (seq (ap %[3]s %[2]s) (seq (canon %[4]s %[2]s %[5]s) (call %[6]s ("op" "identity") [%[5]s.$.[0]] %[7]s)))))`,
		a, s, av, w.peer(), c, w.peer(), v), v, aw
}

// vaulted writes a file on a peer and reads it there.
func (w *writer) vaulted(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	path, at := w.fresh(), w.peer()
	v = w.fresh()
	return fmt.Sprintf(`(seq %s (seq (call %s ("vault" "put") [%s] %s) (call %[2]s ("vault" "cat") [%[4]s] %s)))`, a, at, av, path, v), v, aw
}

// slow calls a script service that takes its time.
func (w *writer) slow(depth int) (air, v, want string) {
	a, av, aw := w.expr(depth)
	v = w.fresh()
	return fmt.Sprintf(`(seq %s (call %s ("slow" "work") [%d %s] %s))`, a, w.peer(), w.random.IntN(300), av, v), v, aw
}
