package builtin

import (
	"strconv"

	"github.com/aquanode/aquanode/interpreter/value"
)

// maxResult is the longest text that a function makes of its arguments.
const maxResult = 64 << 20

// grow asks for n bytes of memory until the call ends.
func (c *call) grow(n int) error {
	if err := c.Call.Grow(int64(n)); err != nil {
		return plain("%s.%s needs %d bytes of memory: %v", c.Service, c.Function, n, err)
	}
	c.grown += int64(n)
	return nil
}

// growResult asks for the memory of a result of n bytes.
func (c *call) growResult(n int) error {
	if n > maxResult {
		return plain("the result of %s.%s would have %d bytes, at most %d are allowed", c.Service, c.Function, n, maxResult)
	}
	return c.grow(n)
}

// release gives all memory back. Who takes the result counts it.
func (c *call) release() {
	if c.grown > 0 {
		_ = c.Call.Grow(-c.grown) // giving back never fails
		c.grown = 0
	}
}

// canonical are the arguments as canonical values: a raw one is read anew by each look at it.
func canonical(args []value.Value) []value.Value {
	var list []value.Value
	for i, a := range args {
		if !a.IsRaw() {
			continue
		}
		if list == nil {
			list = append(list, args...)
		}
		if v, err := a.Canonical(); err == nil {
			list[i] = v
		}
	}
	if list == nil {
		return args
	}
	return list
}

// written is the value of text that is canonical JSON already.
func written(text []byte) (value.Value, error) { return value.Parse(string(text)) }

// byteArray makes an array of numbers. It writes the text, since a value for each byte takes
// 40 times the memory.
func byteArray(b []byte) value.Value {
	text := make([]byte, 0, 2+4*len(b))
	text = append(text, '[')
	for i, x := range b {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(x), 10)
	}
	v, err := written(append(text, ']'))
	if err != nil {
		panic("byte array is not JSON: " + err.Error())
	}
	return v
}

// A textSet is a set of JSON texts. It asks for its memory as it grows.
type textSet struct {
	call *call
	has  map[string]struct{}
	room int
}

// An entry of a set takes 16 bytes and a control byte, and twice that while the set grows.
const (
	setEntry = 64
	setStep  = 1024
)

// add reports whether the text is new.
func (s *textSet) add(text string) (bool, error) {
	if _, ok := s.has[text]; ok {
		return false, nil
	}
	if s.room == 0 {
		if err := s.call.grow(setStep * setEntry); err != nil {
			return false, err
		}
		s.room = setStep
	}
	if s.has == nil {
		s.has = map[string]struct{}{}
	}
	s.room--
	s.has[text] = struct{}{}
	return true, nil
}

func (s *textSet) contains(text string) bool {
	_, ok := s.has[text]
	return ok
}

// setOf are the elements of an array, as texts: those of equal strings are equal.
func (c *call) setOf(array value.Value) (*textSet, error) {
	s := &textSet{call: c}
	for e := range array.All() {
		if _, err := s.add(e.Text()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// selected lists the wanted elements of arrays, each where it stands first.
func (c *call) selected(want func(text string) bool, arrays ...value.Value) (value.Value, error) {
	size := 2
	for _, a := range arrays {
		size += len(a.Text())
	}
	if err := c.growResult(size); err != nil {
		return value.Value{}, err
	}
	seen := &textSet{call: c}
	text := append(make([]byte, 0, size), '[')
	for _, a := range arrays {
		for e := range a.All() {
			if !want(e.Text()) {
				continue
			}
			isNew, err := seen.add(e.Text())
			if err != nil {
				return value.Value{}, err
			}
			if !isNew {
				continue
			}
			if len(text) > 1 {
				text = append(text, ',')
			}
			text = append(text, e.Text()...)
		}
	}
	return written(append(text, ']'))
}
