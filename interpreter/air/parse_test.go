package air

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sexpr shows a tree with the kinds of its values and variables spelled out, without
// positions.
func sexpr(i Instr) string {
	var b strings.Builder
	writeSexpr(&b, i)
	return b.String()
}

func writeSexpr(b *strings.Builder, i Instr) {
	fmt.Fprintf(b, "(%s", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", i), "*air.")))
	for _, s := range operands(i) {
		b.WriteString(" " + s)
	}
	left, right := branches(i)
	for _, branch := range []Instr{left, right} {
		if branch != nil {
			b.WriteByte(' ')
			writeSexpr(b, branch)
		}
	}
	b.WriteByte(')')
}

func operands(i Instr) []string {
	switch i := i.(type) {
	case *Call:
		s := []string{valueSexpr(i.Peer), valueSexpr(i.Service), valueSexpr(i.Function)}
		for _, a := range i.Args {
			s = append(s, valueSexpr(a))
		}
		if i.Out != nil {
			s = append(s, "->", varSexpr(*i.Out))
		}
		return s
	case *Canon:
		return []string{valueSexpr(i.Peer), varSexpr(i.From), varSexpr(i.Out)}
	case *Ap:
		return []string{valueSexpr(i.Arg), varSexpr(i.Out)}
	case *ApMap:
		return []string{valueSexpr(i.Key), valueSexpr(i.Arg), varSexpr(i.Map)}
	case *Match:
		return []string{valueSexpr(i.Left), valueSexpr(i.Right)}
	case *Mismatch:
		return []string{valueSexpr(i.Left), valueSexpr(i.Right)}
	case *Fold:
		return []string{valueSexpr(i.Iterable), varSexpr(i.Iterator)}
	case *Next:
		return []string{varSexpr(i.Iterator)}
	case *New:
		return []string{varSexpr(i.Var)}
	case *Fail:
		if i.Literal {
			return []string{fmt.Sprint(i.Code), fmt.Sprintf("%q", i.Message)}
		}
		return []string{valueSexpr(i.Of)}
	}
	return nil
}

func varSexpr(v Var) string {
	return [...]string{"scalar", "stream", "map", "canon", "canonmap"}[v.Kind] + ":" + v.Name
}

func valueSexpr(v Value) string {
	var s string
	switch v.Kind {
	case String:
		s = fmt.Sprintf("%q", v.Text)
	case Int:
		s = fmt.Sprintf("int:%d", v.Int)
	case Float:
		s = fmt.Sprintf("float:%g", v.Float)
	case Bool:
		s = fmt.Sprintf("bool:%t", v.Bool)
	case Variable:
		s = varSexpr(v.Var)
	default:
		s = v.String()
		return s
	}
	if v.Lens.Length {
		return s + "|length"
	}
	for _, a := range v.Lens.Path {
		s += "|" + [...]string{"index:", "field:", "scalar:"}[a.Kind] + strings.Trim(a.String(), "[]")
	}
	return s
}

func TestParse(t *testing.T) {
	tests := []struct{ src, want string }{
		{`(null)`, `(null)`},
		{`(never)`, `(never)`},
		{" \n\t(null)\u00a0\u2003; the end", `(null)`},
		{`(seq (null) (never))`, `(seq (null) (never))`},
		{`(seq(null))`, ``},
		{`(seq (null)(never))`, `(seq (null) (never))`},
		{`(par (xor (null) (null)) (null))`, `(par (xor (null) (null)) (null))`},
		{`(call "p" ("s" "f") [])`, `(call "p" "s" "f")`},
		{`(call "p"("s""f")[]x)`, `(call "p" "s" "f" -> scalar:x)`},
		{`(call %init_peer_id% ("s" "f") [] $s)`, `(call %init_peer_id% "s" "f" -> stream:$s)`},
		{`(call "p" ("s" "f") ["a" 1 -2 1.5 true false [] %timestamp% %ttl% %init_peer_id% :error: %last_error%.$.message])`,
			`(call "p" "s" "f" "a" int:1 int:-2 float:1.5 bool:true bool:false [] %timestamp% %ttl% %init_peer_id% :error: %last_error%.$.message)`},
		{`(call "p" ("s" "f") [+8 007 -0 1. 0.10 -1.50])`, `(call "p" "s" "f" int:8 int:7 int:0 float:1 float:0.1 float:-1.5)`},
		{`(call "p" ("s" "f") [9223372036854775807 -9223372036854775808])`, `(call "p" "s" "f" int:9223372036854775807 int:-9223372036854775808)`},
		{`(call "p" ("s" "f") ["a\" ";" "` + "\n" + `" ""])`, `(call "p" "s" "f" "a\\" ";" "\n" "")`},
		{`(new x (call x (x.$.a x.$.[0]) [x.length x.$[1][2].b.[x]!]))`,
			`(new scalar:x (call scalar:x scalar:x|field:a scalar:x|index:0 scalar:x|length scalar:x|index:1|index:2|field:b|scalar:x))`},
		{`(new #cc (call #cc.$.[0] (#cc.$.[0].a "f") [#cc #cc.length]))`,
			`(new canon:#cc (call canon:#cc|index:0 canon:#cc|index:0|field:a "f" canon:#cc canon:#cc|length))`},
		{`(new #%m (call #%m.$.k ("s" "f") [#%m #%m.$.[k].length]))`, ``},
		{`(new #%m (new k (call #%m.$.k ("s" "f") [#%m #%m.$.[k].length])))`,
			`(new canonmap:#%m (new scalar:k (call canonmap:#%m|field:k "s" "f" canonmap:#%m canonmap:#%m|scalar:k|field:length)))`},
		{`(canon "p" $s #c)`, `(canon "p" stream:$s canon:#c)`},
		{`(canon "p" $s #$c)`, `(canon "p" stream:$s canon:#$c)`},
		{`(canon "p" %m #%m)`, `(canon "p" map:%m canonmap:#%m)`},
		{`(canon x %m y)`, `(canon scalar:x map:%m scalar:y)`},
		{`(ap 1 x)`, `(ap int:1 scalar:x)`},
		{`(ap "a" $s)`, `(ap "a" stream:$s)`},
		{`(ap ("k" x) %m)`, `(apmap "k" scalar:x map:%m)`},
		{`(ap (-1 []) %m)`, `(apmap int:-1 [] map:%m)`},
		{`(match 1 1.0 (null))`, `(match int:1 float:1 (null))`},
		{`(mismatch true "x" (null))`, `(mismatch bool:true "x" (null))`},
		{`(fold [] i (next i))`, `(fold [] scalar:i (next scalar:i))`},
		{`(fold [] i (null) (never))`, `(fold [] scalar:i (null) (never))`},
		{`(seq (ap 1 $s) (fold $s i (par (null) (next i))))`, `(seq (ap int:1 stream:$s) (fold stream:$s scalar:i (par (null) (next scalar:i))))`},
		{`(seq (ap (1 1) %m) (fold %m i (next i)))`, `(seq (apmap int:1 int:1 map:%m) (fold map:%m scalar:i (next scalar:i)))`},
		{`(new #%m (fold #%m.$.k i (null)))`, `(new canonmap:#%m (fold canonmap:#%m|field:k scalar:i (null)))`},
		{`(fail 1 "x")`, `(fail 1 "x")`},
		{`(fail x)`, `(fail scalar:x)`},
		{`(fail x.$.e)`, `(fail scalar:x|field:e)`},
		{`(fail #cc.$.[0])`, `(fail canon:#cc|index:0)`},
		{`(fail :error:)`, `(fail :error:)`},
		{`(fail %last_error%)`, `(fail %last_error%)`},
		{`(ap 1 1abc)`, `(ap int:1 scalar:1abc)`},
		{`(ap 1 -a)`, `(ap int:1 scalar:-a)`},
		{`(ap 1 +a)`, `(ap int:1 scalar:+a)`},
		{`(ap 1 5-5)`, `(ap int:1 scalar:5-5)`},
		{`(ap 1 sequel)`, `(ap int:1 scalar:sequel)`},
		{`(ap 1 naïve)`, `(ap int:1 scalar:naïve)`},
		{`(new a%b (null))`, `(new canonmap:a%b (null))`},
		{`(new %%x (null))`, `(new canonmap:%%x (null))`},
		{`(new %last_error (null))`, `(new map:%last_error (null))`},
		{`(match :error:.$.a![0] :error:.length (null))`, `(match :error:.$.a.[0] :error:.length (null))`},
		{`(fold i i (ap i x))`, `(fold scalar:i scalar:i (ap scalar:i scalar:x))`},
	}
	for _, test := range tests {
		got := ""
		s, err := Parse(test.src)
		if err == nil {
			got = sexpr(s.Tree())
		}
		if got != test.want {
			t.Errorf("Parse(%q) = %s, want %s (error: %v)", test.src, got, test.want, err)
		}
	}
}

func TestSpans(t *testing.T) {
	src := " (seq\n  (call \"p\" (\"s\" \"f\") [] $s) ; call\n (fold $s i (next i) ) )"
	script, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s Span) string { return src[s.Start:s.End] }
	seq := script.Tree().(*Seq)
	call, fold := seq.Left.(*Call), seq.Right.(*Fold)
	for _, test := range []struct{ got, want string }{
		{text(seq.At()), src[1:]},
		{text(call.At()), `(call "p" ("s" "f") [] $s)`},
		{text(fold.At()), `(fold $s i (next i) )`},
		{text(fold.Body.At()), `(next i)`},
		{src[call.Out.Pos:][:2], "$s"},
		{src[fold.Iterable.Var.Pos:][:4], "$s i"},
		{src[fold.Iterator.Pos:][:3], "i ("},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	for _, src := range []string{"(ap \"\xff\" x)", "\xc3", "(null) ; \xed\xa0\x80"} {
		if _, err := Parse(src); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
			t.Errorf("Parse(%q): %v, want a refusal for its encoding", src, err)
		}
	}
}

