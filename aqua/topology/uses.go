package topology

import "github.com/aquanode/aquanode/aqua/step"

// variable is a variable by name.
type variable struct {
	sort step.Sort
	name string
}

// binding is a variable and the node that restricts it, nil if none does.
type binding struct {
	variable
	scope *node
}

// scopes maps variables to the nodes that restrict them.
type scopes map[variable]*node

func (s scopes) binding(sort step.Sort, name string) binding {
	v := variable{sort, name}
	return binding{v, s[v]}
}

// reaches computes, for every node, the last node that reads what is written in it.
func (r *resolver) reaches(root *node) {
	writes := make([]binding, len(r.nodes))
	lastUse := map[binding]int{}
	uses(root, scopes{}, writes, lastUse)
	for i := len(r.nodes) - 1; i >= 0; i-- { // parts have higher numbers than their node
		n := &r.nodes[i]
		n.reach = -1
		if use, ok := lastUse[writes[i]]; ok && writes[i].name != "" {
			n.reach = use
		}
		for _, k := range n.kids {
			n.reach = max(n.reach, k.reach)
		}
		// Nothing waits for a loop whose branches end at their relays.
		if on, ok := n.op.(*step.OnOp); ok && on.ToRelay {
			n.reach = -1
		}
	}
}

// awaited reports whether a node to the right of n reads what n writes.
func (n *node) awaited() bool { return n.reach > n.last }

// uses collects the variable that each node writes, and the last node that reads
// each variable.
func uses(n *node, s scopes, writes []binding, lastUse map[binding]int) {
	if op, ok := n.op.(*step.NewOp); ok {
		v := variable{op.Var.Sort, op.Var.Name}
		outer, had := s[v]
		s[v] = n
		defer func() {
			delete(s, v)
			if had {
				s[v] = outer
			}
		}()
	}
	read := func(list ...step.Operand) {
		for i := range list {
			o := &list[i]
			if !o.IsLiteral() {
				lastUse[s.binding(o.Sort, o.Name)] = n.first
			}
			for _, a := range o.Lens {
				if a.Var != "" {
					lastUse[s.binding(step.Scalar, a.Var)] = n.first
				}
			}
		}
	}
	eachRead(n.op, read)
	if out := written(n.op); out != nil {
		writes[n.first] = s.binding(out.Sort, out.Name)
	}
	for _, k := range n.kids {
		uses(k, s, writes, lastUse)
	}
}

// eachRead calls read with the operands that a step reads.
func eachRead(op step.Op, read func(...step.Operand)) {
	switch op := op.(type) {
	case *step.CallOp:
		read(op.Service, op.Function)
		read(op.Args...)
	case *step.CanonOp:
		read(op.From)
	case *step.ApOp:
		read(op.Arg)
	case *step.ApMapOp:
		read(op.Arg)
	case *step.MatchOp:
		read(op.L, op.R)
	case *step.FoldOp:
		read(op.In)
	case *step.OnOp:
		read(op.Peer)
		read(op.Via...)
	case *step.FailOp:
		read(op.Of)
	}
}

// written returns the variable that a step writes, or nil.
func written(op step.Op) *step.Operand {
	switch op := op.(type) {
	case *step.CallOp:
		return op.Out
	case *step.CanonOp:
		return &op.Out
	case *step.ApOp:
		return &op.Out
	case *step.ApMapOp:
		return &op.Map
	}
	return nil
}
