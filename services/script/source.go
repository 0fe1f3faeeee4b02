package script

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"

	"github.com/aquanode/aquanode/services"
)

// A source is a compiled file. The runtimes made of it share it.
type source struct {
	file       string
	program    *goja.Program
	declared   []string             // function declarations at the top level
	signatures []services.Signature // of the service's functions, by name; set at the first start
}

func (s *source) names() []string {
	names := make([]string, len(s.signatures))
	for i, sig := range s.signatures {
		names[i] = sig.Name
	}
	return names
}

// An Error is an error in the text of a service.
type Error struct {
	File    string
	Line    int // from 1
	Column  int // from 1, in characters
	Message string
	Source  string // the line
	Hint    string // may be empty
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if e.Source != "" {
		// Tabs stay tabs before the caret, so that it stands below its character.
		before := []rune(e.Source)[:min(e.Column-1, utf8.RuneCountInString(e.Source))]
		for i, c := range before {
			if c != '\t' {
				before[i] = ' '
			}
		}
		s += "\n  " + e.Source + "\n  " + string(before) + "^"
	}
	if e.Hint != "" {
		s += "\n  hint: " + e.Hint
	}
	return s
}

// describe sets the signatures, at the first start of the file. Later ones find the same.
func (s *source) describe(list []services.Signature) {
	if s.signatures == nil {
		slices.SortFunc(list, func(a, b services.Signature) int { return strings.Compare(a.Name, b.Name) })
		s.signatures = list
	}
}

// firstInvalid is where the first byte stands that is not UTF-8.
func firstInvalid(text string) (line, column int) {
	good := text
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
			good = text[:i]
			break
		}
	}
	start := strings.LastIndexByte(good, '\n') + 1
	return 1 + strings.Count(good, "\n"), 1 + utf8.RuneCountInString(good[start:])
}

func compile(file, text string) (*source, error) {
	if !utf8.ValidString(text) {
		line, column := firstInvalid(text)
		return nil, &Error{File: file, Line: line, Column: column, Message: "not a text file: its bytes are not UTF-8"}
	}
	if line := deepLine(text); line > 0 {
		return nil, &Error{File: file, Line: line, Column: 1, Message: fmt.Sprintf("brackets are nested deeper than %d levels", maxNesting)}
	}
	tree, err := parser.ParseFile(nil, file, text, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, syntaxError(file, text, err)
	}
	if mayHaveBigInt.MatchString(text) {
		if err := boundOperators(tree); err != nil {
			return nil, &Error{File: file, Line: 1, Column: 1, Message: err.Error()}
		}
	}
	program, err := goja.CompileAST(tree, false)
	if err != nil {
		return nil, syntaxError(file, text, err)
	}
	return &source{file: file, program: program, declared: declaredFunctions(tree)}, nil
}

// maxNesting bounds the recursion of the parser, which takes 2.5 kB of stack for a bracket: 400,000
// of them are the end of the process.
const maxNesting = 10_000

// deepLine is the line where brackets, wherever they stand, are nested too deep; 0 if they are not.
func deepLine(text string) int {
	line, depth := 1, 0
	for i := range len(text) {
		switch text[i] {
		case '\n':
			line++
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return line
			}
		case ')', ']', '}':
			depth--
		}
	}
	return 0
}

// declaredFunctions are the function declarations of the top level, without generators.
func declaredFunctions(tree *ast.Program) []string {
	var names []string
	for _, statement := range tree.Body {
		if d, ok := statement.(*ast.FunctionDeclaration); ok && !d.Function.Generator && d.Function.Name != nil {
			names = append(names, d.Function.Name.Name.String())
		}
	}
	return names
}

func syntaxError(file, text string, err error) error {
	e := &Error{File: file, Line: 1, Column: 1, Message: err.Error()}
	var list parser.ErrorList
	var compiler *goja.CompilerSyntaxError
	switch {
	case errors.As(err, &list) && len(list) > 0:
		e.Line, e.Column, e.Message = list[0].Position.Line, list[0].Position.Column, list[0].Message
	case errors.As(err, &compiler) && compiler.File != nil:
		p := compiler.File.Position(compiler.Offset)
		e.Line, e.Column, e.Message = p.Line, p.Column, compiler.Message
	}
	return e.locate(text)
}

// locate adds the line, and a hint where the cause is plain.
func (e *Error) locate(text string) *Error {
	lines := strings.Split(text, "\n")
	if e.Line > len(lines) {
		return e
	}
	e.Source = strings.TrimRight(lines[e.Line-1], "\r")
	if len(e.Source) > 200 { // minified
		e.Source = ""
	}
	word, _, _ := strings.Cut(strings.TrimSpace(lines[e.Line-1]), " ")
	switch word {
	case "export":
		e.Hint = "a service is not an ES module: write exports.name = function instead of export"
	case "import":
		e.Hint = "a service is one file and cannot import others"
	case "await":
		e.Hint = "await works in async functions only, not at the top level of a file"
	}
	return e
}

// signatureOf finds the names of a function's parameters in its text.
func signatureOf(name, text string, length int) services.Signature {
	s := services.Signature{Name: name, Outputs: []string{"any"}}
	list := parameters(text)
	if list == nil {
		for i := range length {
			s.Arguments = append(s.Arguments, services.Parameter{Name: "arg" + strconv.Itoa(i), Type: "any"})
		}
		return s
	}
	for i, b := range list.List {
		s.Arguments = append(s.Arguments, services.Parameter{Name: targetName(b.Target, i), Type: "any"})
	}
	if list.Rest != nil {
		s.Arguments = append(s.Arguments, services.Parameter{Name: "..." + targetName(list.Rest, len(list.List)), Type: "any"})
	}
	return s
}

func targetName(e ast.Expression, i int) string {
	if id, ok := e.(*ast.Identifier); ok {
		return id.Name.String()
	}
	return "arg" + strconv.Itoa(i) // {a, b} or [a, b]
}

// parameters reads the text of a function, of an arrow function, or of a method.
func parameters(text string) *ast.ParameterList {
	for _, form := range []string{"(%s)", "({%s})"} {
		tree, err := parser.ParseFile(nil, "", fmt.Sprintf(form, text), 0, parser.WithDisableSourceMaps)
		if err != nil || len(tree.Body) != 1 {
			continue
		}
		statement, ok := tree.Body[0].(*ast.ExpressionStatement)
		if !ok {
			continue
		}
		if list := parametersOf(statement.Expression); list != nil {
			return list
		}
	}
	return nil
}

func parametersOf(e ast.Expression) *ast.ParameterList {
	switch e := e.(type) {
	case *ast.FunctionLiteral:
		return e.ParameterList
	case *ast.ArrowFunctionLiteral:
		return e.ParameterList
	case *ast.ObjectLiteral:
		if len(e.Value) == 1 {
			if p, ok := e.Value[0].(*ast.PropertyKeyed); ok {
				return parametersOf(p.Value)
			}
		}
	}
	return nil
}
