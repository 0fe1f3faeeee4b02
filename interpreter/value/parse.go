package value

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth is the number of nested arrays and objects that text may have.
const maxDepth = 127

// SyntaxError says where text stops being JSON. Its text is the one services' bad results are
// reported with all over the network.
type SyntaxError struct {
	Reason       string
	Line, Column int // the column counts bytes from 1; it is 0 right after a line feed
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at line %d column %d", e.Reason, e.Line, e.Column)
}

// The reasons of syntax errors.
const (
	errEndValue   = "EOF while parsing a value"
	errEndList    = "EOF while parsing a list"
	errEndObject  = "EOF while parsing an object"
	errEndString  = "EOF while parsing a string"
	errValue      = "expected value"
	errIdent      = "expected ident"
	errNumber     = "invalid number"
	errRange      = "number out of range"
	errListNext   = "expected `,` or `]`"
	errObjectNext = "expected `,` or `}`"
	errColon      = "expected `:`"
	errKey        = "key must be a string"
	errComma      = "trailing comma"
	errTrailing   = "trailing characters"
	errEscape     = "invalid escape"
	errControl    = `control character (\u0000-\u001F) found while parsing a string`
	errSurrogate  = "lone leading surrogate in hex escape"
	errHalfPair   = "unexpected end of hex escape"
	errUnicode    = "invalid unicode code point"
	errTooDeep    = "recursion limit exceeded"
)

// Parse reads JSON text (RFC 8259, nothing more) into its canonical value. Canonical text is kept
// as it is, without a copy; anything else is written anew.
func Parse(text string) (Value, error) {
	if isCanonical(text) {
		return of(text), nil
	}
	p := parser{src: text, out: make([]byte, 0, len(text))}
	if err := p.document(); err != nil {
		return Value{}, err
	}
	return of(owned(p.out)), nil
}

// parser reads JSON text and writes its canonical form at once. There is no tree between:
// members of an object are written as they come and put in order when it ends.
type parser struct {
	src     string
	pos     int
	depth   int
	out     []byte
	members []member // of the objects being read, outermost first
	spare   []byte   // where members are put in order
}

// member is one member of an object being read; its text is out[from:to].
type member struct {
	key      string
	from, to int
}

func (p *parser) document() error {
	if i := invalidUTF8(p.src); i >= 0 {
		p.pos = i
		return p.failHere(errUnicode)
	}
	if err := p.value(); err != nil {
		return err
	}
	if _, ok := p.next(); ok {
		return p.failHere(errTrailing)
	}
	return nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8, -1 if there is none.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}

// next skips white space and shows the byte after it.
func (p *parser) next() (c byte, ok bool) {
	for p.pos < len(p.src) {
		c = p.src[p.pos]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, true
		}
		p.pos++
	}
	return 0, false
}

// peek shows the next byte, 0 at the end (and for a zero byte, which fits nowhere either).
func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

// fail reports an error behind what was read; failHere at the byte to be read.
func (p *parser) fail(reason string) error { return p.errorAt(reason, p.pos) }

func (p *parser) failHere(reason string) error {
	return p.errorAt(reason, min(p.pos+1, len(p.src)))
}

func (p *parser) errorAt(reason string, end int) error {
	before := p.src[:end]
	return &SyntaxError{
		Reason: reason,
		Line:   1 + strings.Count(before, "\n"),
		Column: end - (strings.LastIndexByte(before, '\n') + 1),
	}
}

func (p *parser) value() error {
	c, ok := p.next()
	if !ok {
		return p.failHere(errEndValue)
	}
	switch {
	case c == '"':
		_, err := p.string()
		return err
	case c == '[':
		return p.nested(p.array)
	case c == '{':
		return p.nested(p.object)
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case c == 'n':
		return p.word("null")
	case c == 't':
		return p.word("true")
	case c == 'f':
		return p.word("false")
	}
	return p.failHere(errValue)
}

func (p *parser) word(word string) error {
	for i := range len(word) {
		if p.pos == len(p.src) {
			return p.fail(errEndValue)
		}
		p.pos++
		if p.src[p.pos-1] != word[i] {
			return p.fail(errIdent)
		}
	}
	p.out = append(p.out, word...)
	return nil
}

