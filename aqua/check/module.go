// Package check turns parsed files into checked programs: it loads imports, resolves names,
// computes types and reports errors. Messages that the published compiler has too keep its words;
// the hints below them are ours.
//
// Files are checked in the order of their imports, each once. After a syntax or header error the
// rest of the file is not checked; errors in bodies are all collected. A name whose definition
// failed has a type that fits everywhere, so that one mistake has one message.
package check

import (
	"path"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/aqua/ir"
	"github.com/aquanode/aquanode/aqua/syntax"
	"github.com/aquanode/aquanode/aqua/types"
)

// Config configures the check of a program.
type Config struct {
	// Load finds the file of an import. from is the importing file. If there is none, tried has the
	// paths that it tried.
	Load func(from *diag.Source, path string) (src *diag.Source, tried []string)

	NoRelay   bool              // HOST_PEER_ID is the initiator
	Constants []string          // "NAME = literal"
	Script    bool              // the entry may be a script
	Peers     map[string]string // scripts: names that stand for peer ids
	Services  []KnownService    // scripts: services whose functions need no declaration
}

// KnownService is a service that a script may call without declaring it.
type KnownService struct {
	ID        string
	Functions []string
}

// Program has the exports of a checked entry file.
type Program struct {
	Functions []Function
	Services  []ir.Service
	Main      *ir.Func // the top-level statements of a script, or nil
}

// Function is an exported function under its exported name.
type Function struct {
	Name  string
	Func  *ir.Func
	Place diag.Place // of its definition
}

// Main is the name of the function with the top-level statements of a script.
const Main = "main"

// Check loads and checks an entry file and all it imports.
func Check(entry *diag.Source, cfg Config) (*Program, diag.List) {
	c := &checker{cfg: cfg, files: map[string]*module{}}
	c.constants()
	m := c.module(entry, cfg.Script)
	if len(c.diags.Errors()) > 0 || m == nil {
		return nil, c.diags
	}
	return c.program(m), c.diags
}

// checker is the state that all files share.
type checker struct {
	cfg     Config
	files   map[string]*module
	loading []string // files from the entry to the current one
	given   map[string]ir.Value
	diags   diag.List
}

// names are the definitions that a file knows or declares.
type names struct {
	consts   map[string]ir.Value
	types    map[string]types.Type
	services map[string]*service
	funcs    map[string]*ir.Func
	modules  map[string]*names
	places   map[string]diag.Place
	exports  []syntax.Rename // in order; a name is exported once, the last export of it counts
	exported map[string]int  // index in exports by name
	merged   bool            // made of several modules by this file
}

func newNames() *names {
	return &names{
		consts: map[string]ir.Value{}, types: map[string]types.Type{},
		services: map[string]*service{}, funcs: map[string]*ir.Func{}, modules: map[string]*names{},
		places: map[string]diag.Place{}, exported: map[string]int{},
	}
}

// service is a declared service.
type service struct {
	typ *types.Struct
	id  ir.Value // default id or nil
}

// has reports whether a part has the name. Used modules are not parts: importers do not see them.
func (n *names) has(name string) bool {
	_, a := n.consts[name]
	_, b := n.types[name]
	_, c := n.funcs[name]
	return a || b || c
}

// take copies the part called name from o, under another name.
func (n *names) take(o *names, name, as string) {
	if v, ok := o.consts[name]; ok {
		n.consts[as] = v
	}
	if f, ok := o.funcs[name]; ok {
		n.funcs[as] = f
	}
	if t, ok := o.types[name]; ok {
		n.types[as] = t
	}
	if s, ok := o.services[name]; ok {
		n.services[as] = s
	}
	if p, ok := o.places[name]; ok {
		n.places[as] = p
	}
}

// all returns the names of the parts.
func (n *names) all() (list []string) {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	for k := range n.consts {
		add(k)
	}
	for k := range n.types {
		add(k)
	}
	for k := range n.funcs {
		add(k)
	}
	return list
}

// module is a checked file.
type module struct {
	name     string // from its header
	known    *names // its definitions and imports
	declared *names // those that importers see
	declares []string
	passed   []string // names imported without renaming, which importers see too
	failed   bool
	main     *ir.Func
	start    diag.Place // of main
	script   bool       // the names of Config.Peers and Config.Services are known
	headless bool       // a script without a header
}

