package air

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token. The constants stand in the order in which AquaVM
// lists expected tokens, so that a set of kinds prints in its order.
type kind uint8

const (
	tokOpen kind = iota
	tokClose
	tokOpenSquare
	tokCloseSquare
	tokBoolean
	tokCanonStream
	tokCanonMap
	tokCanonMapLens
	tokCanonStreamLens
	tokError
	tokErrorLens
	tokFloat
	tokInt
	tokInitPeerID
	tokLastError
	tokLastErrorLens
	tokString
	tokScalar
	tokScalarLens
	tokStream
	tokStreamMap
	tokTTL
	tokTimestamp
	tokAp
	tokCall
	tokCanon
	tokFail
	tokFold
	tokMatch
	tokMismatch
	tokNever
	tokNew
	tokNext
	tokNull
	tokPar
	tokSeq
	tokXor

	tokTagged // a stream or stream map with a lens: a good word that no rule takes
	tokEOF
	tokBad // not a token; scanner.bad says why
)

// kindNames are the names AquaVM gives to the kinds in its messages.
var kindNames = [...]string{
	tokOpen: `"("`, tokClose: `")"`, tokOpenSquare: `"["`, tokCloseSquare: `"]"`,
	tokBoolean: "Boolean", tokCanonStream: "CanonStream", tokCanonMap: "CanonStreamMap",
	tokCanonMapLens: "CanonStreamMapWithLambda", tokCanonStreamLens: "CanonStreamWithLambda",
	tokError: "Error", tokErrorLens: "ErrorWithLambda", tokFloat: "F64", tokInt: "I64",
	tokInitPeerID: "InitPeerId", tokLastError: "LastError", tokLastErrorLens: "LastErrorWithLambda",
	tokString: "Literal", tokScalar: "Scalar", tokScalarLens: "ScalarWithLambda",
	tokStream: "Stream", tokStreamMap: "StreamMap", tokTTL: "TTL", tokTimestamp: "Timestamp",
	tokAp: "ap", tokCall: "call", tokCanon: "canon", tokFail: "fail", tokFold: "fold",
	tokMatch: "match_", tokMismatch: "mismatch", tokNever: "never", tokNew: "new", tokNext: "next",
	tokNull: "null", tokPar: "par", tokSeq: "seq", tokXor: "xor",
}

// kindSet is a set of token kinds.
type kindSet uint64