func (p *parser) nested(read func() error) error {
	if p.depth == maxDepth {
		return p.failHere(errTooDeep)
	}
	p.depth++
	p.out = append(p.out, p.src[p.pos])
	p.pos++
	err := read()
	p.depth--
	return err
}

// step goes to the next element of an array or object that ends with end; more is false at
// its end.
func (p *parser) step(first bool, end byte, errEnd, errNext string) (more bool, err error) {
	c, ok := p.next()
	switch {
	case !ok:
		return false, p.failHere(errEnd)
	case c == end:
		p.pos++
		p.out = append(p.out, end)
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, p.failHere(errNext)
	}
	p.pos++
	p.out = append(p.out, ',')
	c, ok = p.next()
	switch {
	case !ok:
		return false, p.failHere(errEndValue)
	case c == end:
		return false, p.failHere(errComma)
	}
	return true, nil
}

func (p *parser) array() error {
	for first := true; ; first = false {
		more, err := p.step(first, ']', errEndList, errListNext)
		if err != nil || !more {
			return err
		}
		if err := p.value(); err != nil {
			return err
		}
	}
}

func (p *parser) object() error {
	mine, start, sorted := len(p.members), len(p.out), true
	for first := true; ; first = false {
		more, err := p.step(first, '}', errEndObject, errObjectNext)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		sorted = sorted && (first || p.members[len(p.members)-1].key < m.key)
		p.members = append(p.members, m)
	}
	if !sorted {
		p.sortMembers(p.members[mine:], start)
	}
	p.members = p.members[:mine]
	return nil
}

func (p *parser) member() (m member, err error) {
	m.from = len(p.out)
	if p.peek() != '"' {
		return m, p.failHere(errKey)
	}
	if m.key, err = p.string(); err != nil {
		return m, err
	}
	switch c, ok := p.next(); {
	case !ok:
		return m, p.failHere(errEndObject)
	case c != ':':
		return m, p.failHere(errColon)
	}
	p.pos++
	p.out = append(p.out, ':')
	err = p.value()
	m.to = len(p.out)
	return m, err
}

// sortMembers puts the members of the object whose text is out[start:] in order,
// of those with equal keys the last.
func (p *parser) sortMembers(members []member, start int) {
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	p.spare = p.spare[:0]
	for i, m := range members {
		if i+1 < len(members) && members[i+1].key == m.key {
			continue
		}
		if len(p.spare) > 0 {
			p.spare = append(p.spare, ',')
		}
		p.spare = append(p.spare, p.out[m.from:m.to]...)
	}
	p.out = append(append(p.out[:start], p.spare...), '}')
}

// string reads a string, writes it, and returns what it says.
func (p *parser) string() (string, error) {
	p.pos++
	start := len(p.out) + 1
	p.out = append(p.out, '"')
	for plain := true; ; plain = false {
		n := plainLen(p.src[p.pos:])
		p.out = append(p.out, p.src[p.pos:p.pos+n]...)
		p.pos += n
		if p.pos == len(p.src) {
			return "", p.fail(errEndString)
		}
		p.pos++
		switch p.src[p.pos-1] {
		case '"':
			said := p.src[p.pos-1-n : p.pos-1]
			if !plain {
				said = unquote(string(p.out[start:]))
			}
			p.out = append(p.out, '"')
			return said, nil
		case '\\':
			if err := p.escape(); err != nil {
				return "", err
			}
		default:
			return "", p.fail(errControl)
		}
	}
}

// escape reads what follows a backslash.
func (p *parser) escape() error {
	if p.pos == len(p.src) {
		return p.fail(errEndString)
	}
	p.pos++
	letter := p.src[p.pos-1]
	if letter == 'u' {
		return p.unicodeEscape()
	}
	c := unescapes[letter]
	if c == 0 {
		return p.fail(errEscape)
	}
	p.appendRune(rune(c))
	return nil
}

func (p *parser) unicodeEscape() error {
	r, err := p.hex4()
	if err != nil {
		return err
	}
	switch {
	case 0xDC00 <= r && r <= 0xDFFF:
		return p.fail(errSurrogate)
	case 0xD800 <= r && r <= 0xDBFF:
		low, err := p.lowSurrogate()
		if err != nil {
			return err
		}
		r = (r-0xD800)<<10 | (low - 0xDC00) + 0x10000
	}
	p.appendRune(r)
	return nil
}

