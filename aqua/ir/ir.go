// Package ir is the checked form of Aqua programs: names are resolved, values have types, services
// have ids. Package check makes it, package inline consumes it.
//
// Names in a function are those of the source. The language forbids shadowing, so a visible name
// has one meaning. Package inline gives each copy of a function fresh names.
package ir

import (
	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/types"
)

// Func is a function or the body of a closure.
type Func struct {
	Name    string
	Type    *types.Arrow // arguments, abilities first, with their names
	Body    Op
	Returns []Value

	// Names are the arguments and the names that the body defines, then those that a closure captures.
	// Package inline renames them in each copy.
	Names []string
}

// Op is a step of a body:
//
//	*Seq *Par *Co *On *If *Try *For *Declare *Assign *Invoke *Push *Join *Closure
type Op interface{ op() }

type (
	// Seq runs its steps one after the other.
	Seq struct{ Steps []Op }
	// Par runs Right in parallel with Left.
	Par struct{ Left, Right Op }
	// Co starts Body and does not wait for it.
	Co struct{ Body Op }
	// On runs Body on Peer, reached by way of Via.
	On struct {
		Peer Value
		Via  []Value
		Body Op
	}
	// If runs Then or Else, which may be nil.
	If struct {
		Cond       Value
		Then, Else Op
	}
	// Try runs Handler, if it has one, when Body fails.
	Try struct{ Body, Handler Op }
	// For runs Body for the items of In. Place is set for parseq.
	For struct {
		Item  string
		In    Value
		Mode  Mode
		Place *On // peer and relays of a parseq; its Body is unused
		Body  Op
	}
	// Declare declares a stream.
	Declare struct {
		Name string
		Type types.Stream
	}
	// Assign names a value.
	Assign struct {
		Name  string
		Value Value
	}
	// Invoke calls a function for its effects and results.
	Invoke struct {
		Call    *Call
		Targets []Target
	}
	// Push appends a value to a stream.
	Push struct {
		Stream string
		Value  Value
	}
	// Join waits for values.
	Join struct{ Values []Value }
	// Closure names a function that is made in place. A detached one runs where it is called, others
	// where they were made.
	Closure struct {
		Name     string
		Func     *Func
		Detached bool
	}
)

// Target is the target of a result of a call: a new name, or a stream in scope.
type Target struct {
	Name string
	Push bool
}

// Mode is the mode of a loop.
type Mode uint8

// The modes of loops.
const (
	InSeq Mode = iota
	InPar
	UntilSuccess
	Recursive
	ParSeq
)

func (*Seq) op()     {}
func (*Par) op()     {}
func (*Co) op()      {}
func (*On) op()      {}
func (*If) op()      {}
func (*Try) op()     {}
func (*For) op()     {}
func (*Declare) op() {}
func (*Assign) op()  {}
func (*Invoke) op()  {}
func (*Push) op()    {}
func (*Join) op()    {}
func (*Closure) op() {}

// Value is an expression:
//
//	data     *Lit *Var *Field *Index *Length *Copy *Collection *Make *Binary *Not *Call *Canon
//	arrows   *FuncRef *ServiceFn (and *Var, *Field)
//	ability  *ServiceRef (and *Var, *Field, *Make)
type Value interface{ Type() types.Type }

type (
	// Lit is a literal, as AIR prints it.
	Lit struct {
		Text string
		T    types.Type
		Span diag.Span
	}
	// Var is a name in scope.
	Var struct {
		Name string
		T    types.Type
	}
	// Field is X.Name.
	Field struct {
		X    Value
		Name string
		T    types.Type
	}
	// Index is X[I]. On a stream it waits for the element.
	Index struct {
		X, I Value
		T    types.Type
	}
	// Length is X.length.
	Length struct{ X Value }
	// Copy is X.copy(fields).
	Copy struct {
		X      Value
		Fields []Named
		T      *types.Struct
	}
	// Collection is [a], ?[a] or *[a], depending on T.
	Collection struct {
		Items []Value
		T     types.Type
		Name  string // of the stream with the items, for *[a]
	}
	// Make is a data value or an ability.
	Make struct {
		Fields []Named
		T      *types.Struct
	}
	// Binary is a logical operation, a comparison or arithmetic; Op is the sign.
	Binary struct {
		Op   string
		L, R Value
		T    types.Type
	}
	// Not is !X.
	Not struct{ X Value }
	// Call is Fn(args); its value is the first result.
	Call struct {
		Fn   Value
		Args []Value
		T    *types.Arrow
	}
	// Canon canonicalizes a stream that is returned as an array or an option.
	Canon struct {
		X    Value
		Name string // stem of the names of the canonicalized stream
		N    int    // number in these names
		T    types.Type
	}
	// FuncRef is a function by name.
	FuncRef struct{ Func *Func }
	// ServiceFn is a function of a service.
	ServiceFn struct {
		Service string // name of the service in the program
		ID      Value
		Fn      string
		T       *types.Arrow
	}
	// ServiceRef is a service as an ability.
	ServiceRef struct {
		ID Value
		T  *types.Struct
	}
)

// Named is a field of a constructor.
type Named struct {
	Name  string
	Value Value
}

func (v *Lit) Type() types.Type        { return v.T }
func (v *Var) Type() types.Type        { return v.T }
func (v *Field) Type() types.Type      { return v.T }
func (v *Index) Type() types.Type      { return v.T }
func (v *Length) Type() types.Type     { return types.U32 }
func (v *Copy) Type() types.Type       { return v.T }
func (v *Collection) Type() types.Type { return v.T }
func (v *Make) Type() types.Type       { return v.T }
func (v *Binary) Type() types.Type     { return v.T }
func (v *Not) Type() types.Type        { return types.Bool }
func (v *Canon) Type() types.Type      { return v.T }
func (v *FuncRef) Type() types.Type    { return v.Func.Type }
func (v *ServiceFn) Type() types.Type  { return v.T }
func (v *ServiceRef) Type() types.Type { return v.T }

// Type returns the type of the first result, or that of the arrow if it has none.
func (v *Call) Type() types.Type {
	if len(v.T.Results) == 0 {
		return v.T
	}
	return v.T.Results[0]
}

// Service is a service definition.
type Service struct {
	Name string
	ID   string // text of the default id, "" if there is none
	Type *types.Struct
}