// nested builds depth seqs inside one another.
func nested(head string, depth int, tail string) string {
	return strings.Repeat(head, depth) + "(null)" + strings.Repeat(tail, depth)
}

func TestDeepNesting(t *testing.T) {
	for _, test := range []struct{ head, tail string }{
		{"(seq (null) ", ")"}, {"(xor ", " (null))"}, {"(new x ", ")"}, {"(match 1 1 ", ")"},
	} {
		s, err := Parse(nested(test.head, MaxDepth, test.tail))
		if err != nil {
			t.Errorf("%s: %.300s", test.head, err)
			continue
		}
		if text := Text(s.Tree()); !strings.HasPrefix(test.head, "("+text) {
			t.Errorf("%s: the root is %s", test.head, text)
		}
		_, err = Parse(nested(test.head, MaxDepth+1, test.tail))
		if err == nil || !strings.Contains(err.Error(), "more than 100000 levels deep") {
			t.Errorf("%s: %.300v, want a refusal of the depth", test.head, err)
		}
	}
}

func TestDeepFormat(t *testing.T) {
	const depth = 20_000
	s, err := Parse(nested("(new x ", depth, ")"))
	if err != nil {
		t.Fatal(err)
	}
	text := Format(s.Tree())
	if most := depth * 2 * (maxIndent + len("(new x\n")); len(text) > most {
		t.Errorf("Format gives %d bytes, want at most %d", len(text), most)
	}
	again, err := Parse(text)
	if err != nil || Format(again.Tree()) != text {
		t.Errorf("the text of a deep script does not come back: %.100v", err)
	}
}

