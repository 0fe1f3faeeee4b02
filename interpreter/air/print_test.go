package air

import "testing"

// parseBody parses a script for tests that care about one instruction: $s, %m, #cc, #%m,
// x, y and i are defined around it.
func parseBody(t *testing.T, src string) Instr {
	t.Helper()
	s, err := Parse("(new #cc (new #%mm (new x (new y (new $s (new %m (fold [] i " + src + ")))))))")
	if err != nil {
		t.Fatal(err)
	}
	root := s.Tree()
	for {
		inner, _ := branches(root)
		if _, ok := root.(*Fold); ok {
			return inner
		}
		root = inner
	}
}

func TestText(t *testing.T) {
	tests := []struct{ src, want string }{
		{`(call "p" ("s" "f") ["a" 1 x.$.a[0]!] y)`, `call "p" ("s" "f") ["a" 1 x.$.a.[0]] y`},
		{`(call %init_peer_id% (x y.$.f) [])`, `call %init_peer_id% (x y.$.f) [] `},
		{`(call "p" ("s" "f") [] $s)`, `call "p" ("s" "f") [] $s`},
		{`(canon  "p"   $s  #c)`, `canon "p" $s #c`},
		{`(canon x %m #%m)`, `canon x %m #%m`},
		{`(canon x %m y)`, `canon x %m y`},
		{`(ap 2.0 x)`, `ap 2 x`},
		{`(ap -1.50 $s)`, `ap -1.5 $s`},
		{`(ap 007 x)`, `ap 7 x`},
		{`(ap -0.0 x)`, `ap -0 x`},
		{`(ap 0.000000001 x)`, `ap 0.000000001 x`},
		{`(ap 1234567890. x)`, `ap 1234567890 x`},
		{`(ap true x)`, `ap true x`},
		{`(ap [] x)`, `ap [] x`},
		{`(ap #cc.length x)`, `ap #cc.length x`},
		{`(ap :error:.$.message x)`, `ap :error:.$.message x`},
		{`(ap ("k" %timestamp%) %m)`, `ap ("k" %timestamp%) %m`},
		{`(fold x.$.a j (next j))`, `fold x.$.a j`},
		{`(fold #%mm.$.[x] j (next j) (null))`, `fold #%mm.$.[x] j`},
		{`(match x %ttl% (null))`, `match x %ttl%`},
		{`(mismatch [] "" (null))`, `mismatch [] ""`},
		{`(next i)`, `next i`},
		{`(new $t (null))`, `new $t`},
		{`(fail x)`, `fail x`},
		{`(fail x.$.[0].e)`, `fail x.$.[0].e`},
		{`(fail 42 "text")`, `fail 42 "text"`},
		{`(fail %last_error%)`, `fail %last_error%`},
		{`(fail :error:)`, `fail :error:`},
		{`(seq (null) (null))`, `seq`},
		{`(par (null) (null))`, `par`},
		{`(xor (null) (null))`, `xor`},
		{`(null)`, `null`},
		{`(never)`, `never`},
	}
	for _, test := range tests {
		if got := Text(parseBody(t, test.src)); got != test.want {
			t.Errorf("Text of %s = %q, want %q", test.src, got, test.want)
		}
	}
}

// TestFormatFloats sees to it that a float stays a float, within its 11 characters.
func TestFormatFloats(t *testing.T) {
	for src, want := range map[string]string{
		"2.0": "2.0", "2.": "2.0", "-1.50": "-1.5", "+0.5": "0.5", "1234567890.": "1234567890.", "-123456789.": "-123456789.",
		"123456789.0": "123456789.0", "0.000000001": "0.000000001", "-0.0": "-0.0",
	} {
		i := parseBody(t, "(ap "+src+" x)")
		if got := Format(i); got != "(ap "+want+" x)\n" {
			t.Errorf("Format of (ap %s x) = %s, want %s", src, got, want)
		}
		if f := parseBody(t, "(ap "+want+" x)").(*Ap).Arg; f.Kind != Float || f.Float != i.(*Ap).Arg.Float {
			t.Errorf("%s reads back as %v", want, f)
		}
	}
}

func TestFormatSource(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"layout", "(seq (null)\n\n\n(xor (call \"p\"(\"s\"\"f\")[1\n2 3]x)   (never)))",
			"(seq\n (null)\n (xor\n  (call \"p\" (\"s\" \"f\") [1 2 3] x)\n  (never)\n )\n)\n"},
		{"comments before and after", "; first\n;second  \n\n(null) ; behind\n; last",
			"; first\n;second\n(null) ; behind\n; last\n"},
		{"comments inside", "(seq ; head\n; one\n(null) ; left\n   ; two\n (never)\n ; three\n) ; end",
			"(seq ; head\n ; one\n (null) ; left\n ; two\n (never)\n ; three\n) ; end\n"},
		{"comments in a head", "(call ; peer\n \"p\" ; service\n (\"s\" \"f\")\n ; arguments\n [1 ; one\n 2])",
			"(call \"p\" (\"s\" \"f\") [1 2]) ; peer\n; service\n; arguments\n; one\n"},
		{"comments behind brackets", "(seq (seq (null) (null)) ; a\n(match 1 1 (null)) ; b\n)",
			"(seq\n (seq\n  (null)\n  (null)\n ) ; a\n (match 1 1\n  (null)\n ) ; b\n)\n"},
		{"a string is no comment", "(ap \"; no ) comment\" x) ; \"yes\"",
			"(ap \"; no ) comment\" x) ; \"yes\"\n"},
		{"carriage returns", "(seq (null) ; one\r\n (null))\r\n", "(seq\n (null) ; one\n (null)\n)\n"},
		{"fold with last", "(fold [] i (null) ; body\n (null) ; last\n)", "(fold [] i\n (null) ; body\n (null) ; last\n)\n"},
	}
	for _, test := range tests {
		got, err := FormatSource(test.src)
		if err != nil || got != test.want {
			t.Errorf("%s: got\n%s%v\nwant\n%s", test.name, got, err, test.want)
			continue
		}
		if again, err := FormatSource(got); err != nil || again != got {
			t.Errorf("%s: formatted once more gives\n%s%v\nwant\n%s", test.name, again, err, got)
		}
	}
	if _, err := FormatSource("(null"); err == nil {
		t.Error("a broken script is formatted")
	}
}

func TestLensString(t *testing.T) {
	for _, test := range []struct {
		lens Lens
		want string
	}{
		{Lens{}, ""},
		{Lens{Length: true}, ".length"},
		{Lens{Path: []Accessor{{Kind: ByField, Name: "a"}}}, ".$.a"},
		{Lens{Path: []Accessor{{Kind: ByField, Name: "a"}, {Kind: ByIndex, Index: 4294967295}, {Kind: ByScalar, Name: "i"}}}, ".$.a.[4294967295].[i]"},
	} {
		if got := test.lens.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