func set(kinds ...kind) kindSet {
	var s kindSet
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

func (s kindSet) has(k kind) bool { return s>>k&1 != 0 }

// String lists the set the way AquaVM does: `")" or Scalar or Stream`.
func (s kindSet) String() string {
	var names []string
	for k, name := range kindNames {
		if s.has(kind(k)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "<nothing>"
	}
	return strings.Join(names, " or ")
}

// token is one token of a script. The fields after Span are set as its kind needs.
type token struct {
	kind kind
	Span
	nameEnd int32 // of a variable: where the name ends and the lens, if any, begins
	integer int64
	float   float64
}

// scanner cuts a script into tokens. next leaves the current one in tok; what comes
// next is looked for from its end on.
type scanner struct {
	src string
	tok token
	bad Diagnostic // why tok is tokBad
}

// class says how a byte acts at the start of a token and within a word.
var class [256]uint8

const (
	inName   = 1 << iota // letters, digits, '_' and '-'
	inNumber             // digits
	inLens               // what may stand in a lens at all
	space                // ASCII white space
	// ends a word in which no bracket was opened: white space and closing brackets
	ends
	nests   // an opening bracket
	foreign // part of a character outside of ASCII
)

// firstKind is the kind of a variable whose first byte this is and whose others are
// plain characters of names; tokBad where it takes a closer look.
var firstKind [256]kind

func init() {
	for c := range firstKind {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			firstKind[c] = tokScalar
		default:
			firstKind[c] = tokBad
		}
	}
	firstKind['$'], firstKind['%'], firstKind['#'] = tokStream, tokStreamMap, tokCanonStream
	for c := range class {
		switch {
		case '0' <= c && c <= '9':
			class[c] = inName | inNumber | inLens
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '-':
			class[c] = inName | inLens
		case c == ' ', '\t' <= c && c <= '\r':
			class[c] = space | ends
		case c >= utf8.RuneSelf:
			class[c] = foreign
		}
	}
	for _, c := range `$@[]():?.*,"'` {
		class[c] |= inLens
	}
	class['('] |= nests
	class['['] |= nests
	class[')'] |= ends
	class[']'] |= ends
}

// next reads the next token into s.tok.
func (s *scanner) next() {
	src := s.src
	at := int(s.tok.End)
	for at < len(src) && class[src[at]]&space != 0 {
		at++
	}
	if at < len(src) && (src[at] == ';' || class[src[at]] == foreign) {
		at = skip(src, at)
	}
	if at == len(src) {
		// right after the last token
		s.tok.kind, s.tok.Span = tokEOF, span(int(s.tok.End), int(s.tok.End)+1)
		return
	}
	switch src[at] {
	case '(':
		s.tok.kind, s.tok.Span = tokOpen, span(at, at+1)
	case ')':
		s.tok.kind, s.tok.Span = tokClose, span(at, at+1)
	case '[':
		s.tok.kind, s.tok.Span = tokOpenSquare, span(at, at+1)
	case ']':
		s.tok.kind, s.tok.Span = tokCloseSquare, span(at, at+1)
	case '"':
		s.quoted(at)
	default:
		end := at + 1
		for end < len(src) && class[src[end]]&inName != 0 {
			end++
		}
		named := end - at
		if end < len(src) && class[src[end]]&ends == 0 {
			end = wordEnd(src, at, end)
		}
		s.tok.Span = span(at, end)
		s.word(src[at:end], named)
	}
}

// skip passes white space and comments.
func skip(src string, at int) int {
	for at < len(src) {
		c := src[at]
		switch {
		case class[c]&space != 0:
			at++
		case c == ';':
			at = lineEnd(src, at)
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(src[at:])
			if !unicode.IsSpace(r) {
				return at
			}
			at += n
		default:
			return at
		}
	}
	return at
}

// lineEnd is the offset of the first line feed at or after pos.
func lineEnd(src string, pos int) int {
	if n := strings.IndexByte(src[pos:], '\n'); n >= 0 {
		return pos + n
	}
	return len(src)
}

// quoted reads a string literal. There are no escapes.
func (s *scanner) quoted(start int) {
	n := strings.IndexByte(s.src[start+1:], '"')
	if n < 0 {
		s.refuse(start, len(s.src), "this string literal has unclosed quote",
			`close it with "; strings have no escapes and end at the next "`)
		return
	}
	s.tok.kind, s.tok.Span = tokString, span(start, start+1+n+1)
}

// wordEnd finds the end of the word that begins at start and of which the first
// character and the bytes before at have been seen: white space, or a closing bracket
// that the word did not open. The first character never counts as a bracket.
func wordEnd(src string, start, at int) int {
	if src[start] >= utf8.RuneSelf {
		_, n := utf8.DecodeRuneInString(src[start:])
		at = start + n
	}
	round, square := 0, 0
	for ; at < len(src); at++ {
		c := src[at]
		k := class[c]
		switch {
		case k&(ends|nests|foreign) == 0:
		case k&space != 0:
			return at
		case c == '(':
			round++
		case c == '[':
			square++
		case c == ')':
			if round--; round < 0 {
				return at
			}
		case c == ']':
			if square--; square < 0 {
				return at
			}
		default:
			r, n := utf8.DecodeRuneInString(src[at:])
			if unicode.IsSpace(r) {
				return at
			}
			at += n - 1
		}
	}
	return len(src)
}

// word classifies a word: a keyword, a %constant%, or a number or variable. Its first `named`
// bytes are plain characters of names, but perhaps for the very first.
func (s *scanner) word(w string, named int) {
	switch w {
	case "seq":
		s.tok.kind = tokSeq
	case "call":
		s.tok.kind = tokCall
	case "%init_peer_id%":
		s.tok.kind = tokInitPeerID
	case "ap":
		s.tok.kind = tokAp
	case "xor":
		s.tok.kind = tokXor
	case "par":
		s.tok.kind = tokPar
	case "canon":
		s.tok.kind = tokCanon
	case "new":
		s.tok.kind = tokNew
	case "fold":
		s.tok.kind = tokFold
	case "next":
		s.tok.kind = tokNext
	case "null":
		s.tok.kind = tokNull
	case "never":
		s.tok.kind = tokNever
	case "match":
		s.tok.kind = tokMatch
	case "mismatch":
		s.tok.kind = tokMismatch
	case "fail":
		s.tok.kind = tokFail
	case "%timestamp%":
		s.tok.kind = tokTimestamp
	case "%ttl%":
		s.tok.kind = tokTTL
	case "true", "false":
		s.tok.kind = tokBoolean
	default:
		k := firstKind[w[0]]
		switch {
		case k != tokBad && named == len(w) && (named > 1 || k == tokScalar):
			s.tok.kind, s.tok.nameEnd = k, s.tok.End
		case w[0] == ':':
			s.errorWord(w, ":error:", tokError, tokErrorLens)
		case w[0] == '%':
			s.errorWord(w, "%last_error%", tokLastError, tokLastErrorLens)
		case k != tokBad:
			s.variableWord(w, named)
		default:
			s.numberOrVariable(w)
		}
	}
}

// errorWord reads an error variable with an optional lens glued to it.
func (s *scanner) errorWord(w, name string, bare, lensed kind) {
	rest, ok := strings.CutPrefix(w, name)
	if !ok {
		s.numberOrVariable(w)
		return
	}
	s.tok.kind = bare
	if rest != "" {
		s.tok.kind = lensed
		s.lensWord(int(s.tok.Start) + len(name))
	}
}

// numberOrVariable reads a word as a number for as long as only a sign, digits and
// one dot are seen, and as a variable from the first other character on.
func (s *scanner) numberOrVariable(w string) {
	i, dot := 0, -1
	if w[0] == '+' || w[0] == '-' {
		i = 1
	}
	sign := i
	for i < len(w) {
		c := w[i]
		switch {
		case class[c]&inNumber != 0:
			i++
		case c == '.' && i == sign:
			s.refuseAt(i, "leading dot without any symbols before - please write 0 if it's float or variable name if it's a lambda",
				"write 0.5 for a number; a lens follows its variable without a blank, as in x.$.a")
			return
		case c == '.' && dot < 0:
			dot = i
			i++
		default:
			r, n := utf8.DecodeRuneInString(w[i:])
			switch {
			case c >= utf8.RuneSelf && unicode.IsNumber(r):
				i += n
			case dot >= 0:
				s.refuseAt(i, "a digit could contain only digits or one dot",
					"numbers have no exponents; a variable with a lens must not look like a number")
				return
			default:
				s.variableWord(w, i)
				return
			}
		}
	}
	if dot < 0 {
		s.intWord(w)
	} else {
		s.floatWord(w)
	}
}

func (s *scanner) intWord(w string) {
	n, err := strconv.ParseInt(w, 10, 64)
	s.tok.kind, s.tok.integer = tokInt, n
	switch {
	case err == nil:
	case strings.Trim(w, "+-0123456789") != "" || len(w) == 1:
		s.refuseAll("invalid digit found in string", "use the digits 0 to 9")
	case w[0] == '-':
		s.refuseAll("number too small to fit in target type",
			"integers have 64 bits: the smallest is -9223372036854775808")
	default:
		s.refuseAll("number too large to fit in target type",
			"integers have 64 bits: the largest is 9223372036854775807")
	}
}

// maxFloatLen is the largest number of bytes of a number with a dot.
const maxFloatLen = 11

func (s *scanner) floatWord(w string) {
	if len(w) > maxFloatLen {
		s.refuseAll("this float is too big, a float could contain less than 12 digits",
			"shorten it to 11 characters, or let a service make the number")
		return
	}
	f, err := strconv.ParseFloat(w, 64)
	s.tok.kind, s.tok.float = tokFloat, f
	if err != nil {
		s.refuseAll("invalid float literal", "use the digits 0 to 9")
	}
}

// variableWord reads a word that is no number; its first `from` bytes are known to be good.
func (s *scanner) variableWord(w string, from int) {
	kind, body := sign(w)
	if body == len(w) {
		if body == 1 {
			s.refuseAt(0, "a tagged name should be non empty", "put a name after the sign")
		} else {
			s.refuseAt(1, "a canon name should be non empty", "put a name after the sign")
		}
		return
	}
	i := max(from, body)
	for i < len(w) && w[i] != '.' {
		n := nameChar(w, i)
		if n == 0 {
			s.refuseAt(i, "only alphanumeric, '_', and '-' characters are allowed in this position",
				nameHint(w, i))
			return
		}
		i += n
	}
	s.tok.kind, s.tok.nameEnd = variableKinds[kind].bare, s.tok.Start+int32(i)
	if i == len(w) {
		return
	}
	if i <= 2 && kind != Scalar { // one of the oddities of the language
		s.refuseAt(i-1, "a canon name should be non empty",
			"a lens needs a name of at least two letters after the sign, as in #xs.$.[0]")
		return
	}
	s.tok.kind = variableKinds[kind].lensed
	if lens := int(s.tok.Start) + i; s.lensChars(lens) {
		s.lensWord(lens)
	}
}

var variableKinds = [...]struct{ bare, lensed kind }{
	Scalar:      {tokScalar, tokScalarLens},
	Stream:      {tokStream, tokTagged},
	StreamMap:   {tokStreamMap, tokTagged},
	CanonStream: {tokCanonStream, tokCanonStreamLens},
	CanonMap:    {tokCanonMap, tokCanonMapLens},
}

// sign tells the kind of variable that w names, and where the name after the sign begins.
// A percent sign as the second byte makes a canon map whatever stands before it.
func sign(w string) (VarKind, int) {
	kind, body := Scalar, 0
	switch w[0] {
	case '$':
		kind, body = Stream, 1
	case '%':
		kind, body = StreamMap, 1
	case '#':
		kind, body = CanonStream, 1
	}
	if len(w) > 1 {
		switch {
		case w[1] == '%' && (body == 1 || class[w[0]]&inName != 0 || w[0] == '+'):
			return CanonMap, 2
		case w[1] == '$' && kind == CanonStream:
			return CanonStream, 2
		}
	}
	return kind, body
}

// nameChar is the length of the character at w[i], or 0 if no name may contain it.
func nameChar(w string, i int) int {
	if class[w[i]]&inName != 0 {
		return 1
	}
	if w[i] < utf8.RuneSelf {
		return 0
	}
	r, n := utf8.DecodeRuneInString(w[i:])
	if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r) {
		return n
	}
	return 0
}