// module loads and checks one file.
func (c *checker) module(src *diag.Source, script bool) *module {
	if m, ok := c.files[src.Name]; ok {
		return m
	}
	m := &module{known: newNames(), declared: newNames()}
	c.loading = append(c.loading, src.Name)
	defer func() { c.loading = c.loading[:len(c.loading)-1] }()
	file, diags := syntax.Parse(src, script)
	c.diags = append(c.diags, diags...)
	m.failed = len(diags) > 0
	if !m.failed {
		f := &fileChecker{checker: c, m: m, src: src, file: file, counters: map[string]int{}}
		f.run(script)
	}
	c.files[src.Name] = m
	return m
}

// constants parses the constants given to the compiler.
func (c *checker) constants() {
	c.given = map[string]ir.Value{}
	for _, text := range c.cfg.Constants {
		file, diags := syntax.Parse(diag.NewSource("constant", "const "+strings.TrimSpace(text)), false)
		if len(diags) == 0 && len(file.Defs) == 1 {
			if def, ok := file.Defs[0].(*syntax.Const); ok {
				if lit, ok := def.Value.(*syntax.Literal); ok {
					c.given[def.Name.Text] = literal(lit)
					continue
				}
			}
		}
		c.diags = append(c.diags, diag.Diagnostic{
			Kind: diag.Other, Message: []string{"Invalid constant definition '" + text + "'."},
			Hint: "write NAME = literal, with blanks around the sign",
		})
	}
}

// fileChecker checks one file.
type fileChecker struct {
	*checker
	m        *module
	src      *diag.Source
	file     *syntax.File
	counters map[string]int // of generated names
	fn       *funcScope     // innermost function being checked
	main     *ir.Func       // the top-level statements of a script
	inPlace  bool           // a peer or a relay is being checked
	compared int            // names compared with missing ones
	later    map[string]diag.Span
	fitting  map[[2]types.Type]bool
}

func (f *fileChecker) report(kind diag.Kind, span diag.Span, message, hint string) {
	d := diag.New(kind, f.src, span, message)
	d.Hint = hint
	f.add(d)
}

func (f *fileChecker) add(d diag.Diagnostic) {
	f.diags = append(f.diags, d)
	if d.Kind != diag.Warning {
		f.m.failed = true
	}
}

func (f *fileChecker) err(span diag.Span, message string) {
	f.report(diag.Error, span, message, "")
}

// run checks the header, then the definitions. Header errors stop the file.
func (f *fileChecker) run(script bool) {
	head, ok := f.moduleLine(script)
	if !ok || !f.imports() {
		return
	}
	known := f.m.known
	for name, v := range f.given {
		known.consts[name] = v
	}
	for _, def := range f.file.Defs {
		f.definition(def)
	}
	f.script()
	if f.m.failed {
		return
	}
	f.declare(head)
	f.checkExports()
}

// moduleLine finds the module line, which must be the first of the header.
func (f *fileChecker) moduleLine(script bool) (*syntax.Module, bool) {
	var head *syntax.Module
	for i, h := range f.file.Header {
		m, ok := h.(*syntax.Module)
		switch {
		case !ok:
		case m.Keyword.Text == "module":
			f.report(diag.Header, m.Keyword.Span,
				"Keyword `module` is deprecated, use `aqua` instead", "")
			return nil, false
		case i > 0:
			f.report(diag.Header, m.Span, "Module header is expected to be at the top", "")
			return nil, false
		default:
			head = m
		}
	}
	if head == nil && !script {
		f.report(diag.Header, diag.Span{}, "Missing module header at the top of the file",
			"begin the file with a line like: aqua Name declares *")
		return nil, false
	}
	if head != nil {
		f.m.name = head.Name.String()
	}
	f.m.script, f.m.headless = script, head == nil
	return head, true
}

// imports loads and merges the imports of the header.
func (f *fileChecker) imports() bool {
	ok := true
	for _, h := range f.file.Header {
		switch h := h.(type) {
		case *syntax.Import:
			ok = f.importLine(h) && ok
		case *syntax.Use:
			ok = f.useLine(h) && ok
		}
	}
	return ok
}

