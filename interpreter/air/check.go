package air

import (
	"fmt"
	"hash/maphash"
)

// checker does the checks that a grammar cannot: it is shown every instruction as it
// is completed, branches before the instruction that holds them, and keeps what it
// learned under the names of variables. The work is linear in the length of the script.
type checker struct {
	table []entry // hash table of the names, a power of two long
	names []name
	links []link
	taken []Span // the last result of inside
	stack []int32
	off   bool // the check of what follows next is switched off
	errs  []Diagnostic
}

// entry is a slot of the hash table; id is one more than the index in names, 0 if the
// slot is free. A map of strings took twice the time, a quarter of all of Parse.
type entry struct {
	hash uint32
	id   int32
}

var seed = maphash.MakeSeed()

// name is what is known about the variables of one name. The lists hold the
// instructions for which no enclosing fold with this iterator has been seen yet.
type name struct {
	name    string
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

// id finds the index of a name in names, where it is put if it is new.
func (c *checker) id(s string) int32 {
	if 2*len(c.names) >= len(c.table) {
		c.grow()
	}
	hash := uint32(maphash.String(seed, s))
	for k := hash; ; k++ {
		slot := &c.table[int(k)&(len(c.table)-1)]
		switch {
		case slot.id == 0:
			c.names = append(c.names, name{name: s, defined: undefined})
			*slot = entry{hash, int32(len(c.names))}
			return slot.id - 1
		case slot.hash == hash && c.names[slot.id-1].name == s:
			return slot.id - 1
		}
	}
}

// list is the names in the order of their ids.
func (c *checker) list() []string {
	list := make([]string, len(c.names))
	for i := range c.names {
		list[i] = c.names[i].name
	}
	return list
}

// grow doubles the table.
func (c *checker) grow() {
	old := c.table
	c.table = make([]entry, max(32, 2*len(old)))
	for _, e := range old {
		if e.id == 0 {
			continue
		}
		k := e.hash
		for c.table[int(k)&(len(c.table)-1)].id != 0 {
			k++
		}
		c.table[int(k)&(len(c.table)-1)] = e
	}
}

// add takes in an instruction whose branches have been taken in before.
func (c *checker) add(i Instr) {
	switch i := i.(type) {
	case *Null, *Never:
		c.push(plain)
	case *Call:
		c.call(i)
	case *Canon:
		c.identify(&i.Peer)
		c.define(i.Out, i.Span)
		c.push(plain)
	case *Ap:
		c.use(&i.Arg, i.Span)
		c.define(i.Out, i.Span)
		c.push(plain)
	case *ApMap:
		c.use(&i.Key, i.Span)
		c.identify(&i.Arg)
		c.define(i.Map, i.Span)
		c.push(plain)
	case *Fail:
		c.identify(&i.Of)
		if i.Literal && i.Code == 0 {
			c.report(i.Span, "error code 0 with fail is unsupported", "use another number: 0 means success")
		}
		c.push(plain)
	case *Next:
		c.next(i)
	case *Seq:
		c.sequence(i.Span)
	case *Par:
		c.sequence(i.Span)
	case *Xor:
		c.choice()
	case *Match:
		c.use(&i.Left, i.Span)
		c.use(&i.Right, i.Span)
	case *Mismatch:
		c.use(&i.Left, i.Span)
		c.use(&i.Right, i.Span)
	case *New:
		id := c.define(i.Var, i.Span)
		c.put(&c.names[id].news, i.Span)
	case *Fold:
		c.fold(i)
	}
}

func (c *checker) call(i *Call) {
	c.use(&i.Peer, i.Span)
	c.use(&i.Service, i.Span)
	c.use(&i.Function, i.Span)
	for k := range i.Args {
		c.use(&i.Args[k], i.Span)
	}
	if i.Out != nil {
		c.define(*i.Out, i.Span)
	}
	c.push(plain)
}

func (c *checker) next(i *Next) {
	id := i.Iterator.ID
	n := &c.names[id]
	if n.next == (Span{}) {
		n.next = i.Span
	}
	c.put(&n.nexts, i.Span)
	c.push(id)
}

// use notes the variables of a value and of its lens.
func (c *checker) use(v *Value, at Span) {
	if v.Kind == Variable {
		c.useName(v.Var.ID, at)
	}
	for k := range v.Lens.Path {
		if a := &v.Lens.Path[k]; a.Kind == ByScalar {
			a.ID = c.id(a.Name)
			c.useName(a.ID, at)
		}
	}
}

// identify gives the scalars in the lens of a value their ids, where their use is not checked.
func (c *checker) identify(v *Value) {
	for k := range v.Lens.Path {
		if a := &v.Lens.Path[k]; a.Kind == ByScalar {
			a.ID = c.id(a.Name)
		}
	}
}

// useName looks for a definition in an instruction that starts before the one at a
// span. The instructions around it are still to come, so a missing one is looked for
// again in the end; like AquaVM, only once per name: (fold i i (ap i x)) passes because
// its first use of i does.
func (c *checker) useName(id int32, at Span) {
	n := &c.names[id]
	if n.defined >= at.Start && n.pending == (Span{}) {
		n.pending = at
	}
}

func (c *checker) define(v Var, at Span) int32 {
	id := v.ID
	c.names[id].defined = min(c.names[id].defined, at.Start)
	return id
}

// fold settles the instructions inside that need to know about it.
func (c *checker) fold(i *Fold) {
	c.use(&i.Iterable, i.Span)
	id := c.define(i.Iterator, i.Span)
	n := &c.names[id]
	nexts := c.inside(&n.nexts, i.Span)
	for _, at := range nexts[:max(len(nexts)-1, 0)] {
		c.report(at, fmt.Sprintf("multiple next instructions for iterator '%s' found for one fold, that is prohibited", n.name),
			"a fold goes on with (next) in one place of its body")
	}
	for _, at := range c.inside(&n.news, i.Span) {
		c.report(at, fmt.Sprintf("new can't be applied to a '%s' because it's an iterator", n.name), "rename one of the two variables")
	}
	for _, at := range c.inside(&n.folds, i.Span) {
		c.report(at, fmt.Sprintf("multiple iterable values found for iterator name '%s'", n.name), "give the inner fold another iterator name")
	}
	c.put(&n.folds, i.Span)
	c.foldEnd(i, id)
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
		if n := &c.names[left]; n.suspect == (Span{}) {
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

func (c *checker) foldEnd(i *Fold, id int32) {
	if i.Last != nil {
		c.pop()
	}
	body := c.pop()
	if i.Iterable.Kind != Variable || i.Iterable.Var.Kind != Stream && i.Iterable.Var.Kind != StreamMap {
		c.push(plain)
		return
	}
	n := &c.names[id]
	if n.suspect != (Span{}) && !c.off {
		c.report(n.suspect, "fold can not have instructions after next",
			"move (next) to the end of the body: folds over streams may still grow when it runs")
	}
	if body == id {
		n.suspect = Span{}
		body = plain
	}
	c.push(body)
}

func (c *checker) report(at Span, label, hint string) {
	c.errs = append(c.errs, Diagnostic{Span: at, Label: label, Hint: hint})
}

// finish returns everything found.
func (c *checker) finish() []Diagnostic {
	for k := range c.names {
		n := &c.names[k]
		if n.pending != (Span{}) && n.defined >= n.pending.Start {
			c.report(n.pending, fmt.Sprintf("variable '%s' wasn't defined", n.name), definitionHint(n))
		}
		if c.oldest(n.nexts) == n.next && n.nexts != 0 { // likewise only the first
			c.report(n.next, fmt.Sprintf("iterable '%s' wasn't defined", n.name), "(next) names the iterator of a fold around it")
		}
	}
	return c.errs
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