// nameHint guesses what went wrong with a name at w[i].
func nameHint(w string, i int) string {
	switch w[i] {
	case '(', '[', '"':
		return "put a blank before the " + w[i:i+1]
	case ';':
		return "put a blank before the comment"
	case ':':
		return "the error variable is written :error:"
	case '%':
		return "the constants are %init_peer_id%, %timestamp%, %ttl% and %last_error%"
	}
	return ""
}

// lensChars checks the characters of the lens of a variable, which begins at offset start
// and takes the rest of the word.
func (s *scanner) lensChars(start int) bool {
	text := s.src[start:s.tok.End]
	for i := range len(text) {
		if class[text[i]]&inLens == 0 && !(text[i] == '!' && i == len(text)-1) {
			s.refuseAt(start-int(s.tok.Start)+i, "invalid character in lambda", lensHint)
			return false
		}
	}
	return true
}

const lensHint = "a lens is .length or a path like .$.field.[0].[name]"

// lensWord checks the lens that begins at offset start and takes the rest of the word.
func (s *scanner) lensWord(start int) {
	s.tok.nameEnd = int32(start)
	if text := s.src[start:s.tok.End]; !isLens(text) {
		s.refuse(start, int(s.tok.End), lensFault(text), lensHint)
	}
}

func (s *scanner) refuseAll(label, hint string) {
	s.refuse(int(s.tok.Start), int(s.tok.End), label, hint)
}

// refuseAt refuses the character at offset i of the current word.
func (s *scanner) refuseAt(i int, label, hint string) {
	at := int(s.tok.Start) + i
	_, n := utf8.DecodeRuneInString(s.src[at:])
	s.refuse(at, at+max(n, 1), label, hint)
}

func (s *scanner) refuse(start, end int, label, hint string) {
	s.tok.kind = tokBad
	s.bad = Diagnostic{Span: span(start, end), Label: label, Hint: hint}
}

// span makes a Span; Parse refuses texts with offsets beyond 31 bits.
func span(start, end int) Span {
	return Span{Start: int32(start), End: int32(end)}
}

const maxSource = math.MaxInt32