// load finds and checks an imported file.
func (f *fileChecker) load(p string, span diag.Span) (*module, bool) {
	if !strings.HasSuffix(p, ".aqua") {
		p += ".aqua"
	}
	var src *diag.Source
	var tried []string
	if f.cfg.Load != nil {
		src, tried = f.cfg.Load(f.src, p)
	}
	if src == nil {
		f.report(diag.Imports, span,
			"Import '"+p+"' could not be resolved, tried: "+strings.Join(tried, ", "), "")
		return nil, false
	}
	for i, name := range f.loading {
		if name == src.Name {
			f.cycle(span, f.loading[i:])
			return nil, false
		}
	}
	m := f.module(src, false)
	if m.failed {
		f.m.failed = true
		return nil, false
	}
	return m, true
}

func (f *fileChecker) cycle(span diag.Span, files []string) {
	var parts []string
	for i, name := range files {
		next := files[(i+1)%len(files)]
		parts = append(parts, path.Base(name)+" imports "+path.Base(next))
	}
	f.report(diag.Other, span, "Cycle loops detected in imports: "+listed(parts),
		"move the shared definitions to a third file")
}

func (f *fileChecker) importLine(h *syntax.Import) bool {
	m, ok := f.load(h.Path, h.PathSpan)
	if !ok {
		return false
	}
	part, ok := f.declaredPart(m, h.Names)
	if !ok {
		return false
	}
	for _, name := range part.all() {
		f.m.known.take(part, name, name)
		if arrives(h.Names, name) {
			f.m.passed = append(f.m.passed, name)
		}
	}
	// This file also exports the exports of the imported file whose names arrive unchanged: compiled
	// packages rely on it.
	for _, e := range m.known.exports {
		if part.has(e.Name.Text) && arrives(h.Names, e.Name.Text) {
			f.m.known.export(e)
		}
	}
	return true
}

// arrives reports whether an import brings a name without renaming it.
func arrives(renames []syntax.Rename, name string) bool {
	if renames == nil {
		return true
	}
	for _, r := range renames {
		if r.Name.Text == name && r.As.Text == name {
			return true
		}
	}
	return false
}

func (n *names) export(e syntax.Rename) {
	if i, ok := n.exported[e.Name.Text]; ok {
		n.exports[i] = e
		return
	}
	n.exported[e.Name.Text] = len(n.exports)
	n.exports = append(n.exports, e)
}

func (f *fileChecker) useLine(h *syntax.Use) bool {
	m, ok := f.load(h.Path, h.PathSpan)
	if !ok {
		return false
	}
	part, ok := f.declaredPart(m, h.Names)
	if !ok {
		return false
	}
	name := m.name
	if h.As != nil {
		name = h.As.Text
	}
	old, ok := f.m.known.modules[name]
	if !ok {
		f.m.known.modules[name] = part
		return true
	}
	if old == part {
		return true
	}
	if !old.merged {
		merged := newNames()
		merged.merged = true
		for _, n := range old.all() {
			merged.take(old, n, n)
		}
		f.m.known.modules[name], old = merged, merged
	}
	for _, n := range part.all() {
		old.take(part, n, n)
	}
	return true
}

// declaredPart returns the declared names of a module, all or those of an import line.
func (f *fileChecker) declaredPart(m *module, renames []syntax.Rename) (*names, bool) {
	if renames == nil {
		return m.declared, true
	}
	part, ok := newNames(), true
	for _, r := range renames {
		if !m.declared.has(r.Name.Text) {
			f.report(diag.Header, r.Name.Span, "Imported file `declares "+listed(m.declares)+"`, no "+
				r.Name.Text+" declared. Try adding `declares "+r.Name.Text+"` to that file.", "")
			ok = false
			continue
		}
		part.take(m.declared, r.Name.Text, r.As.Text)
	}
	return part, ok
}

// declare selects the names that importers see: those that the header declares, and those that the
// file imports itself. The latter is not documented, but programs rely on it.
func (f *fileChecker) declare(head *syntax.Module) {
	if head == nil {
		return
	}
	for _, name := range f.m.passed {
		f.m.declared.take(f.m.known, name, name)
	}
	if head.All {
		f.m.declared = f.m.known
		f.m.declares = []string{"*"}
		return
	}
	for _, n := range head.Declares {
		if !f.m.known.has(n.Text) {
			f.report(diag.Header, n.Span,
				"`"+n.Text+"` is expected to be declared, but declaration is not found in the file", "")
			continue
		}
		f.m.declared.take(f.m.known, n.Text, n.Text)
		f.m.declares = append(f.m.declares, n.Text)
	}
}

