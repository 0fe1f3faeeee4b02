package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/value"
)

// The generators below make data of any content that the archive can hold, sound or not.

var (
	anyText = rapid.OneOf(rapid.Just(""), rapid.StringN(0, 12, 40), rapid.StringMatching(`[a-z.$\[\]]{0,9}`))
	anyCID  = rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 5), func(n int) CID { return ValueCID(value.Int(int64(n))) }),
		rapid.Map(rapid.StringMatching(`[a-z]{0,70}`), func(s string) CID { return CID(s) }))
	anyNumber = rapid.OneOf(rapid.Uint32Range(0, 5), rapid.Uint32())
	anyPeer   = rapid.SampledFrom([]string{"", "me", "1234567", "12345678", "12D3KooWNJFKt8hyd7W9PV466DwJ8yh5qeX2Ma3n3o26akpAHtCi"})

	anySubTrace = rapid.Custom(func(t *rapid.T) SubTrace { return SubTrace{anyNumber.Draw(t, "begin"), anyNumber.Draw(t, "len")} })
	anyLore     = rapid.Custom(func(t *rapid.T) FoldLore {
		l := FoldLore{ValuePos: anyNumber.Draw(t, "pos"), Parts: rapid.Uint32Range(0, 2).Draw(t, "parts")}
		if l.Parts > 0 {
			l.Before = anySubTrace.Draw(t, "before")
		}
		if l.Parts > 1 {
			l.After = anySubTrace.Draw(t, "after")
		}
		return l
	})
	anyState = rapid.Custom(drawState)
	anyData  = rapid.Custom(drawData)
)

func drawState(t *rapid.T) State {
	switch kind := Kind(rapid.IntRange(int(Par), int(CanonExecuted)).Draw(t, "kind")); kind {
	case Par:
		return ParState(anyNumber.Draw(t, "left"), anyNumber.Draw(t, "right"))
	case CallRequestSent:
		if rapid.Bool().Draw(t, "pending") {
			return CallPending(anyPeer.Draw(t, "peer"), anyNumber.Draw(t, "id"))
		}
		return CallSent(anyPeer.Draw(t, "peer"))
	case CallExecuted:
		out := Output(rapid.IntRange(int(Scalar), int(Unused)).Draw(t, "output"))
		generation := uint32(0)
		if out == Stream {
			generation = anyNumber.Draw(t, "generation")
		}
		return CallDone(out, anyCID.Draw(t, "cid"), generation)
	case CallFailed:
		return CallFailure(anyCID.Draw(t, "cid"))
	case Fold:
		return FoldState(rapid.SliceOfN(anyLore, 0, 3).Draw(t, "lore"))
	case Ap:
		if rapid.Bool().Draw(t, "odd") {
			return apStateOf(rapid.SliceOfN(anyNumber, 0, 3).Draw(t, "generations"))
		}
		return ApState(anyNumber.Draw(t, "generation"))
	case CanonRequestSent:
		return CanonSent(anyPeer.Draw(t, "peer"))
	default:
		return CanonDone(anyCID.Draw(t, "cid"))
	}
}

func drawData(t *rapid.T) *Data {
	d := &Data{
		Version: Version, InterpreterVersion: InterpreterVersion,
		Trace:      rapid.SliceOfN(anyState, 0, 8).Draw(t, "trace"),
		LastCallID: anyNumber.Draw(t, "lcid"),
	}
	cid := func() CID { return anyCID.Draw(t, "cid") }
	text := func() string { return anyText.Draw(t, "text") }
	times := func(put func()) {
		for range rapid.IntRange(0, 4).Draw(t, "entries") {
			put()
		}
	}
	times(func() { d.Values.Put(cid(), value.Raw(text())) })
	times(func() {
		d.Tetraplets.Put(cid(), value.Tetraplet{PeerPK: text(), ServiceID: text(), FunctionName: text(), Lens: text()})
	})
	times(func() {
		e := CanonElement{Value: cid(), Tetraplet: cid()}
		if origin := Origin(rapid.IntRange(0, int(FromCanon)).Draw(t, "origin")); origin != Literal {
			e.Provenance = Provenance{origin, cid()}
		}
		d.CanonElements.Put(cid(), e)
	})
	times(func() {
		d.CanonResults.Put(cid(), CanonResult{cid(), rapid.SliceOfN(anyCID, 0, 3).Draw(t, "elements")})
	})
	times(func() { d.ServiceResults.Put(cid(), ServiceResult{cid(), cid(), cid()}) })
	times(func() { d.Signatures = append(d.Signatures, Signature{text(), text()}) })
	return d
}

