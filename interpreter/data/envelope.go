package data

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/semver"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/interpreter/fault"
)

// Envelope is the outer layer of data: a MessagePack map with these three fields, in any order and
// with others to ignore; bytes after the map are ignored as well. The zero Envelope is that of no
// bytes at all.
type Envelope struct {
	Version            string
	InterpreterVersion string
	archive            []byte
}

// The field names.
const (
	fieldVersion     = "version"
	fieldInterpreter = "interpreter_version"
	fieldArchive     = "inner_data"
)

// Open reads the envelope of data. What is in it is looked at by Decode; a run needs the two
// apart, as its checks have an order.
func Open(b []byte) (Envelope, error) {
	if len(b) == 0 {
		return Envelope{}, nil
	}
	r := envelopeReader{in: unpack(b), seen: make(map[string]bool, 3)}
	if err := r.read(); err != nil {
		return Envelope{}, envelopeError(err.Error())
	}
	if r.archiveFault == nil && !r.seen[fieldArchive] {
		r.archiveFault = missingField(fieldArchive)
	}
	if r.archiveFault != nil { // the versions can be read, so the error names them
		return Envelope{}, noArchiveError(r.archiveFault.Error(), &r.Envelope)
	}
	return r.Envelope, nil
}

// CheckVersion refuses data made by an interpreter that is too old. It is for arriving data; a peer
// trusts its own. No data has no version and passes.
func (e Envelope) CheckVersion() error {
	v := e.InterpreterVersion
	if v == "" || semver.Compare("v"+v, "v"+MinInterpreterVersion) >= 0 {
		return nil
	}
	return &Error{fault.CodeVersion, fault.Version.Fill(v, MinInterpreterVersion)}
}

type envelopeReader struct {
	Envelope
	in           packed
	seen         map[string]bool
	archiveFault error
}

func missingField(name string) error { return fmt.Errorf("missing field `%s`", name) }

func (r *envelopeReader) read() error {
	it, err := r.in.Next()
	if err != nil {
		return err
	}
	if it.Kind != msgpack.Map {
		return fmt.Errorf("%v where a map is expected", it.Kind)
	}
	for range it.Size {
		if err := r.field(); err != nil {
			return err
		}
	}
	for _, name := range []string{fieldVersion, fieldInterpreter} {
		if !r.seen[name] {
			return missingField(name)
		}
	}
	return nil
}

func (r *envelopeReader) field() error {
	it, err := r.in.Next()
	if err != nil {
		return err
	}
	switch it.Kind {
	case msgpack.Array, msgpack.Map, msgpack.Ext:
		return fmt.Errorf("%v as the name of a field", it.Kind)
	case msgpack.String, msgpack.Bin:
	default:
		return r.in.Skip() // a number as a name is odd but not wrong
	}
	switch name := string(r.in.Content(it)); name {
	case fieldVersion:
		return r.versionField(name, &r.Version)
	case fieldInterpreter:
		return r.versionField(name, &r.InterpreterVersion)
	case fieldArchive:
		return r.archiveField()
	}
	return r.in.Skip()
}

func (r *envelopeReader) again(name string) error {
	if r.seen[name] {
		return fmt.Errorf("duplicate field `%s`", name)
	}
	r.seen[name] = true
	return nil
}

func (r *envelopeReader) versionField(name string, to *string) error {
	err := r.again(name)
	if err == nil {
		*to, err = r.in.text(msgpack.String)
	}
	if err == nil && !isVersion(*to) {
		err = fmt.Errorf("%q is not a semantic version", (*to)[:min(len(*to), mostVersion)])
	}
	return err
}

// archiveField keeps its own faults apart from those of the envelope as a whole.
func (r *envelopeReader) archiveField() error {
	start := r.in
	if err := r.in.Skip(); err != nil {
		return err
	}
	err := r.again(fieldArchive)
	if err == nil {
		r.archive, err = start.byteRun()
	}
	if r.archiveFault == nil {
		r.archiveFault = err
	}
	return nil
}

// byteRun takes bytes: a bin, a str, or an array of integers.
func (p *packed) byteRun() ([]byte, error) {
	it, err := p.Next()
	if err != nil {
		return nil, err
	}
	switch it.Kind {
	case msgpack.Bin, msgpack.String:
		return p.Content(it), nil
	case msgpack.Array:
		return p.byteArray(it.Size)
	}
	return nil, fmt.Errorf("%v where bytes are expected", it.Kind)
}

func (p *packed) byteArray(n int) ([]byte, error) {
	b := make([]byte, n)
	for i := range b {
		it, err := p.Next()
		if err != nil {
			return nil, err
		}
		if it.Kind != msgpack.Int || it.Bits > 0xff {
			return nil, fmt.Errorf("%v (%d) where a byte is expected", it.Kind, it.Bits)
		}
		b[i] = byte(it.Bits)
	}
	return b, nil
}

// mostVersion is the length of a version, in bytes, that nobody exceeds in good faith.
const mostVersion = 300

// isVersion reports whether s is a semantic version in full: three numbers of 64 bits and perhaps
// more.
func isVersion(s string) bool {
	core := s
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		core = s[:i]
	}
	numbers := strings.Split(core, ".")
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil {
			return false
		}
	}
	return len(s) <= mostVersion && len(numbers) == 3 && utf8.ValidString(s) &&
		semver.IsValid("v"+s)
}

// envelopeHead is what every envelope written here begins with; the size and bytes of the archive
// follow.
var envelopeHead = func() []byte {
	head := msgpack.AppendMap(nil, 3)
	head = msgpack.AppendString(msgpack.AppendString(head, fieldVersion), Version)
	head = msgpack.AppendString(msgpack.AppendString(head, fieldInterpreter), InterpreterVersion)
	return msgpack.AppendString(head, fieldArchive)
}()
