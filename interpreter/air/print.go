package air

import (
	"math"
	"strconv"
	"strings"
)

// Text is the short text of an instruction as error objects and messages name it: its
// name and operands without brackets and branches, values in canonical form.
//
//	call %init_peer_id% ("op" "noop") [1 x.$.a] out
func Text(i Instr) string {
	p := printer{spoken: true}
	p.head(i)
	return string(p.buf)
}

// Format prints a script in its canonical form: an instruction a line, one blank of
// indentation a level, the ")" of an instruction with branches on a line of its own.
func Format(i Instr) string {
	var p printer
	p.instr(i)
	return string(p.buf)
}

// String is the canonical text of a value. A float without fraction looks like an
// integer (2.0 is 2), as it does in the messages of AquaVM.
func (v Value) String() string {
	p := printer{spoken: true}
	p.value(&v)
	return string(p.buf)
}

// maxIndent bounds the indentation: without a bound a deeply nested script would
// grow with the square of its depth.
const maxIndent = 512

// printer appends the text of a script to buf.
type printer struct {
	buf      []byte
	depth    int
	spoken   bool      // the short text for messages, not the one to be read back
	comments *comments // of a source that is being formatted
}

// instr prints an instruction with its branches.
func (p *printer) instr(i Instr) {
	p.comments.before(p, i.At().Start)
	p.indent()
	p.buf = append(p.buf, '(')
	p.head(i)
	left, right := branches(i)
	if left != nil {
		p.buf = append(p.buf, '\n')
		p.depth++
		p.instr(left)
		if right != nil {
			p.instr(right)
		}
		p.comments.before(p, i.At().End)
		p.depth--
		p.indent()
	}
	p.buf = append(p.buf, ")\n"...)
}

// branches are the instructions inside i; both are nil for a leaf.
func branches(i Instr) (left, right Instr) {
	switch i := i.(type) {
	case *Seq:
		return i.Left, i.Right
	case *Par:
		return i.Left, i.Right
	case *Xor:
		return i.Left, i.Right
	case *Match:
		return i.Body, nil
	case *Mismatch:
		return i.Body, nil
	case *New:
		return i.Body, nil
	case *Fold:
		return i.Body, i.Last
	}
	return nil, nil
}

const blanks = "                                                                "

func (p *printer) indent() {
	n := min(p.depth, maxIndent)
	for ; n > len(blanks); n -= len(blanks) {
		p.buf = append(p.buf, blanks...)
	}
	p.buf = append(p.buf, blanks[:n]...)
}

// head prints the name and the operands of an instruction.
func (p *printer) head(i Instr) {
	switch i := i.(type) {
	case *Null:
		p.add("null")
	case *Never:
		p.add("never")
	case *Seq:
		p.add("seq")
	case *Par:
		p.add("par")
	case *Xor:
		p.add("xor")
	case *Call:
		p.call(i)
	case *Canon:
		p.add("canon ")
		p.value(&i.Peer)
		p.add(" ")
		p.add(i.From.Name)
		if !p.spoken {
			p.add(" ") // the reference compiler has two blanks here
		}
		p.add(" ")
		p.add(i.Out.Name)
	case *Ap:
		p.add("ap ")
		p.value(&i.Arg)
		p.add(" ")
		p.add(i.Out.Name)
	case *ApMap:
		p.add("ap (")
		p.value(&i.Key)
		p.add(" ")
		p.value(&i.Arg)
		p.add(") ")
		p.add(i.Map.Name)
	case *Match:
		p.add("match ")
		p.pair(&i.Left, &i.Right)
	case *Mismatch:
		p.add("mismatch ")
		p.pair(&i.Left, &i.Right)
	case *Fold:
		p.add("fold ")
		p.value(&i.Iterable)
		p.add(" ")
		p.add(i.Iterator.Name)
	case *Next:
		p.add("next ")
		p.add(i.Iterator.Name)
	case *New:
		p.add("new ")
		p.add(i.Var.Name)
	case *Fail:
		p.fail(i)
	}
}

