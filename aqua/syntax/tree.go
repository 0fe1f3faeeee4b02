package syntax

import (
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
)

// File is a parsed source text.
type File struct {
	Source *diag.Source
	Header []Header
	Defs   []Def
	Script []Stmt // top-level statements, in script mode only
}

// Name is an identifier with its place.
type Name struct {
	Text string
	Span diag.Span
}

// Path is a dotted name: Module.Type.
type Path struct {
	Parts []Name
	Span  diag.Span
}

func (p Path) String() string {
	parts := make([]string, len(p.Parts))
	for i, n := range p.Parts {
		parts[i] = n.Text
	}
	return strings.Join(parts, ".")
}

// Header is a line of the file header:
//
//	*Module *Import *Use *Export
type Header interface{ header() }

// Module is "aqua Name declares a, B" or "aqua Name declares *".
type Module struct {
	Span     diag.Span
	Keyword  Name
	Name     Path
	All      bool
	Declares []Name
}

// Rename is "a" or "a as b"; As equals Name when nothing is renamed.
type Rename struct{ Name, As Name }

// Import is `import "path"` or `import a, b as c from "path"`.
type Import struct {
	Span     diag.Span
	Names    []Rename // nil: all that is declared
	Path     string
	PathSpan diag.Span
}

// Use is `use "path" [as M]` or `use a, b as c from "path" as M`.
type Use struct {
	Span     diag.Span
	Names    []Rename // nil: all that is declared
	Path     string
	PathSpan diag.Span
	As       *Name
}

// Export is "export a, b as c".
type Export struct {
	Span  diag.Span
	Names []Rename
}

func (*Module) header() {}
func (*Import) header() {}
func (*Use) header()    {}
func (*Export) header() {}

// Def is a top-level definition:
//
//	*Const *Alias *Data *Ability *Service *Func
type Def interface{ def() }

// Const is "const NAME = value", or "const NAME ?= value" when Default is set.
type Const struct {
	Name    Name
	Default bool
	Value   Expr
}

// Alias is "alias Name : Type".
type Alias struct {
	Name Name
	Type Type
}

// Data is a data type with its fields.
type Data struct {
	Name   Name
	Fields []Field
}

// Ability is an ability type; its members are fields and arrows.
type Ability struct {
	Name   Name
	Fields []Field
}

// Service is a service with its functions. ID is nil if it has no default id.
type Service struct {
	Name   Name
	ID     Expr
	Fields []Field
}

// Field is a member of a data type, an ability or a service.
type Field struct {
	Name Name
	Type Type
}

// Func is a function definition.
type Func struct {
	Name  Name
	Arrow *ArrowType
	Body  []Stmt
}

func (*Const) def()   {}
func (*Alias) def()   {}
func (*Data) def()    {}
func (*Ability) def() {}
func (*Service) def() {}
func (*Func) def()    {}

// Type is a type as written:
//
//	*NamedType *TopType *BottomType *CollectionType *ArrowType
type Type interface{ At() diag.Span }

// NamedType is a scalar or a (dotted) name of a defined type.
type NamedType struct{ Name Path }

// TopType is ⊤, BottomType is ⊥.
type (
	TopType    struct{ Span diag.Span }
	BottomType struct{ Span diag.Span }
)

// CollectionKind is array, option or stream.
type CollectionKind byte

// The signs that open the three kinds of collections.
const (
	Array  CollectionKind = '['
	Option CollectionKind = '?'
	Stream CollectionKind = '*'
)

// CollectionType is []T, ?T or *T.
type CollectionType struct {
	Span diag.Span
	Kind CollectionKind
	Elem Type
}

// ArrowType is {Ability} Args -> Results. Names of arguments are empty in the
// unlabelled form.
type ArrowType struct {
	Span      diag.Span
	Abilities []Path
	Args      []Param
	Results   []Type
}

// Param is an argument of an arrow.
type Param struct {
	Name Name
	Type Type
}

func (t *NamedType) At() diag.Span      { return t.Name.Span }
func (t *TopType) At() diag.Span        { return t.Span }
func (t *BottomType) At() diag.Span     { return t.Span }
func (t *CollectionType) At() diag.Span { return t.Span }
func (t *ArrowType) At() diag.Span      { return t.Span }

