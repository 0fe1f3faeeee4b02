package air

import "testing"

// TestLensFault holds the reader of lenses and the one that explains to each other: for every
// short text but ".length", a fault is found if and only if it is no lens.
func TestLensFault(t *testing.T) {
	check := func(text string) {
		switch fault := lensFault(text); {
		case isLens(text) != (fault == ""):
			t.Errorf("%s: isLens says %v, lensFault %q", text, isLens(text), fault)
		case fault == "" && !isLens(readLens(text).String()):
			t.Errorf("%s reads as %s, which is no lens", text, readLens(text))
		}
	}
	lenses := 0
	var extend func(text string, left int)
	extend = func(text string, left int) {
		if check(text); isLens(text) {
			lenses++
		}
		for _, c := range ".[]!a0" {
			if left > 0 {
				extend(text+string(c), left-1)
			}
		}
	}
	extend(".$", 6)
	for _, text := range []string{"", ".", "$", "$.a", ".length!", ".lengths", ".$.length", ".$.[4294967295]", ".$.[4294967296]",
		".$.[00000000000000000001]", ".$.[99999999999999999999]", ".$.ä", ".$.[0", ".$[0][1].a.b![c]!.d"} {
		check(text)
	}
	t.Logf("%d of the texts are lenses", lenses)
	if lenses < 100 {
		t.Error("too few")
	}
}
