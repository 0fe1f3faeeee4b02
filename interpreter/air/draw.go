package air

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file draws the picture of the source with labels in which AquaVM shows what is
// wrong with a script: the layout is that of the Rust library codespan-reporting.
//
//	error:
//	  ┌─ script.air:1:6
//	  │
//	1 │   (seq (match x 1 (null
//	  │ ╭──────^
//	2 │ │ )) (next j))
//	  │ │    ^^^^^^^^ iterable 'j' wasn't defined
//	  │ ╰──^ variable 'x' wasn't defined
//
// A label that covers several lines has a column of its own between the border and the
// text; its inner lines are left out but for three after its first and one before its last.

const (
	linesAfterTop     = 3
	linesBeforeBottom = 1
)

// drawing is the picture for all diagnostics that are affordable.
func drawing(src string, ds []Diagnostic) string {
	ds = ds[:affordable(src, ds)]
	d := drawer{src: src, starts: lineStarts(src), single: map[int][]label{}}
	for _, diagnostic := range ds {
		d.add(diagnostic)
	}
	return d.draw(ds[0].Span.Start)
}

// affordable is how many of the diagnostics to show. One label costs up to the length
// of its line, so that a long script on one line with many errors would make a picture
// of the square of its length.
func affordable(src string, ds []Diagnostic) int {
	const labels, size = 100, 1 << 20
	longest := 1
	for k := range min(len(ds), labels) {
		_, text := lineAt(src, ds[k].Span.Start)
		longest = max(longest, len(text))
		if k > 0 && (k+1)*longest > size {
			return k
		}
	}
	return min(len(ds), labels)
}

// label marks a range of a single line, or the lines from first to last.
type label struct {
	first, last int // lines, from 0
	start, end  int // byte offsets in the first and in the last line
	text        string
	flush       bool // only blanks stand before it on its first line
}

type drawer struct {
	strings.Builder
	src    string
	starts []int           // of the lines
	single map[int][]label // by line, sorted by place
	multi  []label         // one per column
	pad    int             // width of the line numbers
}

func lineStarts(src string) []int {
	starts := []int{0}
	for k := range len(src) {
		if src[k] == '\n' {
			starts = append(starts, k+1)
		}
	}
	return starts
}

// lineOf is the line that holds an offset.
func (d *drawer) lineOf(at int32) int {
	n, found := slices.BinarySearch(d.starts, int(at))
	if found {
		return n
	}
	return n - 1
}

// line is the text of a line without its end.
func (d *drawer) line(n int) string {
	end := len(d.src)
	if n+1 < len(d.starts) {
		end = d.starts[n+1]
	}
	return strings.TrimRight(d.src[d.starts[n]:end], "\n\r\x00")
}

func (d *drawer) add(diagnostic Diagnostic) {
	l := label{first: d.lineOf(diagnostic.Span.Start), last: d.lineOf(diagnostic.Span.End), text: diagnostic.Label}
	l.start = int(diagnostic.Span.Start) - d.starts[l.first]
	l.end = int(diagnostic.Span.End) - d.starts[l.last]
	d.pad = max(d.pad, len(fmt.Sprint(l.last+1)))
	if l.first != l.last {
		l.flush = strings.TrimSpace(d.src[d.starts[l.first]:diagnostic.Span.Start]) == ""
		d.multi = append(d.multi, l)
		return
	}
	l.end = max(l.end, l.start+1)
	on := d.single[l.first]
	at, _ := slices.BinarySearchFunc(on, l, func(a, b label) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return a.end - b.end
	})
	d.single[l.first] = slices.Insert(on, at, l)
}

func (d *drawer) draw(at int32) string {
	line, column := position(d.src, at)
	d.WriteString("error: \n")
	d.margin()
	fmt.Fprintf(d, "┌─ script.air:%d:%d\n", line, column)
	d.margin()
	d.WriteString("│" + strings.Repeat("  ", len(d.multi)) + "\n")
	lines := d.lines()
	for k, n := range lines {
		d.drawLine(n)
		if k+1 == len(lines) {
			break
		}
		switch lines[k+1] - n {
		case 1:
		case 2:
			d.drawLine(n + 1)
		default:
			d.margin()
			d.WriteString("·")
			d.columns(n)
			d.WriteByte('\n')
		}
	}
	d.WriteByte('\n')
	return d.String()
}