// call leaves a blank for a missing output in messages, as AquaVM does.
func (p *printer) call(i *Call) {
	p.add("call ")
	p.value(&i.Peer)
	p.add(" (")
	p.pair(&i.Service, &i.Function)
	p.add(") [")
	for k := range i.Args {
		if k > 0 {
			p.add(" ")
		}
		p.value(&i.Args[k])
	}
	p.add("]")
	if i.Out != nil {
		p.add(" ")
		p.add(i.Out.Name)
	} else if p.spoken {
		p.add(" ")
	}
}

func (p *printer) fail(i *Fail) {
	p.add("fail ")
	if !i.Literal {
		p.value(&i.Of)
		return
	}
	p.buf = strconv.AppendInt(p.buf, i.Code, 10)
	p.add(` "`)
	p.add(i.Message)
	p.add(`"`)
}

func (p *printer) add(s string) { p.buf = append(p.buf, s...) }

func (p *printer) pair(a, b *Value) {
	p.value(a)
	p.add(" ")
	p.value(b)
}

func (p *printer) value(v *Value) {
	switch v.Kind {
	case String:
		p.add(`"`)
		p.add(v.Text)
		p.add(`"`)
	case Int:
		p.buf = strconv.AppendInt(p.buf, v.Int, 10)
	case Float:
		p.float(v.Float)
	case Bool:
		p.buf = strconv.AppendBool(p.buf, v.Bool)
	case EmptyArray:
		p.add("[]")
	case InitPeerID:
		p.add("%init_peer_id%")
	case Timestamp:
		p.add("%timestamp%")
	case TTL:
		p.add("%ttl%")
	case LastError:
		p.add("%last_error%")
		p.lens(v.Lens)
	case Error:
		p.add(":error:")
		p.lens(v.Lens)
	case Variable:
		p.add(v.Var.Name)
		p.lens(v.Lens)
	}
}

// float keeps the dot in what is to be read back, within the length a float may have.
func (p *printer) float(f float64) {
	from := len(p.buf)
	p.buf = strconv.AppendFloat(p.buf, f, 'f', -1, 64)
	if p.spoken || f != math.Trunc(f) {
		return
	}
	p.add(".")
	if len(p.buf)-from < maxFloatLen {
		p.add("0")
	}
}

func (p *printer) lens(l Lens) { p.buf = l.append(p.buf) }

// FormatSource prints a script like Format and keeps its comments: those on a line of
// their own before the instruction they stand before, those behind something at the end
// of its line.
func FormatSource(src string) (string, error) {
	s, err := Parse(src)
	if err != nil {
		return "", err
	}
	p := printer{buf: make([]byte, 0, len(src)), comments: findComments(src)}
	p.instr(s.Tree())
	p.comments.before(&p, int32(len(src))+1)
	return string(p.buf), nil
}

// comments are those of a source that are still to be printed.
type comments struct{ left []comment }

type comment struct {
	at    int32
	text  string // without trailing blanks
	alone bool   // nothing stands before it on its line
}

// findComments scans a script that is known to be good.
func findComments(src string) *comments {
	var c comments
	s := scanner{src: src}
	for s.tok.kind != tokEOF {
		end := int(s.tok.End)
		s.next()
		if s.tok.kind == tokEOF {
			c.gap(src, end, len(src))
		} else {
			c.gap(src, end, int(s.tok.Start))
		}
	}
	return &c
}

// gap collects the comments between two tokens.
func (c *comments) gap(src string, from, to int) {
	for i := from; i < to; i++ {
		if src[i] != ';' {
			continue
		}
		end := lineEnd(src, i)
		lineStart := strings.LastIndexByte(src[:i], '\n') + 1
		c.left = append(c.left, comment{
			at:    int32(i),
			text:  strings.TrimRight(src[i:end], " \t\r"),
			alone: strings.TrimSpace(src[lineStart:i]) == "",
		})
		i = end
	}
}

// before prints the comments that stand before offset at in the source. The printer is
// at the beginning of a line.
func (c *comments) before(p *printer, at int32) {
	if c == nil {
		return
	}
	room := true // for a comment at the end of the last line
	for len(c.left) > 0 && c.left[0].at < at {
		next := c.left[0]
		c.left = c.left[1:]
		if !next.alone && room && len(p.buf) > 0 {
			p.buf = append(p.buf[:len(p.buf)-1], ' ')
		} else {
			p.indent()
		}
		p.add(next.text)
		p.buf = append(p.buf, '\n')
		room = false
	}
}
