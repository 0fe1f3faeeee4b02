package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/interpreter/value"
)

// readVectors reads testdata/name.jsonl.gz. The vectors were made with the reference
// interpreter: blobs by its runs, the others taken from blobs and checked against it.
func readVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []T
	for dec := json.NewDecoder(z); ; {
		var v T
		if err := dec.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		vectors = append(vectors, v)
	}
	if len(vectors) == 0 {
		t.Fatalf("no vectors in %s", name)
	}
	return vectors
}

type blobVector struct {
	Name            string
	ParticleID      string `json:"particle_id"`
	Data            []byte
	Decoded         json.RawMessage
	SignaturesValid bool `json:"signatures_valid"`
}

// generic reads JSON into maps and slices.
func generic(t testing.TB, text []byte) any {
	t.Helper()
	var x any
	if err := json.Unmarshal(text, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// decodedForm is data in the form of the blob vectors, with the stores as maps.
func decodedForm(t testing.TB, d *Data) any {
	form := map[string]any{
		"version": d.Version, "interpreter_version": d.InterpreterVersion, "lcid": d.LastCallID,
		"trace": []any{}, "signatures": map[string]any{},
		"value_store":          storeForm(&d.Values, value.Value.Text),
		"tetraplet_store":      storeForm(&d.Tetraplets, func(t value.Tetraplet) value.Tetraplet { return t }),
		"canon_element_store":  storeForm(&d.CanonElements, humanJSON[CanonElement]),
		"canon_result_store":   storeForm(&d.CanonResults, humanJSON[CanonResult]),
		"service_result_store": storeForm(&d.ServiceResults, humanJSON[ServiceResult]),
	}
	for i := range d.Trace {
		form["trace"] = append(form["trace"].([]any), stateForm(&d.Trace[i]))
	}
	for _, s := range d.Signatures {
		form["signatures"].(map[string]any)[hex.EncodeToString([]byte(s.PublicKey))] = hex.EncodeToString([]byte(s.Signature))
	}
	text, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	return generic(t, text)
}

func storeForm[V, F any](s *Store[V], form func(V) F) map[CID]F {
	m := make(map[CID]F)
	for cid, v := range s.All() {
		m[cid] = form(v)
	}
	return m
}

func humanJSON[V interface{ human() value.Value }](v V) value.Value { return v.human() }

func stateForm(s *State) any {
	type m = map[string]any
	switch s.Kind {
	case Par:
		return m{"par": []uint32{s.Left, s.Right}}
	case CallRequestSent:
		sent := m{"peer_id": s.Peer}
		if s.HasCallID {
			sent["call_id"] = s.CallID
		}
		return m{"call": m{"sent_by": sent}}
	case CallExecuted:
		switch s.Output {
		case Stream:
			return m{"call": m{"executed": m{"stream": m{"cid": s.CID, "generation": s.Generation}}}}
		case Unused:
			return m{"call": m{"executed": m{"unused": s.CID}}}
		}
		return m{"call": m{"executed": m{"scalar": s.CID}}}
	case CallFailed:
		return m{"call": m{"failed": s.CID}}
	case Fold:
		lore := []any{}
		for _, l := range s.Lore() {
			desc := []any{m{"pos": l.Before.Begin, "len": l.Before.Len}, m{"pos": l.After.Begin, "len": l.After.Len}}
			lore = append(lore, m{"pos": l.ValuePos, "desc": desc})
		}
		return m{"fold": lore}
	case Ap:
		return m{"ap": s.Generations()}
	case CanonRequestSent:
		return m{"canon": m{"sent_by": s.Peer}}
	}
	return m{"canon": m{"executed": s.CID}}
}

// expectedForm brings the stores and signatures of a blob vector, which are lists in random order,
// into maps.
func expectedForm(t testing.TB, decoded []byte) any {
	form := generic(t, decoded).(map[string]any)
	for name, x := range form {
		if !strings.HasSuffix(name, "_store") && name != "signatures" {
			continue
		}
		m := make(map[string]any)
		for _, e := range x.([]any) {
			e := e.(map[string]any)
			if name == "signatures" {
				m[e["public_key"].(string)] = e["signature"]
			} else {
				m[e["cid"].(string)] = e["value"]
			}
		}
		form[name] = m
	}
	return form
}

func TestDecodeVectors(t *testing.T) {
	for _, vec := range readVectors[blobVector](t, "blobs") {
		t.Run(vec.Name, func(t *testing.T) {
			d, err := Decode(vec.Data)
			if err != nil {
				t.Fatal(err)
			}
			want := expectedForm(t, vec.Decoded)
			if diff := cmp.Diff(want, decodedForm(t, d)); diff != "" {
				t.Fatalf("decoded (-want +got):\n%s", diff)
			}
			again := Encode(d)
			d, err = Decode(again)
			if err != nil {
				t.Fatalf("encoded again: %v", err)
			}
			if diff := cmp.Diff(want, decodedForm(t, d)); diff != "" {
				t.Fatalf("encoded and decoded again (-want +got):\n%s", diff)
			}
			if !bytes.Equal(again, Encode(d)) {
				t.Error("encoding twice gives different bytes")
			}
			if len(again) > len(vec.Data) {
				t.Errorf("%d bytes, %d of the reference", len(again), len(vec.Data))
			}
		})
	}
}

type humanVector struct {
	Name  string
	Data  []byte
	Human json.RawMessage
}

func TestHumanVectors(t *testing.T) {
	for _, vec := range readVectors[humanVector](t, "human") {
		t.Run(vec.Name, func(t *testing.T) {
			got, err := Human(vec.Data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(compact(t, vec.Human), compact(t, got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func compact(t testing.TB, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type cidVector struct {
	Kind, Text string
	CID        CID
}

func TestCIDVectors(t *testing.T) {
	for _, vec := range readVectors[cidVector](t, "cids") {
		if got := cidOf([]byte(vec.Text)); got != vec.CID {
			t.Errorf("%s %s: %s, want %s", vec.Kind, vec.Text, got, vec.CID)
		}
		if got := vec.compute(t); got != vec.CID {
			t.Errorf("%s read and computed: %s: %s, want %s", vec.Kind, vec.Text, got, vec.CID)
		}
	}
}

// compute reads the text into the thing it describes and computes the id of that.
func (vec cidVector) compute(t testing.TB) CID {
	v, err := value.Parse(vec.Text)
	if err != nil {
		t.Fatal(err)
	}
	field := func(v value.Value, name string) string {
		f, _ := v.Field(name)
		s, _ := f.AsString()
		return s
	}
	cid := func(name string) CID { return CID(field(v, name)) }
	switch vec.Kind {
	case "value":
		return ValueCID(value.Raw(vec.Text))
	case "arguments":
		var texts []string
		for _, arg := range v.Elements() {
			texts = append(texts, arg.Text())
		}
		if cid := ArgumentsCID(texts); ArgumentsCIDs(3, func(int) []string { return texts }, nil)[2] == cid {
			return cid
		}
		return "one alone and among others differ"
	case "tetraplet":
		return TetrapletCID(value.Tetraplet{PeerPK: field(v, "peer_pk"), ServiceID: field(v, "service_id"),
			FunctionName: field(v, "function_name"), Lens: field(v, "lens")})
	case "service_result":
		return ServiceResultCID(ServiceResult{cid("value_cid"), cid("argument_hash"), cid("tetraplet_cid")})
	case "canon_element":
		p, _ := v.Field("provenance")
		origin := map[string]Origin{"literal": Literal, "service_result": FromService, "canon": FromCanon}[field(p, "type")]
		return CanonElementCID(CanonElement{cid("value"), cid("tetraplet"), Provenance{origin, CID(field(p, "cid"))}})
	case "canon_result":
		c := CanonResult{Tetraplet: cid("tetraplet")}
		elements, _ := v.Field("values")
		for _, e := range elements.Elements() {
			s, _ := e.AsString()
			c.Elements = append(c.Elements, CID(s))
		}
		return CanonResultCID(c, nil)
	}
	t.Fatalf("unknown kind %q", vec.Kind)
	return ""
}

func TestStateIsSmall(t *testing.T) {
	if size := reflect.TypeFor[State]().Size(); size > 64 {
		t.Errorf("a State takes %d bytes", size)
	}
}
