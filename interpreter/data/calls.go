package data

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/multiformats/go-varint"

	"github.com/aquanode/aquanode/internal/msgpack"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/value"
)

// CallRequest asks the host for a call to one of its services.
type CallRequest struct {
	ID           uint32
	ServiceID    string
	FunctionName string
	Arguments    []value.Value
	// a list for each argument: canonicalised streams have one for each element
	Tetraplets [][]value.Tetraplet
}

// CallResult is the host's answer. Result is JSON text if RetCode is 0, else any text.
type CallResult struct {
	RetCode int32
	Result  string
}

// CallResults are the answers of a host to a particle.
type CallResults struct {
	ByID map[uint32]CallResult
	// Strays are those under keys that no request has, such as "01" or "x".
	Strays map[string]CallResult
}

// codecMessagePack is the multicodec that stands before both encodings, as a varint.
const (
	codecMessagePack = 0x0201
	callsHead        = "\x81\x04"
)

// The field names of requests and results.
const (
	fieldService    = "service_id"
	fieldFunction   = "function_name"
	fieldArguments  = "arguments"
	fieldTetraplets = "tetraplets"
	fieldPeer       = "peer_pk"
	fieldLens       = "lens"
	fieldRetCode    = "ret_code"
	fieldResult     = "result"
)

// EncodeCallRequests writes requests in the order of their ids, as a map from ids to requests.
func EncodeCallRequests(requests []CallRequest) []byte {
	if !slices.IsSortedFunc(requests, compareIDs) {
		requests = slices.Clone(requests)
		slices.SortFunc(requests, compareIDs)
	}
	b := msgpack.AppendMap([]byte(callsHead), len(requests))
	var packed []byte
	for _, r := range requests {
		b = msgpack.AppendMap(msgpack.AppendUint(b, uint64(r.ID)), 4)
		b = msgpack.AppendString(msgpack.AppendString(b, fieldService), r.ServiceID)
		b = msgpack.AppendString(msgpack.AppendString(b, fieldFunction), r.FunctionName)
		packed = appendArguments(packed[:0], r.Arguments)
		b = msgpack.AppendBin(msgpack.AppendString(b, fieldArguments), packed)
		packed = appendTetraplets(packed[:0], r.Tetraplets)
		b = msgpack.AppendBin(msgpack.AppendString(b, fieldTetraplets), packed)
	}
	return b
}

func compareIDs(a, b CallRequest) int { return cmp.Compare(a.ID, b.ID) }

func appendArguments(dst []byte, args []value.Value) []byte {
	dst = msgpack.AppendArray(dst, len(args))
	for _, a := range args {
		dst = value.AppendMsgpack(dst, a)
	}
	return dst
}

func appendTetraplets(dst []byte, lists [][]value.Tetraplet) []byte {
	dst = msgpack.AppendArray(dst, len(lists))
	for _, list := range lists {
		dst = msgpack.AppendArray(dst, len(list))
		for _, t := range list {
			dst = msgpack.AppendMap(dst, 4)
			dst = msgpack.AppendString(msgpack.AppendString(dst, fieldPeer), t.PeerPK)
			dst = msgpack.AppendString(msgpack.AppendString(dst, fieldService), t.ServiceID)
			dst = msgpack.AppendString(msgpack.AppendString(dst, fieldFunction), t.FunctionName)
			dst = msgpack.AppendString(msgpack.AppendString(dst, fieldLens), t.Lens)
		}
	}
	return dst
}