// view is data as plain maps and slices, for comparison.
func view(d *Data) map[string]any {
	var states []string
	for i := range d.Trace {
		s := &d.Trace[i]
		states = append(states, fmt.Sprint(s.Kind, s.Output, s.HasCallID, s.Left, s.Right, s.CallID, s.Generation,
			s.Peer, s.CID, s.Lore(), s.Generations()))
	}
	return map[string]any{
		"versions": d.Version + " " + d.InterpreterVersion, "states": states, "lcid": d.LastCallID,
		"values":     storeForm(&d.Values, value.Value.Text),
		"tetraplets": storeForm(&d.Tetraplets, humanTetrapletText),
		"elements":   storeForm(&d.CanonElements, func(e CanonElement) string { return e.human().Text() }),
		"canons":     storeForm(&d.CanonResults, func(c CanonResult) string { return c.human().Text() }),
		"results":    storeForm(&d.ServiceResults, func(r ServiceResult) string { return r.human().Text() }),
		"signatures": fmt.Sprintf("%q", d.Signatures),
	}
}

func humanTetrapletText(t value.Tetraplet) string { return humanTetraplet(t).Text() }

func TestRandomDataSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyData.Draw(t, "data")
		b := Encode(d)
		again, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(view(d), view(again)); diff != "" {
			t.Fatalf("(-encoded +decoded):\n%s", diff)
		}
		if !bytes.Equal(b, Encode(again)) {
			t.Fatal("decoded data is encoded differently")
		}
	})
}

// TestMergeIsUnion compares stores with maps.
func TestMergeIsUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours, theirs := anyData.Draw(t, "ours"), anyData.Draw(t, "theirs")
		want := view(ours)
		for name, store := range view(theirs) {
			w := reflect.ValueOf(want[name])
			if w.Kind() != reflect.Map {
				continue
			}
			for _, key := range reflect.ValueOf(store).MapKeys() {
				w.SetMapIndex(key, reflect.ValueOf(store).MapIndex(key))
			}
		}
		before := view(theirs)
		ours.Merge(theirs, nil)
		if diff := cmp.Diff(want, view(ours)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, view(theirs)); diff != "" {
			t.Fatalf("the other side changed:\n%s", diff)
		}
	})
}

// TestStoreIsAMap puts and gets at random, and rolls back.
func TestStoreIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Store[int]
		model, order := map[CID]int{}, []CID{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			key := CID(fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "key")))
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				n := rapid.IntRange(0, len(order)).Draw(t, "keep")
				s.truncate(n)
				for _, gone := range order[n:] {
					delete(model, gone)
				}
				order = order[:n]
			case 1:
				s = s.Clone()
			default:
				v := rapid.Int().Draw(t, "value")
				if _, ok := model[key]; !ok {
					order = append(order, key)
				}
				s.Put(key, v)
				model[key] = v
			}
		}
		got := map[CID]int{}
		i := 0
		for key, v := range s.All() {
			if key != order[i] {
				t.Fatalf("entry %d is %s, want %s", i, key, order[i])
			}
			got[key] = v
			i++
		}
		if diff := cmp.Diff(model, got); diff != "" || s.Len() != len(model) {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for n := range 41 {
			key := CID(fmt.Sprint(n))
			v, ok := s.Get(key)
			if w, has := model[key]; v != w || ok != has || s.Has(key) != has || s.Held(key) != key {
				t.Fatalf("%s: %d, %v, want %d, %v", key, v, ok, w, has)
			}
		}
	})
}