// Stmt is a line of a body, with the block below it if it opens one:
//
//	*Return *SetService *Push *For *On *If *Else *Try *Catch *Otherwise *ParSeq
//	*Par *Co *Join *Declare *Closure *Assign *Call
type Stmt interface{ At() diag.Span }

// ForMode is the mode of a loop.
type ForMode uint8

// The modes of "for x <- xs MODE:".
const (
	ForSeq ForMode = iota
	ForPar
	ForTry
	ForRec
)

type (
	// Return is "<- a, b".
	Return struct {
		Span   diag.Span
		Values []Expr
	}
	// SetService sets the id of a service for the rest of the scope: S "id".
	SetService struct {
		Span    diag.Span
		Service Path
		ID      Expr
	}
	// Push is "stream <<- value".
	Push struct {
		Span   diag.Span
		Stream Name
		Value  Expr
	}
	// For is "for item <- in mode:".
	For struct {
		Span diag.Span
		Item Name
		In   Expr
		Mode ForMode
		Body []Stmt
	}
	// On is "on peer via a via b:".
	On struct {
		Span diag.Span
		Peer Expr
		Via  []Expr
		Body []Stmt
	}
	// If is "if cond:"; its else is a statement of its own.
	If struct {
		Span diag.Span
		Cond Expr
		Body []Stmt
	}
	// Else is "else:".
	Else struct {
		Span diag.Span
		Body []Stmt
	}
	// Try is "try:".
	Try struct {
		Span diag.Span
		Body []Stmt
	}
	// Catch is "catch e:".
	Catch struct {
		Span diag.Span
		Name Name
		Body []Stmt
	}
	// Otherwise is "otherwise:".
	Otherwise struct {
		Span diag.Span
		Body []Stmt
	}
	// ParSeq is "parseq item <- in on peer via a:".
	ParSeq struct {
		Span diag.Span
		Item Name
		In   Expr
		Peer Expr
		Via  []Expr
		Body []Stmt
	}
	// Par runs Stmt in parallel with the statement before it.
	Par struct {
		Span diag.Span
		Stmt Stmt
	}
	// Co starts Stmt and does not wait for it.
	Co struct {
		Span diag.Span
		Stmt Stmt
	}
	// Join waits for values: "join a, b[1]".
	Join struct {
		Span   diag.Span
		Values []Expr
	}
	// Declare declares a stream: "s: *T".
	Declare struct {
		Span diag.Span
		Name Name
		Type Type
	}
	// Closure is "name = [func] (args) -> results:".
	Closure struct {
		Span     diag.Span
		Name     Name
		Detached bool
		Arrow    *ArrowType
		Body     []Stmt
	}
	// Assign is "name = value".
	Assign struct {
		Span  diag.Span
		Name  Name
		Value Expr
	}
	// Call is "a, b <- f(x)" or "f(x)".
	Call struct {
		Span    diag.Span
		Targets []Name
		Value   Expr
	}
)

func (s *Return) At() diag.Span     { return s.Span }
func (s *SetService) At() diag.Span { return s.Span }
func (s *Push) At() diag.Span       { return s.Span }
func (s *For) At() diag.Span        { return s.Span }
func (s *On) At() diag.Span         { return s.Span }
func (s *If) At() diag.Span         { return s.Span }
func (s *Else) At() diag.Span       { return s.Span }
func (s *Try) At() diag.Span        { return s.Span }
func (s *Catch) At() diag.Span      { return s.Span }
func (s *Otherwise) At() diag.Span  { return s.Span }
func (s *ParSeq) At() diag.Span     { return s.Span }
func (s *Par) At() diag.Span        { return s.Span }
func (s *Co) At() diag.Span         { return s.Span }
func (s *Join) At() diag.Span       { return s.Span }
func (s *Declare) At() diag.Span    { return s.Span }
func (s *Closure) At() diag.Span    { return s.Span }
func (s *Assign) At() diag.Span     { return s.Span }
func (s *Call) At() diag.Span       { return s.Span }

