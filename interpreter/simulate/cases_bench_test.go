package simulate

import (
	"context"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter"
)

// BenchmarkCases runs the steps of the performance table in the cold form.
func BenchmarkCases(b *testing.B) {
	for _, name := range CaseNames() {
		if strings.HasPrefix(name, "retained") {
			continue
		}
		b.Run(name, func(b *testing.B) {
			c, err := MakeCase(context.Background(), name)
			if err != nil {
				b.Fatal(err)
			}
			scripts := interpreter.NewScripts(1 << 30)
			if c.Fresh {
				scripts = nil
			}
			var inputs []interpreter.Input
			for _, r := range c.Requests {
				in, err := r.Input(scripts)
				if err != nil {
					b.Fatal(err)
				}
				inputs = append(inputs, in)
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, in := range inputs {
					if out, _ := interpreter.Run(context.Background(), in); out.RetCode != 0 {
						b.Fatal(out.ErrorMessage)
					}
				}
			}
		})
	}
}
