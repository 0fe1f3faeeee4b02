package data

import "fmt"

// Error is a fault of data or of its parts. Code is the return code of the run it ends, and the text is the
// message of that run.
type Error struct {
	Code    int
	Message string
}

func (e *Error) Error() string { return e.Message }

// The codes.
const (
	CodeArchive     = 2 // the archive is damaged
	CodeEnvelope    = 3 // the envelope is damaged
	CodeNoArchive   = 4 // the envelope is, but its versions can be read
	CodeCallResults = 5
	CodeVersion     = 6 // made by an interpreter that is too old
	CodeStore       = 8 // content ids do not fit
	CodeSignature   = 9 // keys, signatures or what they sign do not fit
)

const expectedVersion = "AquaVM version is " + InterpreterVersion + " and it expects " + Version + " version."

func archiveError(err error) error {
	return &Error{CodeArchive, fmt.Sprintf(
		"an error occurred while data deserialization: Data(%v).\n%s", err, expectedVersion)}
}

func envelopeError(reason string) error {
	return &Error{CodeEnvelope, fmt.Sprintf(
		"an error occurred while envelope deserialization: Envelope(%s).\n%s", reason, expectedVersion)}
}

func noArchiveError(reason string, e *Envelope) error {
	return &Error{CodeNoArchive, fmt.Sprintf("an error occurred while data deserialization: Envelope(%s).\n"+
		"AquaVM's version is %s and it expects data of %s version.\n"+
		"Supplied data version is %s, it's produced by AquaVM of %s version.",
		reason, InterpreterVersion, Version, e.Version, e.InterpreterVersion)}
}

func storeError(format string, args ...any) error {
	return &Error{CodeStore, fmt.Sprintf(format, args...)}
}

func signatureError(format string, args ...any) error {
	return &Error{CodeSignature, fmt.Sprintf(format, args...)}
}
