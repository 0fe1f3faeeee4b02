package machine

import (
	"github.com/aquanode/aquanode/interpreter/air"
	"github.com/aquanode/aquanode/interpreter/fault"
	"github.com/aquanode/aquanode/interpreter/internal/content"
	"github.com/aquanode/aquanode/interpreter/internal/program"
	"github.com/aquanode/aquanode/interpreter/meter"
	"github.com/aquanode/aquanode/interpreter/value"
)

// errorSlot is what %last_error% or :error: stand for. A slot that is locked
// keeps its error: the first one counts until an xor or a par unlocks it.
//
// The object is made on demand; most errors (a match inside an
// xor, once for each element of a fold) are caught without anybody asking.
type errorSlot struct {
	locked bool
	err    *fault.Fault
	n      *program.Node // the instruction that failed
	peer   *string       // nil: the object names none
	object *content.Item // once made, or given to fail
	cause  *fault.Fault  // :error: only: the error that the enclosing xor caught
}

var noError = value.Object([]value.Field{{Key: "error_code", Value: value.Int(0)},
	{Key: "message", Value: value.EmptyString}})

// recordError notes an error at the instruction where it arises. While it bubbles up nothing
// changes: the slots are locked by then, or do not take this error.
func (m *Machine) recordError(n *program.Node, f *fault.Fault) *fault.Fault {
	if f == nil || !f.Catchable() {
		return f
	}
	if !m.lastError.locked && f.Code() != fault.CodeMatch && f.Code() != fault.CodeMismatch {
		m.lastError = errorSlot{locked: true, err: f, n: n, peer: m.errorPeer(f)}
	}
	if !m.anyError.locked {
		m.anyError = errorSlot{locked: true, err: f, n: n}
		if n.Op == program.OpCall || n.Op == program.OpCanon {
			m.anyError.peer = m.errorPeer(f)
		}
	}
	return f
}

// errorPeer is the peer that an error is ascribed to.
func (m *Machine) errorPeer(f *fault.Fault) *string {
	if f.Triplet != nil {
		return &f.Triplet.PeerPK
	}
	return &m.particle.CurrentPeerID
}

// errorItem is the error object.
func (m *Machine) errorItem(s *errorSlot) *content.Item {
	if s.object == nil {
		s.object = &content.Item{Val: noError, Tet: m.particle.initTetraplet}
		if s.err != nil {
			s.object.Val = m.errorObject(s.err.Code(), s.n.Instr, s.err.Message(), s.peer)
			if s.err.Triplet != nil {
				s.object.Tet = s.err.Triplet
			}
		}
	}
	return s.object
}

func (m *Machine) errorObject(code int64, ins air.Instr, message string, peer *string) value.Value {
	instruction := air.Text(ins)
	_ = fault.Charge(m.count, (len(instruction)+len(message))/meter.Byte,
		len(message)+content.SizeOfItem+500)
	instruction = fault.Cut(instruction)
	fields := []value.Field{
		{Key: "error_code", Value: value.Int(code)},
		{Key: "instruction", Value: value.String(instruction)},
		{Key: "message", Value: value.String(message)},
	}
	if peer != nil {
		fields = append(fields, value.Field{Key: "peer_id", Value: value.String(*peer)})
	}
	return value.Object(fields)
}

// fail raises an error object.
func (m *Machine) fail(n *program.Node) *fault.Fault {
	object, f := m.failObject(n)
	if f != nil {
		return f
	}
	m.charged.bytes += len(object.Val.Text()) + content.SizeOfItem + 500 // gone with the next error
	m.lastError = errorSlot{locked: true, object: object}
	m.complete = false
	if isFailOf(n, air.Error) {
		m.anyError.locked = true
		if m.anyError.cause != nil {
			return m.anyError.cause
		}
	}
	return fault.Fail.New(object.Val)
}

func (m *Machine) failObject(n *program.Node) (*content.Item, *fault.Fault) {
	ins := n.Instr.(*air.Fail)
	if ins.Literal {
		return &content.Item{
			Val: m.errorObject(ins.Code, ins, ins.Message, &m.particle.InitPeerID),
			Tet: m.particle.initTetraplet,
		}, nil
	}
	it, f := m.resolve(&n.Operands[0])
	if f != nil {
		return nil, f
	}
	return it, m.checkErrorObject(it)
}

// checkErrorObject checks a value that is to be raised.
func (m *Machine) checkErrorObject(it *content.Item) *fault.Fault {
	v, f := it.Value(m.count)
	switch {
	case f != nil:
		return f
	case v.Kind() != value.KindObject:
		return fault.ErrorNotObject.New(v)
	}
	_ = m.count.Work(2 * len(v.Text()) / meter.JSON)
	code, ok := v.Field("error_code")
	if !ok {
		return fault.ErrorNoField.New(v, "error_code")
	}
	message, ok := v.Field("message")
	if !ok {
		return fault.ErrorNoField.New(v, "message")
	}
	n, isInt := code.AsInt64()
	switch {
	case !isInt:
		return fault.ErrorCodeType.New(v)
	case n == 0:
		return fault.ErrorCodeZero.New()
	case message.Kind() != value.KindString:
		return fault.ErrorMessageType.New(v)
	}
	return nil
}

// callFailed is the error of a call whose service answered with one.
func callFailed(code int32, message string, tet *value.Tetraplet) *fault.Fault {
	f := fault.ServiceError.New(code, fault.Whole(message))
	f.Triplet = tet
	return f
}

// isFailOf reports whether a fail raises %last_error% or :error:, whichever is asked for.
func isFailOf(n *program.Node, kind air.ValueKind) bool {
	f := n.Instr.(*air.Fail)
	return !f.Literal && f.Of.Kind == kind
}