// EncodeCallResults writes results in the order of their ids, as a map from ids in decimal to
// results.
func EncodeCallResults(results map[uint32]CallResult) []byte {
	ids := make([]uint32, 0, len(results))
	for id := range results {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	b := msgpack.AppendMap([]byte(callsHead), len(ids))
	for _, id := range ids {
		b = msgpack.AppendString(b, strconv.FormatUint(uint64(id), 10))
		b = msgpack.AppendMap(b, 2)
		b = msgpack.AppendInt(msgpack.AppendString(b, fieldRetCode), int64(results[id].RetCode))
		b = msgpack.AppendString(msgpack.AppendString(b, fieldResult), results[id].Result)
	}
	return b
}

// DecodeCallResults reads results from a host. Unlike data, results are never empty: no results are
// a map of none. The texts are views of b.
func DecodeCallResults(b []byte) (CallResults, error) {
	p, n, err := openCalls(b)
	const smallest = 4 // bytes of a result, with its key
	results := CallResults{ByID: make(map[uint32]CallResult, min(n, len(b)/smallest))}
	for ; n > 0 && err == nil; n-- {
		err = results.read(&p)
	}
	if err != nil {
		return CallResults{}, &Error{fault.CodeCallResults, fault.CallResults.Fill(err)}
	}
	return results, nil
}

// openCalls takes the prefix and the head of the map that follows.
func openCalls(b []byte) (p packed, n int, err error) {
	codec, size, err := varint.FromUvarint(b)
	if err != nil {
		return p, 0, fmt.Errorf("VarInt(%w)", err)
	}
	if codec != codecMessagePack {
		return p, 0, fmt.Errorf("Codec(%d)", codec)
	}
	p.Rest = b[size:]
	it, err := p.Next()
	if err == nil && it.Kind != msgpack.Map {
		err = fmt.Errorf("%v where a map is expected", it.Kind)
	}
	return p, it.Size, err
}

func (r *CallResults) read(p *packed) error {
	key, err := p.utf8View()
	if err != nil {
		return err
	}
	result, err := p.callResult()
	if err != nil {
		return fmt.Errorf("result %q: %w", key, err)
	}
	if id, ok := idOf(key); ok {
		r.ByID[id] = result
		return nil
	}
	if r.Strays == nil {
		r.Strays = make(map[string]CallResult)
	}
	r.Strays[key] = result
	return nil
}

// idOf is the id that a key is the decimal form of.
func idOf(key string) (id uint32, ok bool) {
	n := uint64(0)
	for i := 0; i < len(key) && i <= 10; i++ {
		if key[i] < '0' || key[i] > '9' || key[0] == '0' && len(key) > 1 {
			return 0, false
		}
		n = 10*n + uint64(key[i]-'0')
	}
	return uint32(n), key != "" && n <= math.MaxUint32
}

// callResult takes a result: a map with at least the two fields, or an array of exactly both.
func (p *packed) callResult() (CallResult, error) {
	it, err := p.Next()
	if err != nil {
		return CallResult{}, err
	}
	switch {
	case it.Kind == msgpack.Map:
		return p.callResultMap(it.Size)
	case it.Kind == msgpack.Array && it.Size == 2:
		var r CallResult
		if r.RetCode, err = p.int32(); err == nil {
			r.Result, err = p.utf8View()
		}
		return r, err
	}
	return CallResult{}, fmt.Errorf("%v where a map of 2 is expected", it.Kind)
}

func (p *packed) callResultMap(n int) (r CallResult, err error) {
	var hasCode, hasResult bool
	again := func(has *bool, name string) error {
		if *has {
			return fmt.Errorf("duplicate field `%s`", name)
		}
		*has = true
		return nil
	}
	for range n {
		name, err := p.fieldName(fieldRetCode, fieldResult)
		if err != nil {
			return r, err
		}
		switch name {
		case fieldRetCode:
			if err = again(&hasCode, name); err == nil {
				r.RetCode, err = p.int32()
			}
		case fieldResult:
			if err = again(&hasResult, name); err == nil {
				r.Result, err = p.utf8View()
			}
		default:
			err = p.Skip()
		}
		if err != nil {
			return r, err
		}
	}
	switch {
	case !hasCode:
		return r, missingField(fieldRetCode)
	case !hasResult:
		return r, missingField(fieldResult)
	}
	return r, nil
}

// fieldName takes the name of a field, or its number; it is "" for names that are not among those
// given.
func (p *packed) fieldName(names ...string) (string, error) {
	it, err := p.Next()
	if err != nil {
		return "", err
	}
	switch it.Kind {
	case msgpack.String, msgpack.Bin:
		if i := slices.Index(names, string(p.Content(it))); i >= 0 {
			return names[i], nil
		}
	case msgpack.Int:
		if it.Bits < uint64(len(names)) {
			return names[it.Bits], nil
		}
	default:
		return "", fmt.Errorf("%v as the name of a field", it.Kind)
	}
	return "", nil
}

func (p *packed) int32() (int32, error) {
	it, err := p.Next()
	if err != nil {
		return 0, err
	}
	n := int64(it.Bits)
	if it.Kind != msgpack.Int || !it.Signed && it.Bits > math.MaxInt32 || n < math.MinInt32 {
		return 0, fmt.Errorf("%v where one of 32 bits is expected", it.Kind)
	}
	return int32(n), nil
}

// utf8View takes a text without a copy.
func (p *packed) utf8View() (string, error) {
	b, err := p.textBytes(msgpack.String, msgpack.Bin)
	if err == nil && !utf8.Valid(b) {
		err = errors.New("a text is not UTF-8")
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), err
}

// utf8 takes a text.
func (p *packed) utf8() (string, error) {
	s, err := p.text(msgpack.String, msgpack.Bin)
	if err == nil && !utf8.ValidString(s) {
		err = errors.New("a text is not UTF-8")
	}
	return s, err
}

// DecodeCallRequests reads requests in the order they stand. It is the host's side, and strict: the
// fields that EncodeCallRequests and the reference write, in any order.
func DecodeCallRequests(b []byte) ([]CallRequest, error) {
	p, n, err := openCalls(b)
	var requests []CallRequest
	for ; n > 0 && err == nil; n-- {
		var r CallRequest
		r, err = p.callRequest()
		requests = append(requests, r)
	}
	if err != nil {
		return nil, fmt.Errorf("call requests: %w", err)
	}
	return requests, nil
}

func (p *packed) callRequest() (r CallRequest, err error) {
	id, err := p.Next()
	if err != nil {
		return r, err
	}
	if id.Kind != msgpack.Int || id.Bits > math.MaxUint32 {
		return r, fmt.Errorf("%v as the id of a call", id.Kind)
	}
	r.ID = uint32(id.Bits)
	err = p.record(
		field{fieldService, func() (err error) { r.ServiceID, err = p.utf8(); return }},
		field{fieldFunction, func() (err error) { r.FunctionName, err = p.utf8(); return }},
		field{fieldArguments, func() (err error) {
			r.Arguments, err = nested(p, (*packed).argument)
			return
		}},
		field{fieldTetraplets, func() (err error) {
			r.Tetraplets, err = nested(p, (*packed).tetraplets)
			return
		}})
	return r, err
}

// field is a field of a record to be read.
type field struct {
	name string
	read func() error
}

// record takes a map that has each of the given fields once and no others.
func (p *packed) record(fields ...field) error {
	it, err := p.Next()
	if err != nil {
		return err
	}
	if it.Kind != msgpack.Map || it.Size != len(fields) {
		return fmt.Errorf("%v of %d where a map of %d is expected", it.Kind, it.Size, len(fields))
	}
	for range it.Size {
		name, err := p.utf8()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return fmt.Errorf("unexpected field `%s`", name)
		}
		if err := fields[i].read(); err != nil {
			return fmt.Errorf("field `%s`: %w", name, err)
		}
		fields = slices.Delete(fields, i, i+1)
	}
	return nil
}

