package data

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// Decode reads data. No bytes are the data of a particle nothing happened to. The strings of the
// result are views of b.
func Decode(b []byte) (*Data, error) {
	e, err := Open(b)
	if err != nil {
		return nil, err
	}
	return e.Decode()
}

// Decode reads what is in the envelope. The strings of the result are views of the bytes it was
// opened from.
func (e Envelope) Decode() (*Data, error) {
	d, trace, err := e.DecodeStates(nil)
	if err == nil && trace.Len() > 0 {
		d.Trace = make([]State, trace.Len())
		for i := range d.Trace {
			trace.Read(i, &d.Trace[i])
		}
	}
	return d, err
}

// DecodeStates is Decode with the trace apart, and not yet read. It stops when count does.
func (e Envelope) DecodeStates(count *meter.Counter) (*Data, States, error) {
	if e.Version == "" {
		return &Data{}, States{}, nil
	}
	results, err := checkArchive(e.archive, count)
	if count.Err() != nil {
		return nil, States{}, count.Err()
	}
	if err != nil {
		return nil, States{}, archiveError(err)
	}
	d := reader{b: e.archive, count: count}.data()
	if count.Err() != nil {
		return nil, States{}, count.Err()
	}
	if err := checkSharing(d, len(e.archive)); err != nil {
		return nil, States{}, archiveError(err)
	}
	d.Version, d.InterpreterVersion = e.Version, e.InterpreterVersion
	return d, statesOf(e.archive, results), nil
}

// States is a trace that stays in the bytes it came in. A state is read when somebody wants it:
// those of an arrival are looked at once, and most of them say nothing new. The zero States is
// empty.
type States struct {
	archive  []byte
	first, n int
	results  []int // offsets of those that somebody may have to sign
}

func statesOf(archive []byte, results []int) States {
	r, root := reader{b: archive}, len(archive)-rootSize
	return States{archive, r.rel(root), int(r.u32(root + 4)), results}
}

// Len is the number of states.
func (t States) Len() int { return t.n }

// Read reads the i-th state into s, which must be zero. Its strings are views of the bytes.
func (t *States) Read(i int, s *State) { reader{b: t.archive}.state(t.first+i*stateSize, s) }

// Generation is that of the stream value in the i-th state, of an ap the first it has.
func (t States) Generation(i int) (uint32, bool) {
	r, at := reader{b: t.archive}, t.first+i*stateSize
	switch b := t.archive[at:]; {
	case b[0] == tagAp && r.u32(at+8) > 0:
		return r.u32(r.rel(at + 4)), true
	case b[0] == tagCall && b[4] == tagExecuted && b[8] == tagStream:
		return r.u32(at + 20), true
	}
	return 0, false
}

// Kind is the kind of the i-th state.
func (t States) Kind(i int) Kind {
	b := t.archive[t.first+i*stateSize:][:stateSize]
	switch b[0] {
	case tagPar:
		return Par
	case tagCall:
		return CallRequestSent + Kind(b[4])
	case tagFold:
		return Fold
	case tagAp:
		return Ap
	}
	return CanonRequestSent + Kind(b[4])
}

// Par is how many states the i-th state, one of a par, says its branches have.
func (t States) Par(i int) (left, right uint32) {
	b := t.archive[t.first+i*stateSize:][:stateSize]
	return binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
}

// checkSharing refuses canon results that share their lists of elements. Nobody has a reason to
// write that, as different ids mean different lists, and n entries that share a list of n would
// stand for n² elements.
func checkSharing(d *Data, size int) error {
	elements := 0
	for _, c := range d.CanonResults.values {
		elements += len(c.Elements)
	}
	if elements > size/fatSize {
		return fmt.Errorf("%d elements of canon results in %d bytes", elements, size)
	}
	return nil
}

// reader reads an archive that checkArchive has passed. Its methods take the offset of a record.
type reader struct {
	b []byte
	// canons are the canon results read so far by offset, so that entries that share one share its
	// list as well (see checkSharing).
	canons map[int]CanonResult
	count  *meter.Counter // of what is read into stores
}

func (r reader) u32(at int) uint32 { return binary.BigEndian.Uint32(r.b[at:]) }

func (r reader) rel(at int) int { return at + int(int32(r.u32(at))) }

// view is the text of n bytes at at, without a copy.
func (r reader) view(at, n int) string {
	return unsafe.String(unsafe.SliceData(r.b[at:at+n]), n)
}

func (r reader) text(at int) string { return r.view(r.rel(at), int(r.u32(at+4))) }

func (r reader) cid(at int) CID { return CID(r.text(at)) }

func (r reader) string(at int) string {
	if n := r.b[at+stringSize-1]; n&0x80 == 0 {
		return r.view(at, int(n))
	}
	return r.view(at+stringOffset(r.b, at), int(r.u32(at)))
}

func (r reader) data() *Data {
	root := len(r.b) - rootSize
	d := &Data{
		LastCallID: r.u32(root + 8),
		Signatures: readVec(r, root+52, signatureSize, reader.signature),
	}
	r.canons = make(map[int]CanonResult)
	readStore(r, root+12, &d.Values, reader.value)
	readStore(r, root+20, &d.Tetraplets, reader.tetraplet)
	readStore(r, root+28, &d.CanonElements, reader.canonElement)
	readStore(r, root+36, &d.CanonResults, reader.canonResult)
	readStore(r, root+44, &d.ServiceResults, reader.serviceResult)
	return d
}

