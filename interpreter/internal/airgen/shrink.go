package airgen

import (
	"context"
	"slices"

	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/simulate"
)

// Shrink makes a failing case smaller as long as it still fails in the same way: it leaves out
// events and their parts, and instructions. tries bounds how often the case is run.
func (e Engines) Shrink(ctx context.Context, c *Case, tries int) *Case {
	s := &shrinker{ctx: ctx, engines: e, best: c, tries: tries}
	if f, err := e.Replay(ctx, c); err == nil && f != nil {
		s.kind = f.kind()
	}
	for before := -1; before != s.size(); {
		before = s.size()
		s.events()
		s.instructions()
	}
	return s.best
}

type shrinker struct {
	ctx     context.Context
	engines Engines
	best    *Case
	kind    string // of the failure
	tries   int
}

// size falls with everything that makes a case smaller.
func (s *shrinker) size() int {
	n := len(s.best.Script)
	for _, ev := range s.best.Events {
		n += 1 + len(ev.Arrivals) + len(ev.Results)
	}
	return n
}

// try takes a case if it fails too. What follows the failure is left out.
func (s *shrinker) try(c Case) bool {
	if s.tries <= 0 || s.ctx.Err() != nil {
		return false
	}
	s.tries--
	if _, err := air.Parse(c.Script); err != nil {
		return false
	}
	f, err := s.engines.Replay(s.ctx, &c)
	if err != nil || f == nil || f.kind() != s.kind {
		return false
	}
	end := slices.IndexFunc(c.Events, func(ev Event) bool { return ev.ID == f.Event.ID })
	c.Events = slices.Clone(c.Events[:end+1])
	c.Events[end].Peek = true // nobody reads its data any more
	s.best = &c
	return true
}

// events leaves out runs of events, the longest first, and then arrivals and results.
func (s *shrinker) events() {
	for n := len(s.best.Events) / 2; n > 0; n /= 2 {
		for from := 0; from+n < len(s.best.Events); {
			c := *s.best
			c.Events = slices.Delete(slices.Clone(c.Events), from, from+n)
			if !s.try(c) {
				from += n
			}
		}
	}
	for k := 0; k < len(s.best.Events); k++ {
		s.parts(k)
	}
}

// parts makes event k smaller.
func (s *shrinker) parts(k int) {
	change := func(with func(ev *Event)) bool {
		c := *s.best
		c.Events = slices.Clone(c.Events)
		with(&c.Events[k])
		return s.try(c)
	}
	for n := len(s.best.Events[k].Arrivals) - 1; n >= 0 && k < len(s.best.Events); n-- {
		change(func(ev *Event) { ev.Arrivals = slices.Delete(slices.Clone(ev.Arrivals), n, n+1) })
	}
	if k >= len(s.best.Events) {
		return
	}
	for id := range s.best.Events[k].Results {
		change(func(ev *Event) {
			results := map[string]simulate.Result{}
			for other, r := range ev.Results {
				if other != id {
					results[other] = r
				}
			}
			ev.Results = results
		})
		if k >= len(s.best.Events) {
			return
		}
	}
}

// instructions puts branches in the place of what holds them, null in the place of anything,
// and leaves out arguments.
func (s *shrinker) instructions() {
	for k := 0; ; {
		script, err := air.Parse(s.best.Script)
		if err != nil {
			return
		}
		smaller := variants(script.Tree(), k)
		if smaller == nil {
			return
		}
		took := false
		for _, root := range smaller {
			c := *s.best
			c.Script = air.Format(root)
			if took = len(c.Script) < len(s.best.Script) && s.try(c); took {
				break
			}
		}
		if !took {
			k++
		}
	}
}

// variants are the trees that have something smaller in the place of their k-th instruction, or
// nil if there is no such instruction.
func variants(root air.Instr, k int) []air.Instr {
	at := nth(root, &k)
	if at == nil {
		return nil
	}
	list := []air.Instr{}
	for _, with := range smaller(at) {
		list = append(list, replace(root, at, with))
	}
	return list
}

// nth finds an instruction by its number in the order of the text; k is what is left of the number.
func nth(i air.Instr, k *int) air.Instr {
	if i == nil {
		return nil
	}
	if *k == 0 {
		return i
	}
	*k--
	left, right := branches(i)
	if found := nth(left, k); found != nil {
		return found
	}
	return nth(right, k)
}

func branches(i air.Instr) (left, right air.Instr) {
	switch i := i.(type) {
	case *air.Seq:
		return i.Left, i.Right
	case *air.Par:
		return i.Left, i.Right
	case *air.Xor:
		return i.Left, i.Right
	case *air.Match:
		return i.Body, nil
	case *air.Mismatch:
		return i.Body, nil
	case *air.New:
		return i.Body, nil
	case *air.Fold:
		return i.Body, i.Last
	}
	return nil, nil
}

// smaller are things to put in the place of an instruction.
func smaller(i air.Instr) []air.Instr {
	var list []air.Instr
	if left, right := branches(i); left != nil {
		list = append(list, left)
		if right != nil {
			list = append(list, right)
		}
	}
	list = append(list, &air.Null{})
	switch i := i.(type) {
	case *air.Fold:
		if i.Last != nil {
			f := *i
			f.Last = nil
			list = append(list, &f)
		}
	case *air.Call:
		for k := range i.Args {
			c := *i
			c.Args = slices.Delete(slices.Clone(i.Args), k, k+1)
			list = append(list, &c)
		}
		if i.Out != nil {
			c := *i
			c.Out = nil
			list = append(list, &c)
		}
	}
	return list
}

// replace copies the way from root to an instruction and puts another in its place.
func replace(root, at, with air.Instr) air.Instr {
	if root == at {
		return with
	}
	left, right := branches(root)
	if left == nil {
		return root
	}
	left = replace(left, at, with)
	if right != nil {
		right = replace(right, at, with)
	}
	switch i := root.(type) {
	case *air.Seq:
		return &air.Seq{Left: left, Right: right}
	case *air.Par:
		return &air.Par{Left: left, Right: right}
	case *air.Xor:
		return &air.Xor{Left: left, Right: right}
	case *air.Match:
		return &air.Match{Left: i.Left, Right: i.Right, Body: left}
	case *air.Mismatch:
		return &air.Mismatch{Left: i.Left, Right: i.Right, Body: left}
	case *air.New:
		return &air.New{Var: i.Var, Body: left}
	case *air.Fold:
		return &air.Fold{Iterable: i.Iterable, Iterator: i.Iterator, Body: left, Last: right}
	}
	return root
}
