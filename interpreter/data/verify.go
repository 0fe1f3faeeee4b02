package data

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"

	"github.com/zeebo/blake3"

	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/meter"
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

// VerifyStores checks data from another peer: that each entry of its stores hashes to its content
// id, and that what entries refer to is in the stores. Entries that known holds too are taken as
// verified; it may be nil. Ids of the trace are checked where they are used.
func VerifyStores(d, known *Data, count *meter.Counter) error {
	if known == nil {
		known = &Data{}
	}
	v := verifier{data: d, count: count}
	verifyStore(&v, typeValue, &d.Values, &known.Values, sameText, rawText)
	verifyStore(&v, typeTetraplet, &d.Tetraplets, &known.Tetraplets, same,
		(*value.Tetraplet).AppendJSON)
	verifyStore(&v, typeCanonElement, &d.CanonElements, &known.CanonElements, same,
		(*CanonElement).appendJSON)
	v.canonResults(known)
	v.canonReferences()
	verifyStore(&v, typeServiceResult, &d.ServiceResults, &known.ServiceResults, same,
		(*ServiceResult).appendJSON)
	v.serviceReferences()
	if count.Err() != nil {
		return count.Err()
	}
	return v.err
}

// verifier keeps the first error.
type verifier struct {
	data  *Data
	err   error
	count *meter.Counter
}

func rawText(v *value.Value, _ []byte) []byte { return bytesOf(v.Text()) }

// verifyStore checks the entries of a store that known has not. text writes what they are hashed
// from, see texter.
func verifyStore[V any](v *verifier, typeName string, s, known *Store[V], same func(a, b V) bool,
	text func(x *V, buf []byte) []byte) {
	if v.err != nil || len(s.keys) == 0 {
		return
	}
	b := takeBench()
	var at [benchSize]int
	check := func() {
		b.sum()
		for j := range b.n {
			i := at[j]
			if v.err == nil && !isCID(&b.sums[j], s.keys[i]) {
				v.err = verifyUnusual(s.keys[i], typeName,
					func(hash io.Writer) { hash.Write(text(&s.values[i], nil)) })
			}
		}
		b.n = 0
	}
	for i, key := range s.keys {
		if v.count.Work(entryWork) != nil {
			break
		}
		if held := known.find(key); held >= 0 && same(known.values[held], s.values[i]) {
			continue
		}
		if b.n == benchSize {
			check()
		}
		t := text(&s.values[i], b.space())
		if len(t) > longText {
			if v.err == nil && longCID(t, v.count) != s.keys[i] && v.count.Err() == nil {
				v.err = verifyUnusual(s.keys[i], typeName, func(hash io.Writer) { hash.Write(t) })
			}
			continue
		}
		if v.count.Bytes(len(t)) != nil {
			break
		}
		at[b.n] = i
		b.add(t)
	}
	check()
	b.release()
}

// canonResults checks canon results. Their texts can be long, so they are not put together as a
// whole.
func (v *verifier) canonResults(known *Data) {
	var buf []byte
	for i, key := range v.data.CanonResults.keys {
		r := v.data.CanonResults.values[i]
		if v.count.Work(entryWork) != nil {
			return
		}
		if held, ok := known.CanonResults.Get(key); v.err != nil || ok && sameCanon(held, r) {
			continue
		}
		h := newHasher()
		buf = r.writeJSON(h, buf, v.count)
		if finishCID(h) != key && v.count.Err() == nil {
			v.err = verifyUnusual(key, typeCanonResult,
				func(hash io.Writer) { r.writeJSON(hash, nil, v.count) })
		}
	}
}

// verifyUnusual checks a content id that is not the usual one of what feed writes. It may be
// another spelling of it, or of that with the other hash function.
func verifyUnusual(c CID, typeName string, feed func(hash io.Writer)) error {
	p, err := parseCID(c)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return storeError(fault.BadCID, err)
	}
	var h hash.Hash = blake3.New()
	if p.hash == hashSHA256 {
		h = sha256.New()
	}
	if feed(h); !bytes.Equal(p.digest, h.Sum(nil)) {
		return storeError(fault.ValueMismatch, typeName, c)
	}
	return nil
}

func (v *verifier) refers(found bool, c CID, from, to string) {
	if !found && v.err == nil {
		v.err = storeError(fault.NoReference, c, from, to)
	}
}

func (v *verifier) canonReferences() {
	d := v.data
	for _, r := range d.CanonResults.values {
		if v.count.Work(len(r.Elements)) != nil {
			return
		}
		for _, e := range r.Elements {
			v.refers(d.CanonElements.Has(e), e, typeCanonResult, typeCanonElement)
		}
		v.refers(d.Tetraplets.Has(r.Tetraplet), r.Tetraplet, typeCanonResult, typeTetraplet)
	}
	for _, e := range d.CanonElements.values {
		if v.count.Work(entryWork) != nil {
			return
		}
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
		if v.count.Work(entryWork) != nil {
			return
		}
		v.refers(d.Tetraplets.Has(r.Tetraplet), r.Tetraplet, typeServiceResult, typeTetraplet)
		v.refers(d.Values.Has(r.Value), r.Value, typeServiceResult, typeValue)
	}
}