// TestHostileScripts measures that no text makes the parser, the checks or the messages
// take more than about linear time.
func TestHostileScripts(t *testing.T) {
	const n = 100_000
	many := func(format string) string {
		var b strings.Builder
		for k := range n {
			fmt.Fprintf(&b, format, k)
		}
		return b.String()
	}
	tests := map[string]string{
		"open brackets":      strings.Repeat("(", n),
		"open seqs":          strings.Repeat("(seq ", n),
		"open folds":         strings.Repeat("(fold x i ", n) + strings.Repeat("(next i", n),
		"closed too often":   strings.Repeat("(seq ", n) + strings.Repeat(")", n),
		"garbage in new":     strings.Repeat("(new x ", n) + strings.Repeat("5 ( )", n),
		"undefined names":    "(call \"p\" (\"s\" \"f\") [" + many("x%d ") + "])",
		"undefined nexts":    nested("(seq (next i) ", n, ")"),
		"news of iterators":  "(fold [] i " + nested("(new i ", n-1, ")") + ")",
		"folds of one name":  nested("(fold [] i ", n, ")"),
		"one long word":      strings.Repeat("x(", n) + "5",
		"one long lens":      "(ap x" + strings.Repeat(".$", n) + " y)",
		"one long good lens": "(ap x.$" + strings.Repeat(".a", n) + " y)",
		"one long bad lens":  "(ap x.$" + strings.Repeat(".", n) + " y)",
		"empty lines":        "(seq (next i) (match x 1" + strings.Repeat("\n", n) + "(next j)))",
		"errors on lines":    strings.Repeat("(seq\n(fail 0 \"\")\n", n) + "(null)" + strings.Repeat("\n)", n),
	}
	for name, src := range tests {
		start := time.Now()
		_, err := Parse(src)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		text, human := err.Error(), err.(*ParseError).Human("script.air")
		t.Logf("%-18s %7d bytes, %8d bytes of message, %6d for people, %v", name, len(src), len(text), len(human), time.Since(start).Round(time.Millisecond))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if len(text) > 64<<20 || len(human) > 64<<20 {
			t.Errorf("%s: messages of %d and %d bytes", name, len(text), len(human))
		}
	}
}
