// Package data is what a particle knows: the form in memory, and the bytes on the wire.
//
// # What it holds
//
// [Data] is a trace, five stores and a list of signatures. The trace is the list of executed states
// ([State]) in the order in which instructions were met. States name what they resulted in by
// content ids ([CID]), and the stores resolve those:
//
//	call executed, failed -> ServiceResults -> Values, Tetraplets
//	canon executed        -> CanonResults   -> CanonElements, Tetraplets
//	                         CanonElements  -> Values, Tetraplets, and where the value was born
//
// A peer signs the content ids of the results it made ([Signers]), so that nobody can alter them on
// the way.
//
// # Bytes
//
// [Decode] and [Encode] go between Data and bytes: an envelope (a MessagePack map with two
// versions) around an archive (big-endian, relative pointers; archive.go has its layout). No bytes
// are data too: nothing happened yet. Decode checks all that the layout demands and no more;
// whether the contents are true is for [VerifyStores] and [Signers.Verify], which only data from
// other peers needs. Encode is deterministic: equal data give equal bytes. The reference
// implementation writes stores in random order, so compare data decoded, never as bytes.
//
// Decoded strings are views of the decoded bytes: those must not change afterwards, and stay in
// memory as long as one of the strings does. [Data.Merge] copies what it takes, so that the data of
// a long-lived particle does not hold on to everything that ever arrived.
//
// # Errors
//
// Every error about somebody's data is an [*Error] with the return code of the run it ends: 2
// archive, 3 and 4 envelope, 5 call results, 6 version, 8 stores, 9 keys and signatures.
package data

import "github.com/aquanode/aquanode/interpreter/value"

// The versions in the envelopes this package writes, and the oldest interpreter whose data it
// takes.
const (
	Version               = "0.17.2"
	InterpreterVersion    = "0.62.0"
	MinInterpreterVersion = "0.61.0"
)

// Data is what one peer knows of one particle. The zero Data is that of a particle
// nothing happened to.
type Data struct {
	Version            string
	InterpreterVersion string

	Trace      []State
	LastCallID uint32

	Values         Store[value.Value] // raw: texts are kept as they came
	Tetraplets     Store[value.Tetraplet]
	CanonElements  Store[CanonElement]
	CanonResults   Store[CanonResult]
	ServiceResults Store[ServiceResult]

	Signatures []Signature // of equal keys the last counts
}

// Signature is the signature of one peer under what it did. Both parts begin with a format byte: 0
// for Ed25519.
type Signature struct {
	PublicKey string // 33 bytes
	Signature string // 65 bytes
}

// ServiceResult is the result of a call: what came, of which arguments, from where.
type ServiceResult struct {
	Value        CID
	ArgumentHash CID
	Tetraplet    CID
}

// CanonResult is a canonicalised stream or map.
type CanonResult struct {
	Tetraplet CID
	Elements  []CID
}

// CanonElement is one value of a canonicalised stream or map.
type CanonElement struct {
	Value      CID
	Tetraplet  CID
	Provenance Provenance
}

// Origin tells where a value was born.
type Origin uint8

// The origins: the script or the particle itself, a service, a canonicalised stream as a whole.
const (
	Literal Origin = iota
	FromService
	FromCanon
)

// Provenance is the origin of a value with the content id of its service result or canon
// result, empty for literals.
type Provenance struct {
	Origin Origin
	CID    CID
}