func readVec[T any](r reader, at, size int, read func(r reader, at int) T) []T {
	first, n := r.rel(at), int(r.u32(at+4))
	if n == 0 {
		return nil
	}
	if r.count.Bytes(n*size) != nil || r.count.Grow(n*int(unsafe.Sizeof(*new(T)))) != nil {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = read(r, first+i*size)
	}
	return list
}

// readStore reads the entries of a store; of equal keys the last one stays.
func readStore[V any](r reader, at int, s *Store[V], read func(r reader, at int) V) {
	first, n := r.rel(at), int(r.u32(at+4))
	if r.count.Grow(n*storeSize[V]()) != nil {
		return
	}
	s.Reserve(n)
	for i := range n {
		if r.count.Work(entryWork) != nil {
			return
		}
		e := first + i*entrySize
		s.Put(r.cid(e), read(r, r.rel(e+8)))
	}
}

// readState reads a state. Its layout, with tags in the first byte of each four:
//
//	par               0, left u32 4, right u32 8
//	call sent         1, 0 at 4, 0 or (with an id) 1 at 8, peer shared string 12, id u32 16
//	call executed     1, 1 at 4, output at 8, id of the result 12, generation u32 20
//	call failed       1, 2 at 4, id of the result 8
//	fold              2, vec of lore 4
//	ap                3, vec of u32 4
//	canon sent        4, 0 at 4, peer 8
//	canon executed    4, 1 at 4, id of the result 8
func (r reader) state(at int, s *State) {
	switch r.b[at] {
	case tagPar:
		s.Kind, s.Left, s.Right = Par, r.u32(at+4), r.u32(at+8)
	case tagFold:
		*s = FoldState(readVec(r, at+4, loreSize, reader.lore))
	case tagAp:
		if r.u32(at+8) == 1 {
			s.Kind, s.Generation = Ap, r.u32(r.rel(at+4))
			return
		}
		*s = apStateOf(readVec(r, at+4, generationSize, reader.u32))
	case tagCall:
		r.call(at, s)
	default:
		if r.b[at+4] == tagSent {
			s.Kind, s.Peer = CanonRequestSent, r.string(r.rel(at+8))
			return
		}
		s.Kind, s.CID = CanonExecuted, r.cid(at+8)
	}
}

func (r reader) call(at int, s *State) {
	switch r.b[at+4] {
	case tagFailed:
		s.Kind, s.CID = CallFailed, r.cid(at+8)
	case tagExecuted:
		s.Kind, s.Output, s.CID = CallExecuted, Output(r.b[at+8]), r.cid(at+12)
		if s.Output == Stream {
			s.Generation = r.u32(at + 20)
		}
	default:
		s.Kind, s.Peer = CallRequestSent, r.string(r.rel(at+12))
		if r.b[at+8] != 0 {
			s.HasCallID, s.CallID = true, r.u32(at+16)
		}
	}
}

func (r reader) lore(at int) FoldLore {
	l := FoldLore{ValuePos: r.u32(at), Parts: r.u32(at + 8)}
	first := r.rel(at + 4)
	if l.Parts > 0 {
		l.Before = r.subTrace(first)
	}
	if l.Parts > 1 {
		l.After = r.subTrace(first + subTraceSize)
	}
	return l
}

func (r reader) subTrace(at int) SubTrace { return SubTrace{r.u32(at), r.u32(at + 4)} }

func (r reader) signature(at int) Signature { return Signature{r.text(at), r.text(at + 8)} }

func (r reader) value(at int) value.Value { return value.Raw(r.text(at)) }

func (r reader) tetraplet(at int) value.Tetraplet {
	return value.Tetraplet{
		PeerPK:       r.string(at),
		ServiceID:    r.string(at + 8),
		FunctionName: r.string(at + 16),
		Lens:         r.string(at + 24),
	}
}

func (r reader) canonElement(at int) CanonElement {
	e := CanonElement{Value: r.cid(at), Tetraplet: r.cid(at + 8)}
	if origin := Origin(r.b[at+16]); origin != Literal {
		e.Provenance = Provenance{origin, r.cid(at + 20)}
	}
	return e
}

func (r reader) canonResult(at int) CanonResult {
	if c, ok := r.canons[at]; ok {
		return c
	}
	c := CanonResult{r.cid(at), readVec(r, at+8, fatSize, reader.cid)}
	r.canons[at] = c
	return c
}

func (r reader) serviceResult(at int) ServiceResult {
	return ServiceResult{r.cid(at), r.cid(at + 8), r.cid(at + 16)}
}

// Clone copies the data so that changes of the copy do not show. The strings stay shared.
func (d *Data) Clone() *Data {
	c := *d
	c.Trace = slices.Clone(d.Trace)
	c.Signatures = slices.Clone(d.Signatures)
	c.Values = d.Values.Clone()
	c.Tetraplets = d.Tetraplets.Clone()
	c.CanonElements = d.CanonElements.Clone()
	c.CanonResults = d.CanonResults.Clone()
	c.ServiceResults = d.ServiceResults.Clone()
	return &c
}
