package data

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"unsafe"

	"github.com/zeebo/blake3"

	"github.com/aquanode/aquanode/interpreter/value"
)

// The reference's names of what the stores hold; they are part of error texts.
const (
	typeValue         = "air_interpreter_data::raw_value::RawValue"
	typeTetraplet     = "marine_call_parameters::SecurityTetraplet"
	typeCanonElement  = "air_interpreter_data::executed_state::CanonCidAggregate"
	typeCanonResult   = "air_interpreter_data::executed_state::CanonResultCidAggregate"
	typeServiceResult = "air_interpreter_data::executed_state::ServiceResultCidAggregate"
)

// VerifyStores checks data from another peer: that each entry of its stores hashes to its content id, and that what
// entries refer to is in the stores. Entries that known holds too are taken as verified; it may
// be nil. Ids of the trace are checked where they are used.
func VerifyStores(d, known *Data) error {
	if known == nil {
		known = &Data{}
	}
	v := verifier{data: d}
	verifyStore(&v, typeValue, &d.Values, &known.Values, sameText, feedValue)
	verifyStore(&v, typeTetraplet, &d.Tetraplets, &known.Tetraplets, same, feed(value.Tetraplet.AppendJSON))
	verifyStore(&v, typeCanonElement, &d.CanonElements, &known.CanonElements, same, feed(CanonElement.appendJSON))
	verifyStore(&v, typeCanonResult, &d.CanonResults, &known.CanonResults, sameCanon, feedCanonResult)
	v.canonReferences()
	verifyStore(&v, typeServiceResult, &d.ServiceResults, &known.ServiceResults, same, feed(ServiceResult.appendJSON))
	v.serviceReferences()
	return v.err
}

// verifier keeps the first error, and a buffer for the texts that are hashed.
type verifier struct {
	data *Data
	text []byte
	err  error
}

// A feeder writes the text of something in a store to a hash.
type feeder[V any] func(v *verifier, x V, hash io.Writer)

func feedValue(_ *verifier, x value.Value, hash io.Writer) { io.WriteString(hash, x.Text()) }

func feedCanonResult(v *verifier, x CanonResult, hash io.Writer) { v.text = x.writeJSON(hash, v.text) }

func feed[V any](text func(V, []byte) []byte) feeder[V] {
	return func(v *verifier, x V, hash io.Writer) {
		v.text = text(x, v.text[:0])
		hash.Write(v.text)
	}
}

func verifyStore[V any](v *verifier, typeName string, s, known *Store[V], same func(a, b V) bool, feed feeder[V]) {
	for i, key := range s.keys {
		if v.err != nil {
			return
		}
		if held, ok := known.Get(key); ok && same(held, s.values[i]) {
			continue
		}
		h := newHasher()
		feed(v, s.values[i], h)
		if usual := finishHash(h); string(key) == unsafe.String(&usual[0], cidLen) {
			continue
		}
		v.err = verifyUnusual(key, typeName, func(hash io.Writer) { feed(v, s.values[i], hash) })
	}
}

// verifyUnusual checks a content id that is not the usual one of what feed writes. It may be another spelling of it,
// or of that with the other hash function.
func verifyUnusual(c CID, typeName string, feed func(hash io.Writer)) error {
	p, err := parseCID(c)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return storeError("%v", err)
	}
	var h hash.Hash = blake3.New()
	if p.hash == hashSHA256 {
		h = sha256.New()
	}
	if feed(h); !bytes.Equal(p.digest, h.Sum(nil)) {
		return storeError("Value mismatch in the %q store for CID %q", typeName, c)
	}
	return nil
}

func (v *verifier) refers(found bool, c CID, from, to string) {
	if !found && v.err == nil {
		v.err = storeError("Reference CID %q from type %q to %q was not found", c, from, to)
	}
}

func (v *verifier) canonReferences() {
	d := v.data
	for _, r := range d.CanonResults.values {
		for _, e := range r.Elements {
			v.refers(d.CanonElements.Has(e), e, typeCanonResult, typeCanonElement)
		}
		v.refers(d.Tetraplets.Has(r.Tetraplet), r.Tetraplet, typeCanonResult, typeTetraplet)
	}
	for _, e := range d.CanonElements.values {
		v.refers(d.Tetraplets.Has(e.Tetraplet), e.Tetraplet, typeCanonElement, typeTetraplet)
		v.refers(d.Values.Has(e.Value), e.Value, typeCanonElement, typeValue)
		switch source := e.Provenance.CID; e.Provenance.Origin {
		case FromService:
			v.refers(d.ServiceResults.Has(source), source, typeCanonElement, typeServiceResult)
		case FromCanon:
			v.refers(d.CanonResults.Has(source), source, typeCanonElement, typeCanonResult)
		}
	}
}

func (v *verifier) serviceReferences() {
	d := v.data
	for _, r := range d.ServiceResults.values {
		v.refers(d.Tetraplets.Has(r.Tetraplet), r.Tetraplet, typeServiceResult, typeTetraplet)
		v.refers(d.Values.Has(r.Value), r.Value, typeServiceResult, typeValue)
	}
}
