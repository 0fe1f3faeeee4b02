package air

// Span is a half-open range of byte offsets in the script text.
type Span struct{ Start, End int32 }

// Instr is an AIR instruction. The implementations are
//
//	*Null *Never                 leaves without effect on data
//	*Call *Canon *Ap *ApMap      leaves with a state in the trace
//	*Fail *Next                  leaves that steer
//	*Seq *Par *Xor               two branches
//	*Match *Mismatch *New *Fold  one body
type Instr interface {
	// At is the span of the whole instruction, from its "(" to after its ")".
	At() Span
	instr()
}

// At makes every instruction that embeds a Span report it.
func (s Span) At() Span { return s }

// Null does nothing: (null).
type Null struct{ Span }

// Never makes the current branch incomplete: (never).
type Never struct{ Span }

// Seq runs Left and, when it is complete, Right: (seq left right).
type Seq struct {
	Span
	Left, Right Instr
}

// Par runs both branches; one success is enough: (par left right).
type Par struct {
	Span
	Left, Right Instr
}

// Xor runs Right when Left ends with a catchable error: (xor left right).
type Xor struct {
	Span
	Left, Right Instr
}

// Call asks for a function of a service on a peer:
//
//	(call peer (service function) [args...] out)
//
// Out is a scalar or a stream, or nil when the result is not used.
type Call struct {
	Span
	Peer, Service, Function Value
	Args                    []Value
	Out                     *Var
}

// Canon freezes a stream or a stream map into a value of the peer it runs on:
//
//	(canon peer $stream #canon)   (canon peer %map #%canon)   (canon peer %map scalar)
type Canon struct {
	Span
	Peer Value
	From Var
	Out  Var
}

// Ap copies a value into a scalar or appends it to a stream: (ap arg out).
type Ap struct {
	Span
	Arg Value
	Out Var
}

// ApMap appends a pair to a stream map: (ap (key value) %map).
type ApMap struct {
	Span
	Key, Arg Value
	Map      Var
}

// Match runs Body when both operands are equal: (match left right body).
type Match struct {
	Span
	Left, Right Value
	Body        Instr
}

// Mismatch runs Body when the operands differ: (mismatch left right body).
type Mismatch struct {
	Span
	Left, Right Value
	Body        Instr
}

// Fold walks over a value, a canon, a stream or a stream map:
//
//	(fold iterable iterator body [last])
//
// Last, which may be nil, runs once after the last element.
type Fold struct {
	Span
	Iterable Value
	Iterator Var
	Body     Instr
	Last     Instr
}

// Next goes on with the next element of the fold that owns Iterator: (next iterator).
type Next struct {
	Span
	Iterator Var
}

// New gives Var a fresh meaning inside Body: (new var body).
type New struct {
	Span
	Var  Var
	Body Instr
}

// Fail raises a catchable error. Either Of is set (a variable with or without
// lens, %last_error% or :error:), or Literal is true and Code and Message are the error.
type Fail struct {
	Span
	Literal bool
	Code    int64
	Message string
	Of      Value
}

func (*Null) instr()     {}
func (*Never) instr()    {}
func (*Seq) instr()      {}
func (*Par) instr()      {}
func (*Xor) instr()      {}
func (*Call) instr()     {}
func (*Canon) instr()    {}
func (*Ap) instr()       {}
func (*ApMap) instr()    {}
func (*Match) instr()    {}
func (*Mismatch) instr() {}
func (*Fold) instr()     {}
func (*Next) instr()     {}
func (*New) instr()      {}
func (*Fail) instr()     {}

// VarKind tells the five sorts of variables apart; the sign is part of the name.
type VarKind uint8

const (
	Scalar      VarKind = iota // x; iterators too
	Stream                     // $s
	StreamMap                  // %m
	CanonStream                // #c or #$c
	CanonMap                   // #%m
)

// Var is one mention of a variable. Name includes its sign ("$s"), Pos is
// where the mention starts in the text (streams are chosen by position). Mentions of one name
// in a parsed script have the same ID, an index in Script.Names.
type Var struct {
	Name string
	Kind VarKind
	Pos  int32
	ID   int32
}

// ValueKind tells the forms of a value apart.
type ValueKind uint8

const (
	String     ValueKind = iota // "text": Text
	Int                         // 42: Int
	Float                       // 4.2: Float
	Bool                        // true: Bool
	EmptyArray                  // []
	InitPeerID                  // %init_peer_id%
	Timestamp                   // %timestamp%
	TTL                         // %ttl%
	LastError                   // %last_error% with an optional lens
	Error                       // :error: with an optional lens
	Variable                    // Var with an optional lens
)

// Value is an operand of an instruction.
type Value struct {
	Kind  ValueKind
	Bool  bool
	Text  string
	Int   int64
	Float float64
	Var   Var
	Lens  Lens
}

// Lens selects a part of a value: ".length", or a path ".$.a.[0].[i]".
// The zero Lens selects the value itself.
type Lens struct {
	Length bool
	Path   []Accessor
}

// IsZero reports whether the lens selects the whole value.
func (l Lens) IsZero() bool { return !l.Length && len(l.Path) == 0 }

// AccessorKind tells the three kinds of steps of a path apart.
type AccessorKind uint8

const (
	ByIndex  AccessorKind = iota // [7]: Index
	ByField                      // .name: Name
	ByScalar                     // [name]: the value of scalar Name is the index or the field
)

// Accessor is one step of a path.
type Accessor struct {
	Kind  AccessorKind
	Index uint32
	Name  string
	ID    int32 // of the scalar, see Var
}