// body returns where the block of a statement goes, nil if it has none.
func body(s Stmt) *[]Stmt {
	switch s := s.(type) {
	case *For:
		return &s.Body
	case *On:
		return &s.Body
	case *If:
		return &s.Body
	case *Else:
		return &s.Body
	case *Try:
		return &s.Body
	case *Catch:
		return &s.Body
	case *Otherwise:
		return &s.Body
	case *ParSeq:
		return &s.Body
	case *Closure:
		return &s.Body
	case *Par:
		return body(s.Stmt)
	case *Co:
		return body(s.Stmt)
	}
	return nil
}

// Expr is an expression:
//
//	*Literal *Ident *Select *Index *Apply *Make *Copy *Collection *Binary *Not
type Expr interface{ At() diag.Span }

// LiteralKind is the kind of a literal.
type LiteralKind uint8

// The kinds of literals. Signed integers are those written with a minus.
const (
	Bool LiteralKind = iota
	Unsigned
	Signed
	Float
	String
	InitPeer
)

type (
	// Literal holds its text as written; strings keep their quotes.
	Literal struct {
		Span diag.Span
		Kind LiteralKind
		Text string
	}
	// Ident is a name by itself.
	Ident struct{ Name Name }
	// Select is x.name: a field, a length, a member of a module.
	Select struct {
		Span diag.Span
		X    Expr
		Name Name
	}
	// Index is x[i], x! or x!2. Bang is set for the forms with a mark.
	Index struct {
		Span diag.Span
		X    Expr
		I    Expr
		Bang bool
	}
	// Apply is fn{abilities}(args); Fn is an *Ident or a *Select.
	Apply struct {
		Span      diag.Span
		Fn        Expr
		Abilities []Expr
		Args      []Expr
	}
	// Make is Type(field = value, short).
	Make struct {
		Span   diag.Span
		Type   Path
		Fields []NamedArg
	}
	// Copy is x.copy(field = value).
	Copy struct {
		Span   diag.Span
		X      Expr
		Name   Name
		Fields []NamedArg
	}
	// Collection is [a, b], ?[a] or *[a].
	Collection struct {
		Span  diag.Span
		Kind  CollectionKind
		Items []Expr
	}
	// Binary is left op right.
	Binary struct {
		Span   diag.Span
		Op     string
		OpSpan diag.Span
		L, R   Expr
	}
	// Not is !x.
	Not struct {
		Span diag.Span
		X    Expr
	}
)

// NamedArg is a field of a constructor.
type NamedArg struct {
	Name  Name
	Value Expr
}

func (e *Literal) At() diag.Span    { return e.Span }
func (e *Ident) At() diag.Span      { return e.Name.Span }
func (e *Select) At() diag.Span     { return e.Span }
func (e *Index) At() diag.Span      { return e.Span }
func (e *Apply) At() diag.Span      { return e.Span }
func (e *Make) At() diag.Span       { return e.Span }
func (e *Copy) At() diag.Span       { return e.Span }
func (e *Collection) At() diag.Span { return e.Span }
func (e *Binary) At() diag.Span     { return e.Span }
func (e *Not) At() diag.Span        { return e.Span }

// Defined returns the names that statements and their blocks define, each with its first place:
// also those of loops, of errors and in closures.
func Defined(stmts []Stmt) map[string]diag.Span {
	all := map[string]diag.Span{}
	add := func(n Name) {
		if _, ok := all[n.Text]; !ok {
			all[n.Text] = n.Span
		}
	}
	var walk func([]Stmt)
	walk = func(list []Stmt) {
		for _, s := range list {
			switch s := bare(s).(type) {
			case *For:
				add(s.Item)
			case *ParSeq:
				add(s.Item)
			case *Catch:
				add(s.Name)
			case *Declare:
				add(s.Name)
			case *Closure:
				add(s.Name)
			case *Assign:
				add(s.Name)
			case *Call:
				for _, n := range s.Targets {
					add(n)
				}
			}
			if b := body(s); b != nil {
				walk(*b)
			}
		}
	}
	walk(stmts)
	return all
}

// bare returns a statement without par and co.
func bare(s Stmt) Stmt {
	switch s := s.(type) {
	case *Par:
		return bare(s.Stmt)
	case *Co:
		return bare(s.Stmt)
	}
	return s
}