// lowSurrogate reads the second half of a pair, an escape of its own.
func (p *parser) lowSurrogate() (rune, error) {
	for _, want := range []byte(`\u`) {
		if p.pos == len(p.src) {
			return 0, p.fail(errEndString)
		}
		p.pos++
		if p.src[p.pos-1] != want {
			return 0, p.fail(errHalfPair)
		}
	}
	low, err := p.hex4()
	if err == nil && (low < 0xDC00 || low > 0xDFFF) {
		err = p.fail(errSurrogate)
	}
	return low, err
}

func (p *parser) hex4() (r rune, err error) {
	if len(p.src)-p.pos < 4 {
		p.pos = len(p.src)
		return 0, p.fail(errEndString)
	}
	for range 4 {
		d := unhex(p.src[p.pos])
		p.pos++
		if d == 0xff {
			return 0, p.fail(errEscape)
		}
		r = r<<4 | rune(d)
	}
	return r, nil
}

func (p *parser) appendRune(r rune) {
	if r < utf8.RuneSelf && escapes[r] != 0 {
		p.out = appendEscape(p.out, byte(r))
		return
	}
	p.out = utf8.AppendRune(p.out, r)
}

// number reads a number and writes it.
func (p *parser) number() error {
	n, reason := p.readNumber()
	if reason != "" {
		return p.fail(reason)
	}
	var ok bool
	if p.out, ok = n.appendTo(p.out); !ok {
		return p.fail(errRange)
	}
	return nil
}

// readNumber reads a number; p.pos is where a reason to refuse it is reported.
func (p *parser) readNumber() (n number, reason string) {
	n.integer = true
	if p.peek() == '-' {
		n.negative = true
		p.pos++
	}
	if reason = p.integerDigits(&n); reason != "" {
		return n, reason
	}
	if p.peek() == '.' {
		if reason = p.fractionDigits(&n); reason != "" {
			return n, reason
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		reason = p.exponent(&n)
	}
	return n, reason
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// take adds a digit unless it does not fit.
func (n *number) take(c byte) bool {
	d := uint64(c - '0')
	const most = 1<<64 - 1
	if n.digits >= most/10 && (n.digits > most/10 || d > most%10) {
		return false
	}
	n.digits = n.digits*10 + d
	return true
}

func (p *parser) integerDigits(n *number) string {
	switch c := p.peek(); {
	case p.pos == len(p.src):
		return errEndValue
	case !isDigit(c):
		p.pos++
		return errNumber
	case c == '0':
		p.pos++
		if isDigit(p.peek()) {
			p.pos++
			return errNumber
		}
		return ""
	}
	for isDigit(p.peek()) && n.take(p.peek()) {
		p.pos++
	}
	for ; isDigit(p.peek()); p.pos++ {
		n.integer = false // the digits that did not fit are powers of ten now
		n.exponent++
	}
	return ""
}

func (p *parser) fractionDigits(n *number) string {
	p.pos++
	n.integer = false
	if !isDigit(p.peek()) {
		if p.pos == len(p.src) {
			return errEndValue
		}
		p.pos++
		return errNumber
	}
	for isDigit(p.peek()) && n.take(p.peek()) {
		p.pos++
		n.exponent--
	}
	for isDigit(p.peek()) {
		p.pos++
	}
	return ""
}

func (p *parser) exponent(n *number) string {
	p.pos++
	n.integer = false
	sign := p.peek()
	if sign == '+' || sign == '-' {
		p.pos++
	}
	if p.pos == len(p.src) {
		return errEndValue
	}
	if !isDigit(p.peek()) {
		p.pos++
		return errNumber
	}
	written := int64(0)
	for ; isDigit(p.peek()); p.pos++ {
		written = written*10 + int64(p.peek()-'0')
		if written > 1<<31-1 {
			return p.hugeExponent(n, sign)
		}
	}
	if sign == '-' {
		written = -written
	}
	n.exponent = int32(max(-1<<31, min(1<<31-1, int64(n.exponent)+written)))
	return ""
}

// hugeExponent ends the reading of an exponent beyond 32 bits: zero, or out of range.
func (p *parser) hugeExponent(n *number, sign byte) string {
	if n.digits != 0 && sign != '-' {
		p.pos++
		return errRange
	}
	for isDigit(p.peek()) {
		p.pos++
	}
	n.digits = 0
	return ""
}
