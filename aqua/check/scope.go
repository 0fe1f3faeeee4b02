package check

import (
	"sort"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// funcScope is a function under check: its blocks, innermost last.
type funcScope struct {
	fn       *ir.Func
	outer    *funcScope // of a closure: the function it stands in
	frames   []*frame
	defined  []string // arguments and names defined in the body
	captured []string // names taken from outer
	noted    map[string]bool
	body     []syntax.Stmt
	locals   map[string]diag.Span // the names that body defines, made when one is missing
	ret      *syntax.Return
	returned []ir.Value       // checked values of ret; nil where a check failed
	loops    int              // around the statement under check
	unused   map[ir.Value]int // streams not named since their declaration, with the loops around it
}

// frame is a block. An on-block is a frame for service ids only: names that are defined in it stay
// visible after it.
type frame struct {
	vars     map[string]ir.Value // nil in an on-block
	spans    map[string]diag.Span
	services map[string]ir.Value
}

func newFuncScope(fn *ir.Func, outer *funcScope) *funcScope {
	s := &funcScope{fn: fn, outer: outer, noted: map[string]bool{}, unused: map[ir.Value]int{}}
	s.push(true)
	return s
}

// push opens a block. With vars set it is a scope of names.
func (s *funcScope) push(vars bool) {
	f := &frame{services: map[string]ir.Value{}}
	if vars {
		f.vars, f.spans = map[string]ir.Value{}, map[string]diag.Span{}
	}
	s.frames = append(s.frames, f)
}

func (s *funcScope) pop() { s.frames = s.frames[:len(s.frames)-1] }

// find looks a name up, from the innermost block out. It records names of an outer function as
// captured.
func (s *funcScope) find(name string) (ir.Value, bool) {
	if v, ok := s.local(name); ok {
		delete(s.unused, v)
		return v, true
	}
	if s.outer == nil {
		return nil, false
	}
	v, ok := s.outer.find(name)
	if ok {
		s.capture(name)
	}
	return v, ok
}

// isUnused reports whether a name is a stream that was declared in the same loop, if any, and was
// not named since: nothing can have written to it.
func (s *funcScope) isUnused(name string) bool {
	if s == nil || len(s.unused) == 0 {
		return false
	}
	v, _ := s.local(name)
	loops, unused := s.unused[v]
	return unused && loops == s.loops
}

// local looks a name up in this function only.
func (s *funcScope) local(name string) (ir.Value, bool) {
	for i := len(s.frames) - 1; i >= 0; i-- {
		if v, ok := s.frames[i].vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *funcScope) capture(name string) {
	if !s.noted[name] {
		s.noted[name] = true
		s.captured = append(s.captured, name)
	}
}

// set adds a name to the innermost block that is a scope of names.
func (s *funcScope) set(n syntax.Name, v ir.Value) {
	for i := len(s.frames) - 1; i >= 0; i-- {
		if f := s.frames[i]; f.vars != nil {
			f.vars[n.Text], f.spans[n.Text] = v, n.Span
			break
		}
	}
	s.note(n.Text)
}

// spanOf returns where a visible name was defined.
func (s *funcScope) spanOf(name string) (diag.Span, bool) {
	for ; s != nil; s = s.outer {
		for _, f := range s.frames {
			if span, ok := f.spans[name]; ok {
				return span, true
			}
		}
	}
	return diag.Span{}, false
}

// note records that the body defines a name.
func (s *funcScope) note(name string) {
	if !s.noted[name] {
		s.noted[name] = true
		s.defined = append(s.defined, name)
	}
}

// serviceID returns the id of a service from the innermost block that sets it.
func (s *funcScope) serviceID(name string) (ir.Value, bool) {
	for i := len(s.frames) - 1; i >= 0; i-- {
		if id, ok := s.frames[i].services[name]; ok {
			return id, true
		}
	}
	if s.outer == nil {
		return nil, false
	}
	id, ok := s.outer.serviceID(name)
	if v, isVar := id.(*ir.Var); ok && isVar {
		s.capture(v.Name)
	}
	return id, ok
}

// builtinNames are the built-in constants.
var builtinNames = []string{
	"nil", "LAST_ERROR", "PARTICLE_TTL", "INIT_PEER_ID", "HOST_PEER_ID", "PARTICLE_TIMESTAMP",
}

// errorType is the type of LAST_ERROR and of what catch binds.
var errorType = types.NewStruct(types.Data, "Error", []types.Field{
	{Name: "message", Type: types.String}, {Name: "error_code", Type: types.I64},
	{Name: "instruction", Type: types.String}, {Name: "peer_id", Type: types.String},
})

// lastError is the value of the error being handled.
var lastError = &ir.Var{Name: ":error:", T: errorType}

// builtin returns a built-in constant.
func (f *fileChecker) builtin(name string) (ir.Value, bool) {
	switch name {
	case "nil":
		return &ir.Lit{Text: "[]", T: types.Option{Elem: types.Bottom{}}}, true
	case "LAST_ERROR":
		return lastError, true
	case "PARTICLE_TTL":
		return &ir.Lit{Text: "%ttl%", T: types.U32}, true
	case "PARTICLE_TIMESTAMP":
		return &ir.Lit{Text: "%timestamp%", T: types.U64}, true
	case "INIT_PEER_ID":
		return &ir.Lit{Text: "%init_peer_id%", T: types.String}, true
	case "HOST_PEER_ID":
		if f.cfg.NoRelay {
			return &ir.Lit{Text: "%init_peer_id%", T: types.String}, true
		}
		return &ir.Var{Name: "-relay-", T: types.String}, true
	}
	return nil, false
}

// lookup resolves a name to a value: a constant, a variable, a function, a service as an ability,
// or a peer of a script.
func (f *fileChecker) lookup(name string) (ir.Value, bool) {
	if v, ok := f.m.known.consts[name]; ok {
		return v, true
	}
	if v, ok := f.builtin(name); ok {
		return v, true
	}
	if f.fn != nil {
		if v, ok := f.fn.find(name); ok {
			return v, true
		}
	}
	if fn, ok := f.m.known.funcs[name]; ok {
		return &ir.FuncRef{Func: fn}, true
	}
	if s, ok := f.m.known.services[name]; ok {
		if id, ok := f.idOf(name, s); ok {
			return &ir.ServiceRef{ID: id, T: s.typ}, true
		}
	}
	if id, ok := f.cfg.Peers[name]; ok && f.m.script {
		return &ir.Lit{Text: `"` + id + `"`, T: types.String}, true
	}
	return nil, false
}

// idOf returns the current id of a service by its name in this file.
func (f *fileChecker) idOf(name string, s *service) (ir.Value, bool) {
	if f.fn != nil {
		if id, ok := f.fn.serviceID(name); ok {
			return id, true
		}
	}
	return s.id, s.id != nil
}

// define defines a name in the current block. A visible name cannot be redefined.
func (f *fileChecker) define(n syntax.Name, t types.Type) bool {
	if f.taken(n.Text) {
		message := "This name was already defined in the scope"
		if types.IsArrow(t) {
			message = "This arrow was already defined in the scope"
		}
		f.again(n, message)
		return false
	}
	f.fn.set(n, &ir.Var{Name: n.Text, T: t})
	return true
}

func (f *fileChecker) taken(name string) bool {
	if _, ok := f.m.known.consts[name]; ok {
		return true
	}
	if _, ok := f.builtin(name); ok {
		return true
	}
	if _, ok := f.m.known.funcs[name]; ok {
		return true
	}
	for s := f.fn; s != nil; s = s.outer {
		for _, fr := range s.frames {
			if _, ok := fr.vars[name]; ok {
				return true
			}
		}
	}
	return false
}

func keys[T any](m map[string]T) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}
