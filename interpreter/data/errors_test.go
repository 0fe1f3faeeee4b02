package data

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/fault"
)

// runVector is the input of a run that the reference refused, or took though it looks odd.
type runVector struct {
	Name         string
	ParticleID   string `json:"particle_id"`
	PrevData     []byte `json:"prev_data"`
	CurrentData  []byte `json:"current_data"`
	CallResults  []byte `json:"call_results"`
	RetCode      int64  `json:"ret_code"`
	ErrorMessage string `json:"error_message"`
	Trap         bool
}

// admit does what a run does with data before it runs, in that order.
func admit(prevBytes, currentBytes []byte, particleID string) error {
	prev, err := Open(prevBytes)
	if err != nil {
		return err
	}
	current, err := Open(currentBytes)
	if err != nil {
		return err
	}
	if err := current.CheckVersion(); err != nil {
		return err
	}
	p, err := prev.Decode()
	if err != nil {
		return err
	}
	c, err := current.Decode()
	if err != nil {
		return err
	}
	if err := VerifyStores(c, nil, nil); err != nil {
		return err
	}
	return admitSigners(p, c, particleID)
}

func admitSigners(prev, current *Data, particleID string) error {
	ours, err := SignersOf(prev, nil)
	if err != nil {
		return err
	}
	theirs, err := SignersOf(current, nil)
	if err != nil {
		return err
	}
	if err := theirs.Verify(particleID, nil, nil); err != nil {
		return err
	}
	_, err = MergeSigners(ours, theirs, nil)
	return err
}

func codeOf(err error) int64 {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return -1
	}
	return 0
}

// trapCodes is what is made of inputs that make the reference trap.
var trapCodes = map[string]int64{
	"missing service result referenced by trace": fault.CodeStore,
	"prev missing service store":                 fault.CodeStore,
	"empty signature":                            fault.CodeSignature,
	"key empty":                                  fault.CodeSignature,
	"used value invalid json":                    0, // found out when it is used
}

func TestErrorVectors(t *testing.T) {
	ofData := []int64{fault.CodeArchive, fault.CodeEnvelope, fault.CodeNoArchive, fault.CodeVersion, fault.CodeStore, fault.CodeSignature}
	for _, vec := range readVectors[runVector](t, "errors") {
		t.Run(vec.Name, func(t *testing.T) {
			want := int64(0)
			if vec.Trap {
				code, ok := trapCodes[vec.Name]
				if !ok {
					t.Fatal("a trap without an expectation")
				}
				want = code
			} else if slices.Contains(ofData, vec.RetCode) {
				want = vec.RetCode
			}
			err := admit(vec.PrevData, vec.CurrentData, vec.ParticleID)
			if got := codeOf(err); got != want {
				t.Fatalf("code %d (%v), want %d (%s)", got, err, want, vec.ErrorMessage)
			}
			if err != nil && !vec.Trap {
				checkMessage(t, vec, err)
			}
		})
	}
}

// checkMessage compares messages as far as they do not contain addresses or library internals.
func checkMessage(t *testing.T, vec runVector, err error) {
	t.Helper()
	got, want := err.Error(), vec.ErrorMessage
	switch {
	case vec.RetCode < fault.CodeVersion:
		first := func(s string) string { before, _, _ := strings.Cut(s, "("); return before }
		last := func(s string) string { return s[strings.LastIndex(s, "\n"):] }
		got, want = first(got)+last(got), first(want)+last(want)
	case strings.HasPrefix(want, "signature mismatch"):
		list := func(s string) string { return s[:60] + s[strings.Index(s, "values: CIDS: "):] }
		got, want = list(got), list(want)
	case strings.HasPrefix(want, "malformed key"):
		key := func(s string) string { return s[:strings.LastIndex(s, `"`)] }
		got, want = key(got), key(want)
	}
	if got != want {
		t.Errorf("message %q, want %q", err, vec.ErrorMessage)
	}
}

// envelopeVector is an odd envelope around sound data.
type envelopeVector struct {
	Name    string
	Data    []byte
	RetCode int64 `json:"ret_code"`
}

func TestEnvelopeVectors(t *testing.T) {
	for _, vec := range readVectors[envelopeVector](t, "envelopes") {
		if got := codeOf(admit(nil, vec.Data, "particle-null")); got != vec.RetCode {
			t.Errorf("%s: code %d, want %d", vec.Name, got, vec.RetCode)
		}
	}
}

// TestStoreVectors has odd spellings of content ids and canon stores with something missing or
// wrong.
func TestStoreVectors(t *testing.T) {
	for _, vec := range readVectors[struct {
		envelopeVector
		ErrorMessage string `json:"error_message"`
	}](t, "stores_odd") {
		err := admit(nil, vec.Data, "p")
		if codeOf(err) != vec.RetCode || err != nil && err.Error() != vec.ErrorMessage {
			t.Errorf("%s: %v, want code %d, %s", vec.Name, err, vec.RetCode, vec.ErrorMessage)
		}
	}
}
