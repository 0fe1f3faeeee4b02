package builtin

import (
	"fmt"
	"strings"
)

const docsHead = `# Built-in functions

Generated from the table of package services/builtin; do not edit. The same list: ` + "`aquanode builtins`" + `.

Every peer answers these calls. Types are those of Aqua: ?T is an optional T, given as [] or [v], as v, or left
out; ...T is any number of arguments; u64 and the like are integers; pair is an array of two strings, keyed an
array of a key and its value, millis a number of milliseconds or its text. A function without a result gives the
empty string.

Errors of arguments, the same for all functions:

* ` + "`Error: Field '<name>' is missing from args to call_service`" + `
* ` + "`Error: Error deserializing field '<name>': expected <type>, got <json>`" + `
* ` + "`Error: Option's array must contain at most 1 element, '<name>' was of <n> elements`" + `
* ` + "`expected <n> arguments, got <m>`" + `, where the number of arguments is exact

Values and names in errors are cut to 200 bytes, with their length. A list that is asked for has at most 1024
entries, a result at most 64 MiB. A function that would need more memory than its particle may have is refused:
` + "`<service>.<function> needs <n> bytes of memory: <limit>`" + `.

*Guarded* functions are for particles started by the host or a management peer, and for worker spells. Others get,
whatever their arguments are,
` + "`This function is only available to the host or worker spells`" + `.
`

// Markdown is the documentation page of the table.
func Markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	service := ""
	for _, f := range Table() {
		if f.Service != service {
			service = f.Service
			fmt.Fprintf(&b, "\n## %s\n", service)
		}
		fmt.Fprintf(&b, "\n### %s.%s\n\n", f.Service, f.Name)
		fmt.Fprintf(&b, "`%s`%s\n\n%s\n", f.Signature(), f.remarks(), f.Doc)
		if len(f.Errors) > 0 {
			b.WriteString("\n")
		}
		for _, e := range f.Errors {
			fmt.Fprintf(&b, "* %s\n", code(e))
		}
	}
	return b.String()
}

func (f *Function) remarks() string {
	s := ""
	if f.Guarded {
		s += " *guarded*"
	}
	if f.Exact {
		s += " *exact*"
	}
	return s
}

// code quotes a text that may contain backquotes.
func code(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}
