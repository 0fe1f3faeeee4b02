package interpreter

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/interpreter/fault"
)

// FuzzStep runs scripts over data that was changed by chance. Previous data is not verified, so
// changes in it reach the merge; edits change single states of its trace.
func FuzzStep(f *testing.F) {
	for _, file := range []string{"merge", "streams", "quirks", "join", "errors"} {
		for _, s := range readLines[scenario](f, "testdata/air/"+file+".jsonl.gz") {
			for i := range s.Steps {
				if r := &s.Steps[i].Request; len(r.PrevData) > 0 || i == 0 {
					in := r.input(f)
					f.Add(in.Script, in.Previous, in.Current, in.CallResults, []byte{})
					f.Add(in.Script, in.Previous, in.Current, in.CallResults, []byte{1, 0, 7, 0, 0, 0, 2, 1, 9, 0, 0, 0})
				}
			}
		}
	}
	peer := readLines[scenario](f, "testdata/air/basics.jsonl.gz")[0].Steps[0].Request
	f.Fuzz(func(t *testing.T, script string, prev, cur, results, edits []byte) {
		if len(script) > 1<<14 || len(prev)+len(cur) > 1<<18 {
			return
		}
		in := peer.input(t)
		in.Script, in.Current, in.CallResults = script, cur, results
		in.Previous = edited(prev, edits)
		in.Params.Limits.Steps = 1 << 16
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		out, got := Run(ctx, in)
		if ctx.Err() != nil {
			t.Fatal("a small step took more than 10 s")
		}
		kept := out.RetCode == 0 || out.RetCode >= 10000 && out.RetCode < 20000 || out.RetCode == fault.CodeUnusedResults
		if !kept {
			if string(got) != string(in.Previous) {
				t.Fatalf("code %d gave other data than the previous", out.RetCode)
			}
			return
		}
		if _, err := data.Decode(got); err != nil {
			t.Fatalf("own data cannot be read: %v", err)
		}
		if len(got) > 1<<26 {
			t.Fatalf("%d bytes of data out of %d", len(got), len(prev)+len(cur))
		}
		again := in
		again.Previous, again.Current, again.CallResults = got, nil, data.EncodeCallResults(nil)
		Run(ctx, again)
	})
}

// edited changes states of a trace: six bytes of edits say which one, what, and to what.
func edited(b, edits []byte) []byte {
	d, err := data.Decode(b)
	if err != nil || len(d.Trace) == 0 {
		return b
	}
	for ; len(edits) >= 6; edits = edits[6:] {
		s := &d.Trace[int(edits[0])%len(d.Trace)]
		n := binary.LittleEndian.Uint32(edits[2:])
		switch edits[1] % 10 {
		case 0:
			*s = data.ParState(n&0xff, n>>8&0xff)
		case 1:
			s.Left = n
		case 2:
			s.Right = n
		case 3:
			s.Generation = n
		case 4:
			*s = data.ApState(n)
		case 5:
			*s = data.FoldState([]data.FoldLore{{ValuePos: n & 0xff, Before: data.SubTrace{Begin: n >> 8 & 0xff, Len: n >> 16 & 0xff}, After: data.SubTrace{Begin: n >> 24}, Parts: 2}})
		case 6:
			*s = d.Trace[int(n)%len(d.Trace)]
		case 7:
			d.Trace = append(d.Trace, d.Trace[int(n)%len(d.Trace)])
		case 8:
			s.CallID = n
		case 9:
			if len(d.Trace) > 1 {
				d.Trace = d.Trace[:len(d.Trace)-1]
			}
		}
	}
	return data.Encode(d)
}