// checkExports checks the export lines.
func (f *fileChecker) checkExports() {
	lines, taken := 0, map[string]exported{}
	for i, e := range f.m.known.exports {
		taken[e.As.Text] = exported{e.Name, i, true}
	}
	for _, h := range f.file.Header {
		line, ok := h.(*syntax.Export)
		if !ok {
			continue
		}
		lines++
		for _, r := range line.Names {
			if f.exportable(r) && !f.exportedTwice(r, taken) {
				f.m.known.export(r)
			}
		}
	}
	f.m.known.dropped()
	if lines == 0 && f.m.headless {
		f.exportAll()
	}
}

// exported is the owner of an exported name.
type exported struct {
	name   syntax.Name
	index  int
	leaked bool // it came with an import
}

// exportAll exports all functions that it can, for scripts without export lines.
func (f *fileChecker) exportAll() {
	for _, def := range f.file.Defs {
		if fn, ok := def.(*syntax.Func); ok && refusal(f.m.known.funcs[fn.Name.Text].Type) == "" {
			f.m.known.export(syntax.Rename{Name: fn.Name, As: fn.Name})
		}
	}
}

// exportedTwice reports a name that is exported twice. An export that came with an import is
// dropped instead.
func (f *fileChecker) exportedTwice(r syntax.Rename, taken map[string]exported) bool {
	known := f.m.known
	if old, ok := taken[r.As.Text]; ok && old.name.Text != r.Name.Text {
		if !old.leaked {
			d := diag.New(diag.Header, f.src, r.As.Span,
				"'"+r.As.Text+"' is exported twice: it is already the name of '"+old.name.Text+"'")
			d.Notes = []diag.Note{f.noteAt(old.name.Span, "it was exported here first")}
			f.add(d)
			return true
		}
		delete(known.exported, old.name.Text)
		known.exports[old.index].Name.Text = "" // dropped
	}
	taken[r.As.Text] = exported{name: r.Name}
	return false
}

// dropped removes the dropped exports.
func (n *names) dropped() {
	n.exports = slices.DeleteFunc(n.exports, func(e syntax.Rename) bool { return e.Name.Text == "" })
	for i, e := range n.exports {
		n.exported[e.Name.Text] = i
	}
}

func (f *fileChecker) exportable(r syntax.Rename) bool {
	name := r.Name.Text
	known := f.m.known
	message := ""
	if t, ok := known.types[name].(*types.Struct); ok && t.Kind == types.Ability {
		message = "Can not export '" + name + "' as it is an ability"
	} else if fn, ok := known.funcs[name]; ok {
		if why := refusal(fn.Type); why != "" {
			message = "The function '" + name + "' cannot be exported, because it " + why
		}
	} else if !known.has(name) {
		message = strings.TrimRight("Files has no "+name+" declaration or import, cannot export, "+
			"available functions: "+listed(f.available()), " ")
	}
	if message != "" {
		f.report(diag.Header, r.Name.Span, message, "")
	}
	return message == ""
}

// available returns the functions of the file, in its order.
func (f *fileChecker) available() (list []string) {
	for _, def := range f.file.Defs {
		if fn, ok := def.(*syntax.Func); ok {
			list = append(list, fn.Name.Text)
		}
		if len(list) > maxListed {
			break // more than a message has
		}
	}
	return list
}

// refusal returns why a function cannot be exported, or "".
func refusal(t *types.Arrow) string {
	for _, r := range t.Results {
		if types.IsArrow(r) || types.IsAbility(r) {
			return "returns an arrow or an ability"
		}
	}
	for _, a := range t.Args {
		if types.IsAbility(a.Type) {
			return "accepts an ability"
		}
	}
	return ""
}

// program collects the exports of the entry.
func (c *checker) program(m *module) *Program {
	p := &Program{Main: m.main}
	for _, e := range m.known.exports {
		if fn, ok := m.known.funcs[e.Name.Text]; ok {
			p.Functions = append(p.Functions, Function{e.As.Text, fn, m.known.places[e.Name.Text]})
		}
		if s, ok := m.known.services[e.Name.Text]; ok {
			out := ir.Service{Name: e.As.Text, Type: s.typ}
			if lit, ok := s.id.(*ir.Lit); ok {
				out.ID = strings.Trim(lit.Text, `"`)
			}
			p.Services = append(p.Services, out)
		}
	}
	if m.main != nil {
		p.Functions = append(p.Functions, Function{Main, m.main, m.start})
	}
	return p
}
