package inline

import (
	"math/big"
	"strconv"

	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/step"
	"github.com/aquanode/aquanode/aqua/types"
)

func number(n int64) *ir.Lit {
	return &ir.Lit{Text: strconv.FormatInt(n, 10), T: types.SignedLit}
}

// integer parses an integer literal of 64 bits.
func integer(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// simplify gathers the integer literals of a chain of sums and differences into
// one: a + 1 + 2 is a + 3, n - 1 + 1 is n.
func simplify(v *ir.Binary) ir.Value {
	if v.Op != "+" && v.Op != "-" {
		return v
	}
	base, sum := gather(v)
	return rebuild(base, sum, v.T)
}

// rebuild returns base + sum, in the shortest form.
func rebuild(base ir.Value, sum int64, t types.Type) ir.Value {
	switch {
	case base == nil:
		return number(sum)
	case sum == 0:
		return base
	case sum < 0 && sum != -sum:
		return &ir.Binary{Op: "-", L: base, R: number(-sum), T: t}
	}
	return &ir.Binary{Op: "+", L: base, R: number(sum), T: t}
}

// gather splits a value into an unknown part and a sum of literals. It splits a
// difference only if its right side is a literal.
func gather(v ir.Value) (base ir.Value, sum int64) {
	switch v := v.(type) {
	case *ir.Lit:
		if n, ok := integer(v.Text); ok {
			return nil, n
		}
	case *ir.Binary:
		switch v.Op {
		case "+":
			lb, ls := gather(v.L)
			rb, rs := gather(v.R)
			return join(lb, rb, v.T), ls + rs
		case "-":
			lb, ls := gather(v.L)
			rb, rs := gather(v.R)
			if _, written := v.R.(*ir.Lit); written && rb == nil {
				return lb, ls - rs
			}
			left, right := rebuild(lb, ls, v.L.Type()), rebuild(rb, rs, v.R.Type())
			return &ir.Binary{Op: "-", L: left, R: right, T: v.T}, 0
		}
	}
	return v, 0
}

func join(a, b ir.Value, t types.Type) ir.Value {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &ir.Binary{Op: "+", L: a, R: b, T: t}
}

// operations are the service functions of operators. The result is named after the
// function.
var operations = map[string]struct{ service, name string }{
	"+": {"math", "add"}, "-": {"math", "sub"}, "*": {"math", "mul"}, "/": {"math", "div"},
	"%": {"math", "rem"}, "**": {"math", "pow"}, "fmul": {"math", "fmul"},
	"<": {"cmp", "lt"}, "<=": {"cmp", "lte"}, ">": {"cmp", "gt"}, ">=": {"cmp", "gte"},
}

func (in *inliner) binary(v ir.Value, e *env, flat bool) (binding, code) {
	b, ok := v.(*ir.Binary)
	if !ok { // simplified away
		return in.value(v, e, flat)
	}
	switch b.Op {
	case "&&":
		return in.logical(b, e, flat, "and", "false")
	case "||":
		return in.logical(b, e, flat, "or", "true")
	case "==", "!=":
		return in.equality(b, e, flat)
	}
	operand := in.data
	if b.Op == "+" || b.Op == "-" {
		operand = in.term
	}
	l, lc := operand(b.L, e, flat)
	r, rc := operand(b.R, e, flat)
	c := append(lc, rc...)
	if text, ok := fold(b.Op, l, r); ok {
		return binding{Operand: step.Lit(text)}, c
	}
	o := operations[b.Op]
	out := step.Var(in.fresh(o.name))
	return binding{Operand: out}, append(c, call(o.service, o.name, &out, l, r))
}

// term is an operand of a sum or a difference, which was simplified as a whole.
func (in *inliner) term(v ir.Value, e *env, flat bool) (step.Operand, code) {
	if b, ok := v.(*ir.Binary); ok && (b.Op == "+" || b.Op == "-") {
		in.step()
		r, c := in.binary(b, e, flat)
		return r.Operand, c
	}
	return in.data(v, e, flat)
}

// logical evaluates the right side only if the left does not decide:
//
//	(xor (match left false (ap left and)) (seq right.. (ap right and)))
func (in *inliner) logical(b *ir.Binary, e *env, flat bool, name, decides string) (binding, code) {
	l, lc := in.data(b.L, e, flat)
	r, rc := in.data(b.R, e, flat)
	if l.IsLiteral() {
		if l.Name == decides {
			return binding{Operand: l}, lc
		}
		return binding{Operand: r}, append(lc, rc...)
	}
	if r.IsLiteral() && len(rc) == 0 {
		if r.Name == decides {
			return binding{Operand: r}, lc
		}
		return binding{Operand: l}, lc
	}
	out := step.Var(in.fresh(name))
	short := step.Match(l, step.Lit(decides), step.Ap(l, out))
	full := step.Seq(append(rc, step.Ap(r, out))...)
	return binding{Operand: out}, append(lc, step.Xor(short, full))
}

func (in *inliner) equality(b *ir.Binary, e *env, flat bool) (binding, code) {
	l, lc := in.data(b.L, e, flat)
	r, rc := in.data(b.R, e, flat)
	c := append(lc, rc...)
	differ := b.Op == "!="
	if l.IsLiteral() && r.IsLiteral() {
		return binding{Operand: step.Lit(strconv.FormatBool((l.Name == r.Name) != differ))}, c
	}
	name := "eq"
	if differ {
		name = "neq"
	}
	out := step.Var(in.fresh(name))
	test := step.Compare(l, r, differ, truth("true", out))
	return binding{Operand: out}, append(c, step.Xor(test, truth("false", out)))
}

func truth(text string, out step.Operand) *step.Node {
	return step.Ap(step.Lit(text), out)
}

func (in *inliner) not(v *ir.Not, e *env) (binding, code) {
	x, c := in.data(v.X, e, false)
	if x.IsLiteral() {
		return binding{Operand: step.Lit(strconv.FormatBool(x.Name == "false"))}, c
	}
	out := step.Var(in.fresh("not"))
	test := step.Match(x, step.Lit("true"), truth("false", out))
	return binding{Operand: out}, append(c, step.Xor(test, truth("true", out)))
}

// fold computes an operation on integer literals, which wrap around at 64 bits. A
// division by zero stays in the program and fails when it runs.
func fold(op string, l, r step.Operand) (string, bool) {
	if !l.IsLiteral() || !r.IsLiteral() {
		return "", false
	}
	a, aok := integer(l.Name)
	b, bok := integer(r.Name)
	if !aok || !bok {
		return "", false
	}
	switch op {
	case "<":
		return strconv.FormatBool(a < b), true
	case "<=":
		return strconv.FormatBool(a <= b), true
	case ">":
		return strconv.FormatBool(a > b), true
	case ">=":
		return strconv.FormatBool(a >= b), true
	}
	n, ok := compute(op, a, b)
	return strconv.FormatInt(n, 10), ok
}

func compute(op string, a, b int64) (int64, bool) {
	switch op {
	case "+":
		return a + b, true
	case "-":
		return a - b, true
	case "*":
		return a * b, true
	case "/":
		if b != 0 {
			return a / b, true
		}
	case "%":
		if b != 0 {
			return a % b, true
		}
	case "**":
		if b >= 0 {
			return power(a, b), true
		}
	}
	return 0, false
}

// power is a to the power of n in 64 bits.
func power(a, n int64) int64 {
	mod := new(big.Int).Lsh(big.NewInt(1), 64)
	p := new(big.Int).Exp(big.NewInt(a), big.NewInt(n), mod)
	return int64(p.Uint64())
}
