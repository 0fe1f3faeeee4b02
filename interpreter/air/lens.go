package air

import (
	"slices"
	"strconv"
	"strings"
)

// A lens is written
//
//	lens = ".length" | ".$" accessor {accessor}
//	accessor = ["."] "[" (INDEX | NAME) "]" ["!"] | "." NAME ["!"]
//
// "!" has no effect.

const (
	lengthLens = ".length"
	pathLens   = ".$" // begins a path
)

// isLens reports whether a text is a lens.
func isLens(text string) bool {
	if text == lengthLens {
		return true
	}
	if !strings.HasPrefix(text, pathLens) {
		return false
	}
	at := len(pathLens)
	for at != 0 && at < len(text) {
		_, at = accessor(text, at)
	}
	return at > len(pathLens)
}

// readLens reads a text that is a lens.
func readLens(text string) Lens {
	if text == lengthLens {
		return Lens{Length: true}
	}
	var few [8]Accessor
	path := few[:0]
	for at := len(pathLens); at < len(text); {
		var a Accessor
		a, at = accessor(text, at)
		path = append(path, a)
	}
	return Lens{Path: slices.Clone(path)}
}

// accessor reads the accessor at an offset of a path and tells where it ends, which is
// 0 if there is no accessor.
func accessor(text string, at int) (a Accessor, end int) {
	dot := text[at] == '.'
	if dot {
		at++
	}
	bracket := at < len(text) && text[at] == '['
	if bracket {
		at++
	}
	start := at
	for at < len(text) && class[text[at]]&inName != 0 {
		at++
	}
	word := text[start:at]
	switch {
	case word == "" || !dot && !bracket:
		return a, 0
	case class[word[0]]&inNumber != 0:
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil || !bracket {
			return a, 0
		}
		a.Kind, a.Index = ByIndex, uint32(n)
	case bracket:
		a.Kind, a.Name = ByScalar, word
	default:
		a.Kind, a.Name = ByField, word
	}
	if bracket {
		if at == len(text) || text[at] != ']' {
			return a, 0
		}
		at++
	}
	if at < len(text) && text[at] == '!' {
		at++
	}
	return a, at
}

// String is the canonical text of a lens, as it goes into tetraplets and messages:
// ".length" or ".$.a.[0].[i]"; "" for the zero Lens.
func (l Lens) String() string { return string(l.append(nil)) }

func (l Lens) append(buf []byte) []byte {
	if l.Length {
		return append(buf, lengthLens...)
	}
	for k, a := range l.Path {
		if k == 0 {
			buf = append(buf, pathLens...)
		}
		buf = append(buf, '.')
		buf = a.append(buf)
	}
	return buf
}

// String is the canonical text of an accessor: "name", "[7]" or "[i]".
func (a Accessor) String() string { return string(a.append(nil)) }

func (a Accessor) append(buf []byte) []byte {
	switch a.Kind {
	case ByIndex:
		buf = append(buf, '[')
		buf = strconv.AppendUint(buf, uint64(a.Index), 10)
		return append(buf, ']')
	case ByScalar:
		buf = append(buf, '[')
		buf = append(buf, a.Name...)
		return append(buf, ']')
	}
	return append(buf, a.Name...)
}
