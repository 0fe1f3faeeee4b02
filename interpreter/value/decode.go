package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Decode stores the value in the variable that a pointer points to, as encoding/json does; in an
// any, a []any or a map[string]any as [Value.Go] does, where integers stay integers. The error says
// where in the value it is, what is there and which type was expected.
func (v Value) Decode(to any) error {
	switch to := to.(type) {
	case *Value:
		*to = v
		return nil
	case *any:
		return decodeTree(v, to)
	case *[]any:
		if v.Kind() == KindArray {
			return decodeTree(v, to)
		}
	case *map[string]any:
		if v.Kind() == KindObject {
			return decodeTree(v, to)
		}
	}
	err := json.Unmarshal([]byte(v.Text()), to)
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	at := ""
	if wrong.Field != "" {
		at = fmt.Sprintf("field '%s': ", shorten(wrong.Field))
	}
	return fmt.Errorf("%s%s is not a Go %s", at, shorten(describe(wrong.Value)), wrong.Type)
}

// decodeTree stores a value of the kind that T is made for.
func decodeTree[T any](v Value, to *T) error {
	tree, err := v.Go()
	if err != nil {
		return err
	}
	*to, _ = tree.(T) // null is no T, and leaves it nil
	return nil
}

// shorten bounds what others wrote: names of fields and digits of numbers.
func shorten(s string) string {
	if len(s) <= 100 {
		return s
	}
	s = s[:100]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// describe puts an article before what encoding/json calls a value: "string", "number 1.5".
func describe(what string) string {
	switch {
	case strings.HasPrefix(what, "number "):
		return "the " + what
	case strings.HasPrefix(what, "array"), strings.HasPrefix(what, "object"):
		return "an " + what
	}
	return "a " + what
}
