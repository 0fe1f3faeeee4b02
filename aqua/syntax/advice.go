package syntax

import "strings"

// advice returns a hint for text that looks like another language, or "". It looks at the place of
// the error and its line.
func (p *parser) advice(at int) string {
	from := strings.LastIndexByte(p.text[:at], '\n') + 1
	line := p.text[from:]
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	column := at - from
	line = line[:min(len(line), column+80)] // enough for a word
	rest := line[min(column, len(line)):]
	words := strings.Fields(line[:min(len(line), 200)])
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	switch {
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), strings.HasPrefix(rest, "#"),
		strings.HasPrefix(rest, "/") && column > 0 && line[column-1] == '/':
		return "comments begin with --"
	case first == "return":
		return "write <- value as the last line of the function"
	case first == "let" || first == "var":
		return "write name = value"
	case first == "else" || first == "elif":
		return "write else: on a line of its own; an if may follow in its block"
	case first == "while":
		return "use a loop over items: for x <- list, or for x <- stream rec"
	case first == "def" || first == "function" || first == "fn":
		return "functions begin with func"
	case strings.HasPrefix(rest, "=") && (first == "if" || strings.HasPrefix(line, "if ")):
		return "compare with =="
	case strings.HasPrefix(rest, "="):
		return ""
	case strings.HasPrefix(rest, "in ") && first == "for":
		return "write for x <- list:"
	case strings.HasPrefix(rest, "'"):
		return "write strings in double quotes"
	case strings.HasPrefix(rest, "\t"):
		return "use spaces here"
	}
	for name, right := range otherTypes {
		if strings.HasPrefix(rest, name) && (len(rest) == len(name) || !isNameByte(rest[len(name)])) {
			return "write " + right
		}
	}
	return ""
}

// otherTypes are types of other languages.
var otherTypes = map[string]string{
	"int": "i64", "uint": "u64", "integer": "i64", "number": "f64", "float": "f64", "double": "f64",
	"boolean": "bool", "str": "string", "text": "string", "byte": "u8",
	"any": "⊤, the type of any value", "void": "nothing: a function without a result has no ->",
}
