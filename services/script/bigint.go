package script

import (
	"fmt"
	"reflect"
	"regexp"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
	"github.com/dop251/goja/unistring"
)

// The operators that make a BigInt of any size from a small one. They cannot be interrupted:
// 1n << 10n ** 13n takes the memory of the process. In files that have BigInts a call stands for
// each of them, of a function in bounds.js that no script can name.
var boundedOperators = map[token.Token]unistring.String{
	token.SHIFT_LEFT: "\x00<<", token.SHIFT_RIGHT: "\x00>>", token.EXPONENT: "\x00**",
}

// mayHaveBigInt matches all texts that can make a BigInt.
var mayHaveBigInt = regexp.MustCompile(`Big(Int|Uint)|[0-9A-Fa-f]n\b`)

// boundOperators puts the calls into the tree of a file.
func boundOperators(tree *ast.Program) error {
	w := walker{seen: map[uintptr]bool{}}
	w.walk(reflect.ValueOf(tree.Body))
	return w.err
}

// A walker visits all nodes of a tree, each once.
type walker struct {
	seen map[uintptr]bool
	err  error
}

func (w *walker) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		w.walk(v.Elem())
		if e, ok := v.Interface().(ast.Expression); ok && v.CanSet() {
			if call := w.replace(e); call != nil {
				v.Set(reflect.ValueOf(call))
			}
		}
	case reflect.Pointer:
		if v.IsNil() || w.seen[v.Pointer()] {
			return
		}
		w.seen[v.Pointer()] = true
		w.walk(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				w.walk(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	}
}

func (w *walker) replace(e ast.Expression) ast.Expression {
	switch e := e.(type) {
	case *ast.BinaryExpression:
		if name := boundedOperators[e.Operator]; name != "" {
			return callOperator(name, e.Left, e.Right)
		}
	case *ast.AssignExpression:
		name := boundedOperators[e.Operator]
		if name == "" {
			return nil
		}
		target, ok := e.Left.(*ast.Identifier)
		if !ok { // evaluating it twice might do something twice
			w.err = fmt.Errorf("x%s= is for variables only in a service with BigInts: write a.b = a.b %s n", name[1:], name[1:])
			return nil
		}
		return &ast.AssignExpression{Operator: token.ASSIGN, Left: target, Right: callOperator(name, &ast.Identifier{Name: target.Name, Idx: target.Idx}, e.Right)}
	}
	return nil
}

func callOperator(name unistring.String, left, right ast.Expression) ast.Expression {
	return &ast.CallExpression{
		Callee: &ast.Identifier{Name: name, Idx: left.Idx0()}, LeftParenthesis: left.Idx0(),
		ArgumentList: []ast.Expression{left, right}, RightParenthesis: right.Idx1(),
	}
}
