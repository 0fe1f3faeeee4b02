package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Decode stores the value in the variable that a pointer points to, as encoding/json does. The
// error says where in the value it is, what is there and which type was expected.
func (v Value) Decode(to any) error {
	if to, ok := to.(*Value); ok {
		*to = v
		return nil
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
