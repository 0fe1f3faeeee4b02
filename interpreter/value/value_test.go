package value_test

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/aquanode/aquanode/interpreter/value"
)

// jsonVector is what the reference made of one service result.
type jsonVector struct {
	In        string
	Canonical string
	Error     string
	CID       string
	Msgpack   string `json:"args_msgpack_hex"` // of the array that holds only the value
}

func readVectors[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
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
			return vectors
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		vectors = append(vectors, v)
	}
}

// TestParseManyTexts goes through texts made by chance from pieces of JSON, with what the reference
// said of them: the positions in its errors, above all.
func TestParseManyTexts(t *testing.T) {
	for _, vec := range readVectors[jsonVector](t, "testdata/parse.jsonl.gz") {
		v, err := value.Parse(vec.In)
		switch {
		case vec.Error == "" && err != nil:
			t.Errorf("%q: %v", vec.In, err)
		case vec.Error == "" && v.Text() != vec.Canonical:
			t.Errorf("%q: %s, want %s", vec.In, v, vec.Canonical)
		case vec.Error != "" && (err == nil || err.Error() != vec.Error):
			t.Errorf("%q: %v, want %s", vec.In, err, vec.Error)
		}
	}
}

func TestParseVectors(t *testing.T) {
	for _, vec := range readVectors[jsonVector](t, "testdata/json.jsonl.gz") {
		t.Run(vec.In, func(t *testing.T) {
			v, err := value.Parse(vec.In)
			if vec.Error != "" {
				if err == nil || err.Error() != vec.Error {
					t.Fatalf("error %v, want %s", err, vec.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Text() != vec.Canonical {
				t.Errorf("text %s, want %s", v.Text(), vec.Canonical)
			}
			packed := hex.EncodeToString(value.AppendMsgpack([]byte{0x91}, v))
			if packed != vec.Msgpack {
				t.Errorf("msgpack %s, want %s", packed, vec.Msgpack)
			}
		})
	}
}
