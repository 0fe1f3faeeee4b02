package data

import (
	"io"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Altered lists the entries of all stores that do not hash to their content ids. VerifyStores stops
// at the first one; this is for people who look at data.
func Altered(d *Data) map[CID]error {
	altered := map[CID]error{}
	alteredIn(altered, typeValue, &d.Values, rawText)
	alteredIn(altered, typeTetraplet, &d.Tetraplets, (*value.Tetraplet).AppendJSON)
	alteredIn(altered, typeCanonElement, &d.CanonElements, (*CanonElement).appendJSON)
	alteredIn(altered, typeCanonResult, &d.CanonResults, func(r *CanonResult, buf []byte) []byte {
		w := textWriter(buf)
		r.writeJSON(&w, nil, nil)
		return w
	})
	alteredIn(altered, typeServiceResult, &d.ServiceResults, (*ServiceResult).appendJSON)
	return altered
}

type textWriter []byte

func (w *textWriter) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

func alteredIn[V any](altered map[CID]error, typeName string, s *Store[V],
	text func(x *V, buf []byte) []byte) {
	for i, key := range s.keys {
		feed := func(hash io.Writer) { hash.Write(text(&s.values[i], nil)) }
		if err := verifyUnusual(key, typeName, feed); err != nil {
			altered[key] = err
		}
	}
}

// Check says what is wrong with a signature for the particle with the given id, if anything.
func (s *Signer) Check(particleID string) error {
	if _, ok := keyOf(*s); !ok || !s.verify(particleID) {
		return s.mismatch()
	}
	return nil
}