// nested takes a bin that holds an array.
func nested[T any](p *packed, read func(*packed) (T, error)) ([]T, error) {
	b, err := p.byteRun()
	if err != nil {
		return nil, err
	}
	in := unpack(b)
	list, err := array(&in, read)
	if err == nil && len(in.Rest) > 0 {
		err = fmt.Errorf("%d bytes too many", len(in.Rest))
	}
	return list, err
}

func array[T any](p *packed, read func(*packed) (T, error)) ([]T, error) {
	it, err := p.Next()
	if err != nil {
		return nil, err
	}
	if it.Kind != msgpack.Array {
		return nil, fmt.Errorf("%v where an array is expected", it.Kind)
	}
	list := make([]T, 0, min(it.Size, 64))
	for range it.Size {
		x, err := read(p)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

func (p *packed) tetraplets() ([]value.Tetraplet, error) { return array(p, (*packed).tetraplet) }

func (p *packed) tetraplet() (t value.Tetraplet, err error) {
	err = p.record(
		field{fieldPeer, func() (err error) { t.PeerPK, err = p.utf8(); return }},
		field{fieldService, func() (err error) { t.ServiceID, err = p.utf8(); return }},
		field{fieldFunction, func() (err error) { t.FunctionName, err = p.utf8(); return }},
		field{fieldLens, func() (err error) { t.Lens, err = p.utf8(); return }})
	return t, err
}

// maxArgumentDepth is how deep arguments may nest. Values that scripts put together can be a
// little deeper than those that services give.
const maxArgumentDepth = 1024

func (p *packed) argument() (value.Value, error) { return p.argumentAt(maxArgumentDepth) }

// argumentAt takes a value that nests no deeper than depth.
func (p *packed) argumentAt(depth int) (value.Value, error) {
	it, err := p.Next()
	if err != nil {
		return value.Value{}, err
	}
	switch it.Kind {
	case msgpack.Array, msgpack.Map:
		if depth == 0 {
			return value.Value{}, errors.New("arguments nest too deep")
		}
		if it.Kind == msgpack.Array {
			return p.argumentList(it.Size, depth-1)
		}
		return p.argumentMap(it.Size, depth-1)
	case msgpack.String:
		return value.String(string(p.Content(it))), nil
	case msgpack.Bin, msgpack.Ext:
		return value.Value{}, fmt.Errorf("%v in arguments", it.Kind)
	}
	return scalar(it), nil
}

func (p *packed) argumentList(n, depth int) (value.Value, error) {
	var elements []value.Value
	for range n {
		e, err := p.argumentAt(depth)
		if err != nil {
			return value.Value{}, err
		}
		elements = append(elements, e)
	}
	return value.Array(elements), nil
}

func (p *packed) argumentMap(n, depth int) (value.Value, error) {
	var fields []value.Field
	for range n {
		key, err := p.text(msgpack.String)
		if err != nil {
			return value.Value{}, err
		}
		v, err := p.argumentAt(depth)
		if err != nil {
			return value.Value{}, err
		}
		fields = append(fields, value.Field{Key: key, Value: v})
	}
	return value.Object(fields), nil
}

// scalar returns a scalar item as a value.
func scalar(it msgpack.Item) value.Value {
	switch {
	case it.Kind == msgpack.Bool:
		return value.Bool(it.Bits == 1)
	case it.Kind == msgpack.Float:
		return value.Float(math.Float64frombits(it.Bits))
	case it.Kind == msgpack.Int && it.Signed:
		return value.Int(int64(it.Bits))
	case it.Kind == msgpack.Int:
		return value.Uint(it.Bits)
	}
	return value.Null
}
