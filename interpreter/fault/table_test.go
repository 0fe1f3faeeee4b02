package fault

import (
	"fmt"
	"go/format"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/internal/golden"
)

func TestTable(t *testing.T) {
	names := map[string]bool{}
	for i, c := range Table {
		if i > 0 && c.Number <= Table[i-1].Number {
			t.Errorf("code %d stands behind %d", c.Number, Table[i-1].Number)
		}
		if c.Name == "" || names[c.Name] {
			t.Errorf("code %d has the name %q, which is empty or another's", c.Number, c.Name)
		}
		names[c.Name] = true
		if !strings.HasSuffix(c.Meaning, ".") || c.Remedy == "" || len(c.Texts) == 0 {
			t.Errorf("code %d lacks a meaning, a remedy or a text", c.Number)
		}
		formats := map[string]bool{}
		for _, text := range c.Texts {
			if text.code != c || formats[text.Format] {
				t.Errorf("code %d has the text %q twice, or of another code", c.Number, text.Format)
			}
			formats[text.Format] = true
		}
	}
}

// TestGenerated holds that the constants and the document are made from the table. UPDATE_GOLDEN=1
// makes them anew.
func TestGenerated(t *testing.T) {
	golden.File(t, "codes.go", codes(t))
	golden.File(t, "../../docs/ERRORS.md", document())
}

func codes(t *testing.T) string {
	var b strings.Builder
	b.WriteString("// Code generated from the table by 'UPDATE_GOLDEN=1 go test ./interpreter/fault'. DO NOT EDIT.\n\n")
	b.WriteString("package fault\n\n// The codes of runs. 0 is success.\nconst (\n")
	for _, c := range Table {
		fmt.Fprintf(&b, "Code%s = %d\n", c.Name, c.Number)
	}
	b.WriteString(")\n")
	text, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const documentHead = `# Errors of AIR

Made from the table in ` + "`interpreter/fault`" + ` by ` + "`UPDATE_GOLDEN=1 go test ./interpreter/fault`" + `.

A run ends with a code; 0 is success. What the codes leave behind:

| codes | kind | data | next peers and calls |
|---|---|---|---|
| 1 to 10 | input refused | as before | none |
| 10000 to 19999 | catchable: by xor, par and folds over streams; here nothing caught it | new, up to the error | of this run |
| 20000 to 29999 | uncatchable | as before | none |
| 30000 | after the run | new | of this run |

Texts are those of the published interpreter where it has the same fault, word for word: scripts and
other peers see them. ` + "`…`" + ` stands for a name, a number or a value. Codes from 29000 to 29999 are this
project's own.
`

func document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for _, c := range Table {
		fmt.Fprintf(&b, "\n## %d %s\n\n%s (%s)\n\n", c.Number, c.Name, c.Meaning, c.Kind())
		for _, text := range c.Texts {
			for line := range strings.SplitSeq(text.example(), "\n") {
				fmt.Fprintf(&b, "    %s\n", strings.TrimRight(line, " "))
			}
		}
		fmt.Fprintf(&b, "\nWhat to do: %s\n", strings.TrimSpace(c.Remedy))
	}
	return b.String()
}

// example is the text with an ellipsis in place of each argument.
func (t *Text) example() string {
	var b strings.Builder
	for i := 0; i < len(t.Format); i++ {
		if t.Format[i] != '%' {
			b.WriteByte(t.Format[i])
			continue
		}
		i++
		b.WriteString("…")
	}
	return b.String()
}

func TestTextsAreCut(t *testing.T) {
	long := strings.Repeat("x", 5000)
	f := NotIterable.New(long, "short")
	if n := len(f.Message()); n > mostText+100 || !strings.Contains(f.Message(), "...") {
		t.Errorf("a fault with a name of 5000 bytes has a message of %d", n)
	}
	if f := ServiceError.New(1, Whole(long)); !strings.Contains(f.Message(), long) {
		t.Error("the error of a service is cut")
	}
}
