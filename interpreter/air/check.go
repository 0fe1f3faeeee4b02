package air

import (
	"fmt"
	"slices"
)

// checker does the checks that a grammar cannot: it is shown every instruction as it
// is completed, branches before the instruction that holds them, and keeps what it
// learned under the names of variables. The work is linear in the length of the script.
type checker struct {
	nameTable
	links []link
	taken []Span // the last result of inside
	stack []int32
	off   bool // the check of what follows next is switched off
	found []Diagnostic
}

// name is what is known about the variables of one name. The lists hold the
// instructions for which no enclosing fold with this iterator has been seen yet.
type name struct {
	text    string
	hash    uint32
	defined int32 // where the first instruction that defines it starts
	nexts   list  // next instructions
	news    list  // new instructions
	folds   list  // folds with this iterator
	pending Span  // the first instruction that uses it without a definition known by then
	next    Span  // the first next instruction
	suspect Span  // an instruction with something after (next name), if not zero
}

// list is a list of spans, the latest first: where its first link is in the checker's
// links. Zero is the empty list.
type list int32

type link struct {
	at   Span
	rest list
}

// plain stands on the checker's stack for an instruction that does not end in a next;
// other entries are the name's index.
const plain int32 = -1

const undefined int32 = 1<<31 - 1

// reset forgets everything and keeps the memory for a script of some size.
func (c *checker) reset(size int) {
	clear(c.known) // it refers to the script
	c.known, c.table = slices.Grow(c.known[:0], size/80), c.table[:0]
	c.links, c.stack = c.links[:0], c.stack[:0]
	c.off, c.found = false, nil
}

// add takes in an instruction whose branches have been taken in before. uses are the variables
// that it needs a definition of.
func (c *checker) add(n *node, f *frame, uses []int32) {
	for _, id := range uses {
		c.use(id, n.Span)
	}
	if f.name != none && n.kind != tokNext {
		c.define(f.name, n.Span)
	}
	switch n.kind {
	case tokNext:
		c.step(f.name, n.Span)
	case tokSeq, tokPar:
		c.sequence(n.Span)
	case tokXor:
		c.choice()
	case tokMatch, tokMismatch:
	case tokNew:
		c.put(&c.known[f.name].news, n.Span)
	case tokFold:
		c.fold(f, n.Span)
	case tokFail:
		if f.zero {
			c.report(n.Span, "error code 0 with fail is unsupported",
				"use another number: 0 means success")
		}
		c.push(plain)
	default:
		c.push(plain)
	}
}

func (c *checker) step(id int32, at Span) {
	n := &c.known[id]
	if n.next == (Span{}) {
		n.next = at
	}
	c.put(&n.nexts, at)
	c.push(id)
}

// use looks for a definition in an instruction that starts before the one at a
// span. The instructions around it are still to come, so a missing one is looked for
// again in the end; like AquaVM, only once per name: (fold i i (ap i x)) passes because
// its first use of i does.
func (c *checker) use(id int32, at Span) {
	n := &c.known[id]
	if n.defined >= at.Start && n.pending == (Span{}) {
		n.pending = at
	}
}

func (c *checker) define(id int32, at Span) {
	n := &c.known[id]
	n.defined = min(n.defined, at.Start)
}

// fold settles the instructions inside that need to know about it.
func (c *checker) fold(f *frame, at Span) {
	n := &c.known[f.name]
	nexts := c.inside(&n.nexts, at)
	for _, at := range nexts[:max(len(nexts)-1, 0)] {
		c.report(at, fmt.Sprintf("multiple next instructions for iterator '%s' found for one fold, that is prohibited", n.text),
			"a fold goes on with (next) in one place of its body")
	}
	for _, at := range c.inside(&n.news, at) {
		c.report(at, fmt.Sprintf("new can't be applied to a '%s' because it's an iterator", n.text),
			"rename one of the two variables")
	}
	for _, at := range c.inside(&n.folds, at) {
		c.report(at, fmt.Sprintf("multiple iterable values found for iterator name '%s'", n.text),
			"give the inner fold another iterator name")
	}
	c.put(&n.folds, at)
	c.foldEnd(f)
}

func (c *checker) put(l *list, at Span) {
	c.links = append(c.links, link{at, *l})
	*l = list(len(c.links))
}

// inside takes the spans inside at off the list, the latest first.
func (c *checker) inside(l *list, at Span) []Span {
	c.taken = c.taken[:0]
	for *l != 0 && c.links[*l-1].at.Start > at.Start {
		c.taken = append(c.taken, c.links[*l-1].at)
		*l = c.links[*l-1].rest
	}
	return c.taken
}

// The rest is the check that nothing follows next in a fold over a stream or a stream
// map. It mirrors AquaVM's rules, with their gaps: xor hides what follows a next, and
// a fold over a scalar leaves its suspect for a later stream fold with the same iterator.

func (c *checker) push(id int32) {
	c.stack = append(c.stack, id)
}

// pop gives up on an empty stack: after a syntax error some instructions never come.
func (c *checker) pop() int32 {
	if len(c.stack) == 0 {
		c.off = true
		return plain
	}
	id := c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
	return id
}

func (c *checker) sequence(at Span) {
	right, left := c.pop(), c.pop()
	switch {
	case left == plain || left == right:
		c.push(right)
	default:
		if n := &c.known[left]; n.suspect == (Span{}) {
			n.suspect = at
		}
		c.push(plain)
	}
}

func (c *checker) choice() {
	right, left := c.pop(), c.pop()
	switch {
	case left == plain:
		c.push(right)
	case right == plain:
		c.push(left)
	default:
		c.off = true
		c.push(plain)
	}
}

func (c *checker) foldEnd(f *frame) {
	if f.got == 2 {
		c.pop()
	}
	body := c.pop()
	if !f.stream {
		c.push(plain)
		return
	}
	n := &c.known[f.name]
	if n.suspect != (Span{}) && !c.off {
		c.report(n.suspect, "fold can not have instructions after next",
			"move (next) to the end of the body: folds over streams may still grow when it runs")
	}
	if body == f.name {
		n.suspect = Span{}
		body = plain
	}
	c.push(body)
}

func (c *checker) report(at Span, label, hint string) {
	c.found = append(c.found, Diagnostic{Span: at, Label: label, Hint: hint})
}

// finish returns everything found.
func (c *checker) finish() []Diagnostic {
	for k := range c.known {
		n := &c.known[k]
		if n.pending != (Span{}) && n.defined >= n.pending.Start {
			c.report(n.pending, fmt.Sprintf("variable '%s' wasn't defined", n.text),
				definitionHint(n))
		}
		if c.oldest(n.nexts) == n.next && n.nexts != 0 { // likewise only the first
			c.report(n.next, fmt.Sprintf("iterable '%s' wasn't defined", n.text),
				"(next) names the iterator of a fold around it")
		}
	}
	return c.found
}

func (c *checker) oldest(l list) Span {
	var at Span
	for ; l != 0; l = c.links[l-1].rest {
		at = c.links[l-1].at
	}
	return at
}

func definitionHint(n *name) string {
	if n.defined == undefined {
		return "give it a value before, with a call, an ap or a fold"
	}
	return "it gets its value only later in the script: swap the two instructions"
}
