package data

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/value"
)

type requestVector struct {
	Name         string
	CallRequests []byte `json:"call_requests"`
	Decoded      map[string]struct {
		ServiceID    string `json:"service_id"`
		FunctionName string `json:"function_name"`
		Arguments    string `json:"arguments_msgpack_hex"`
		Tetraplets   string `json:"tetraplets_msgpack_hex"`
	}
}

func TestCallRequestVectors(t *testing.T) {
	for _, vec := range readVectors[requestVector](t, "call_requests") {
		t.Run(vec.Name, func(t *testing.T) {
			requests, err := DecodeCallRequests(vec.CallRequests)
			if err != nil {
				t.Fatal(err)
			}
			if len(requests) != len(vec.Decoded) {
				t.Fatalf("%d requests, want %d", len(requests), len(vec.Decoded))
			}
			for _, r := range requests {
				want := vec.Decoded[strconv.Itoa(int(r.ID))]
				if r.ServiceID != want.ServiceID || r.FunctionName != want.FunctionName {
					t.Errorf("%d: %s.%s, want %s.%s", r.ID, r.ServiceID, r.FunctionName, want.ServiceID, want.FunctionName)
				}
				if got := hex.EncodeToString(appendArguments(nil, r.Arguments)); got != want.Arguments {
					t.Errorf("%d: arguments %s, want %s", r.ID, got, want.Arguments)
				}
				if got := hex.EncodeToString(appendTetraplets(nil, r.Tetraplets)); got != want.Tetraplets {
					t.Errorf("%d: tetraplets %s, want %s", r.ID, got, want.Tetraplets)
				}
			}
			// The reference writes maps in random order, so only single requests must give the same
			// bytes.
			if got := EncodeCallRequests(requests); len(got) != len(vec.CallRequests) ||
				len(requests) == 1 && !bytes.Equal(got, vec.CallRequests) {
				t.Errorf("encoded again: %x, want %x", got, vec.CallRequests)
			}
		})
	}
}

type resultVector struct {
	Name        string
	CallResults []byte `json:"call_results"`
	Decoded     map[string]struct {
		RetCode int32 `json:"ret_code"`
		Result  string
	}
}

func TestCallResultVectors(t *testing.T) {
	for _, vec := range readVectors[resultVector](t, "call_results") {
		want := make(map[uint32]CallResult)
		for key, r := range vec.Decoded {
			id, err := strconv.ParseUint(key, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			want[uint32(id)] = CallResult{r.RetCode, r.Result}
		}
		got, err := DecodeCallResults(vec.CallResults)
		if err != nil {
			t.Errorf("%s: %v", vec.Name, err)
			continue
		}
		if diff := cmp.Diff(CallResults{ByID: want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", vec.Name, diff)
		}
		if b := EncodeCallResults(want); !bytes.Equal(b, vec.CallResults) {
			t.Errorf("%s: encoded %x, want %x", vec.Name, b, vec.CallResults)
		}
	}
}

// oddResultVector is what the reference made of odd call results for the one call with id 1. Each
// that it takes has one result.
type oddResultVector struct {
	Name         string
	CallResults  []byte `json:"call_results"`
	RetCode      int64  `json:"ret_code"`
	ErrorMessage string `json:"error_message"`
}

func TestOddCallResults(t *testing.T) {
	for _, vec := range readVectors[oddResultVector](t, "call_results_odd") {
		got, err := DecodeCallResults(vec.CallResults)
		if want := vec.RetCode == fault.CodeCallResults; want != (codeOf(err) == fault.CodeCallResults) || err != nil && !want {
			t.Errorf("%s: %v, want code %d (%s)", vec.Name, err, vec.RetCode, vec.ErrorMessage)
			continue
		}
		if err != nil {
			prefix := "error occurred while deserialize call results: "
			if !strings.HasPrefix(err.Error(), prefix) || !strings.HasSuffix(err.Error(), ".") {
				t.Errorf("%s: text %q", vec.Name, err)
			}
			continue
		}
		if stray := vec.RetCode == 30000; stray != (len(got.Strays) > 0) {
			t.Errorf("%s: strays %v, code %d", vec.Name, got.Strays, vec.RetCode)
		}
		if vec.RetCode == 10000 {
			r := got.ByID[1]
			want := "Local service error, ret_code is " + strconv.Itoa(int(r.RetCode)) + ", error message is '" + r.Result + "'"
			if vec.ErrorMessage != want {
				t.Errorf("%s: %s, want %s", vec.Name, want, vec.ErrorMessage)
			}
		}
	}
}

func TestErrorVectorsCallResults(t *testing.T) {
	for _, vec := range readVectors[runVector](t, "errors") {
		_, err := DecodeCallResults(vec.CallResults)
		if want := vec.RetCode == fault.CodeCallResults; (err != nil) != want {
			t.Errorf("%s: %v, want code %d", vec.Name, err, vec.RetCode)
		}
	}
}

// TestArgumentsKeepFloats: a float passes through a host unchanged, though reading its text as JSON
// would change it.
func TestArgumentsKeepFloats(t *testing.T) {
	v := value.Float(1.11e161)
	if again, err := value.Parse(v.Text()); err != nil || again.Text() == v.Text() {
		t.Fatalf("%s is read as %s, %v: no test", v, again, err)
	}
	b := EncodeCallRequests([]CallRequest{{ID: 7, Arguments: []value.Value{value.Array([]value.Value{v})}}})
	requests, err := DecodeCallRequests(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := requests[0].Arguments[0].Text(); got != "[1.11e161]" {
		t.Errorf("%s, want [1.11e161]", got)
	}
}

func TestDecodeCallRequestsRefuses(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x91}, 2000), 0xc0)
	request := func(fields string) []byte { return append([]byte(callsHead), "\x81\x01"+fields...) }
	for name, b := range map[string][]byte{
		"nothing":       nil,
		"no map":        []byte(callsHead + "\x91\x01"),
		"string id":     []byte(callsHead + "\x81\xa11\x80"),
		"missing field": request("\x81\xaaservice_id\xa1s"),
		"unknown field": request("\x84\xa1x\xc0\xa1y\xc0\xa1z\xc0\xa1u\xc0"),
		"cut":           request("\x84\xaaservice_id\xa1"),
		"too deep": request("\x84\xaaservice_id\xa1s\xadfunction_name\xa1f\xaatetraplets\xc4\x01\x90\xa9arguments" +
			string(msgpack.AppendBin(nil, deep))),
	} {
		if r, err := DecodeCallRequests(b); err == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}