// FuzzDecode: whatever is taken can be shown, verified and written, and is then the same.
func FuzzDecode(f *testing.F) {
	for i, vec := range readVectors[blobVector](f, "blobs") {
		if i%4 == 0 {
			f.Add(vec.Data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Decode(b)
		if err != nil {
			if c := codeOf(err); c != fault.CodeArchive && c != fault.CodeEnvelope && c != fault.CodeNoArchive {
				t.Fatalf("code %d: %v", c, err)
			}
			return
		}
		checkDecoded(t, d)
	})
}

func checkDecoded(t *testing.T, d *Data) {
	VerifyStores(d, nil, nil)
	if s, err := SignersOf(d, nil); err == nil {
		s.Verify("p", nil, nil)
	}
	written := Encode(d)
	again, err := Decode(written)
	if err != nil {
		t.Fatalf("what was decoded and encoded is refused: %v", err)
	}
	again.Version, again.InterpreterVersion = d.Version, d.InterpreterVersion
	if !bytes.Equal(written, Encode(again)) {
		t.Fatal("encoding is not stable")
	}
	for i := range d.Trace {
		for _, l := range d.Trace[i].Lore() {
			if l.Parts > 2 {
				return // only two are kept
			}
		}
	}
	if diff := cmp.Diff(view(d), view(again)); diff != "" {
		t.Fatalf("(-decoded +encoded and decoded):\n%s", diff)
	}
}

// FuzzArchive changes two words of a sound archive, which gets further than bytes made by chance.
func FuzzArchive(f *testing.F) {
	var archives [][]byte
	for _, vec := range readVectors[blobVector](f, "blobs") {
		e, err := Open(vec.Data)
		if err != nil {
			f.Fatal(err)
		}
		archives = append(archives, e.archive)
	}
	for i := range uint8(len(archives)) {
		f.Add(i, uint16(i), uint32(4), uint16(i*5), uint32(1<<24))
	}
	f.Fuzz(func(t *testing.T, which uint8, at1 uint16, add1 uint32, at2 uint16, add2 uint32) {
		b := bytes.Clone(archives[int(which)%len(archives)])
		for at, add := range map[uint16]uint32{at1: add1, at2: add2} {
			word := b[len(b)-4-int(at)%(len(b)/4)*4:]
			binary.BigEndian.PutUint32(word, binary.BigEndian.Uint32(word)+add)
		}
		if d, err := (Envelope{Version, InterpreterVersion, b}).Decode(); err == nil {
			checkDecoded(t, d)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	for _, vec := range readVectors[envelopeVector](f, "envelopes") {
		f.Add(vec.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Open(b)
		if err != nil {
			if c := codeOf(err); c != fault.CodeEnvelope && c != fault.CodeNoArchive {
				t.Fatalf("code %d: %v", c, err)
			}
			return
		}
		if len(e.archive) > len(b) {
			t.Fatalf("an archive of %d bytes out of %d", len(e.archive), len(b))
		}
		if err := e.CheckVersion(); err != nil && codeOf(err) != fault.CodeVersion {
			t.Fatal(err)
		}
	})
}

func FuzzCallResults(f *testing.F) {
	for _, vec := range readVectors[resultVector](f, "call_results") {
		f.Add(vec.CallResults)
	}
	for _, vec := range readVectors[oddResultVector](f, "call_results_odd") {
		f.Add(vec.CallResults)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		results, err := DecodeCallResults(b)
		if err != nil {
			if codeOf(err) != fault.CodeCallResults {
				t.Fatal(err)
			}
			return
		}
		again, err := DecodeCallResults(EncodeCallResults(results.ByID))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(results.ByID, again.ByID); diff != "" {
			t.Fatalf("(-decoded +encoded and decoded):\n%s", diff)
		}
	})
}

func FuzzCallRequests(f *testing.F) {
	for _, vec := range readVectors[requestVector](f, "call_requests") {
		f.Add(vec.CallRequests)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		requests, err := DecodeCallRequests(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "call requests: ") {
				t.Fatal(err)
			}
			return
		}
		written := EncodeCallRequests(requests)
		again, err := DecodeCallRequests(written)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(written, EncodeCallRequests(again)) {
			t.Fatal("encoding is not stable")
		}
	})
}