// lines are the lines to be shown, in order.
func (d *drawer) lines() []int {
	var lines []int
	for n := range d.single {
		lines = append(lines, n)
	}
	for _, l := range d.multi {
		for n := l.first; n <= min(l.first+linesAfterTop, l.last); n++ {
			lines = append(lines, n)
		}
		for n := max(l.first, l.last-linesBeforeBottom); n <= l.last; n++ {
			lines = append(lines, n)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// margin is the empty place of a line number.
func (d *drawer) margin() { d.blank(d.pad + 1) }

func (d *drawer) blank(n int) { d.repeat(" ", n) }

func (d *drawer) repeat(s string, n int) {
	for range n {
		d.WriteString(s)
	}
}

// drawLine shows a line with everything under it.
func (d *drawer) drawLine(n int) {
	text := d.line(n)
	fmt.Fprintf(d, "%*d │", d.pad, n+1)
	for _, l := range d.multi {
		switch {
		case n == l.first && l.flush:
			d.WriteString(" ╭")
		case n > l.first && n <= l.last:
			d.WriteString(" │")
		default:
			d.WriteString("  ")
		}
	}
	d.WriteString(" " + expandTabs(text) + "\n")
	if on := d.single[n]; len(on) > 0 {
		d.drawSingle(n, text, on)
	}
	for k, l := range d.multi {
		switch {
		case n == l.first && !l.flush:
			d.drawCorner(n, k, "╭")
			d.repeat("─", width(text[:min(after(text, l.start), len(text))], 0))
			d.WriteString("^\n")
		case n == l.last:
			d.drawCorner(n, k, "╰")
			d.repeat("─", width(text[:min(l.end, len(text))], 0))
			d.WriteString("^ " + l.text + "\n")
		}
	}
}

// after is the offset after the character at an offset.
func after(text string, at int) int {
	_, n := utf8.DecodeRuneInString(text[min(at, len(text)):])
	return at + n
}

// columns draws the columns of the long labels beside what is not source text.
func (d *drawer) columns(n int) {
	for _, l := range d.multi {
		if n == l.first && l.flush || n > l.first && n <= l.last {
			d.WriteString(" │")
		} else {
			d.WriteString("  ")
		}
	}
}

// drawCorner draws the columns of the line that begins or ends the label of column k,
// with a rule from its corner to the text.
func (d *drawer) drawCorner(n, k int, corner string) {
	d.margin()
	d.WriteString("│")
	for j, l := range d.multi {
		left := " "
		if j > k {
			left = "─"
		}
		// corners of one line are drawn from the first column to the last
		begun := n > l.first || n == l.first && (l.flush || j < k)
		ended := n > l.last || n == l.last && j < k
		switch {
		case j == k:
			d.WriteString(" " + corner)
		case begun && !ended:
			d.WriteString(left + "│")
		default:
			d.WriteString(left + left)
		}
	}
}

// drawSingle marks the labels of a line. The last one's text stands behind its marks if
// nothing else is marked there; the others' hang below.
func (d *drawer) drawSingle(n int, text string, on []label) {
	hanging, trailing := on, ""
	if k := last(on); !overlaps(on, k) {
		trailing = " " + on[k].text
		hanging = slices.Delete(slices.Clone(on), k, k+1)
	}
	d.row(n)
	d.marks(text, on)
	d.WriteString(trailing + "\n")
	if len(hanging) == 0 {
		return
	}
	rightmost := on[len(on)-1].start
	d.row(n)
	d.pointers(text, hanging, rightmost, len(text))
	d.WriteByte('\n')
	for _, l := range slices.Backward(hanging) {
		d.row(n)
		d.pointers(text, hanging, rightmost, l.start)
		d.WriteString(l.text + "\n")
	}
}

// row begins a row below the text of line n.
func (d *drawer) row(n int) {
	d.margin()
	d.WriteString("│")
	d.columns(n)
	d.WriteByte(' ')
}

// last is the label that ends last.
func last(on []label) int {
	k := 0
	for j, l := range on {
		if l.end >= on[k].end {
			k = j
		}
	}
	return k
}

func overlaps(on []label, k int) bool {
	for j, l := range on {
		if j != k && l.start < on[k].end && on[k].start < l.end {
			return true
		}
	}
	return false
}

// marks draws "^" under everything that is marked, one place after the text included.
func (d *drawer) marks(text string, on []label) {
	end := on[last(on)].end
	k, marked, column := 0, 0, 0
	for at := 0; at <= len(text) && at < end; {
		n, w := 1, 1
		if at < len(text) {
			n, w = char(text[at:], column)
		}
		for ; k < len(on) && on[k].start < at+n; k++ {
			marked = max(marked, on[k].end)
		}
		if marked > at {
			d.repeat("^", w)
		} else {
			d.blank(w)
		}
		at, column = at+n, column+w
	}
}

// pointers draws "│" where a hanging label starts, over the text up to an offset.
func (d *drawer) pointers(text string, hanging []label, rightmost, until int) {
	k, column := 0, 0
	for at := 0; at < min(len(text), until); {
		n, w := char(text[at:], column)
		space := w
		if k < len(hanging) && hanging[k].start < at+n {
			d.WriteString("│")
			space--
		}
		for k < len(hanging) && hanging[k].start < at+n {
			k++
		}
		if at <= rightmost {
			d.blank(max(space, 0))
		}
		at, column = at+n, column+w
	}
}

// tabWidth is the distance of tab stops.
const tabWidth = 4

// char gives the length of the first character of s and its width at a column.
func char(s string, column int) (length, width int) {
	if s[0] == '\t' {
		return 1, tabWidth - column%tabWidth
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, runeWidth(r)
}

// width is the width of a text that begins at a column.
func width(s string, column int) int {
	from := column
	for len(s) > 0 {
		n, w := char(s, column)
		s, column = s[n:], column+w
	}
	return column - from
}

// expandTabs replaces tabs by blanks.
func expandTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	for column := 0; len(s) > 0; {
		n, w := char(s, column)
		if s[0] == '\t' {
			b.WriteString(strings.Repeat(" ", w))
		} else {
			b.WriteString(s[:n])
		}
		s, column = s[n:], column+w
	}
	return b.String()
}

// wide are the ranges of characters that take two columns.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1}, {Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, {Lo: 0xf900, Hi: 0xfaff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff00, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1}, {Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// runeWidth is how many columns a character takes.
func runeWidth(r rune) int {
	switch {
	case r < ' ' || r == 0x7f:
		return 0
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
