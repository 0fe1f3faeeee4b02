package data

import "github.com/aquanode/aquanode/interpreter/fault"

// Error is a fault of data or of its parts. Code is the return code of the run it ends, and the
// text is the message of that run.
type Error struct {
	Code    int64
	Message string
}

func (e *Error) Error() string { return e.Message }

func archiveError(err error) error {
	return &Error{fault.CodeArchive, fault.Archive.Fill(err, InterpreterVersion, Version)}
}

func envelopeError(reason string) error {
	return &Error{fault.CodeEnvelope, fault.Envelope.Fill(reason, InterpreterVersion, Version)}
}

func noArchiveError(reason string, e *Envelope) error {
	return &Error{fault.CodeNoArchive, fault.NoArchive.Fill(reason, InterpreterVersion, Version,
		e.Version, e.InterpreterVersion)}
}

func storeError(text *fault.Text, args ...any) error {
	return &Error{fault.CodeStore, text.Fill(args...)}
}

func signatureError(text *fault.Text, args ...any) error {
	return &Error{fault.CodeSignature, text.Fill(args...)}
}
