package data

import (
	"bytes"
	"encoding/json"

	"github.com/mr-tron/base58"

	"github.com/aquanode/aquanode/interpreter/value"
)

// Human decodes data for people and for tests: indented JSON with sorted keys, to the byte what the
// reference shows. Stores become objects by id, keys and signatures base58.
func Human(b []byte) ([]byte, error) {
	d, err := Decode(b)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, []byte(d.Human().Text()), "", "  ")
	return out.Bytes(), err
}

// Human is the data as a JSON value for people.
func (d *Data) Human() value.Value {
	return object(
		"data", object(
			"cid_info", object(
				"canon_element_store", humanStore(&d.CanonElements, CanonElement.human),
				"canon_result_store", humanStore(&d.CanonResults, CanonResult.human),
				"service_result_store", humanStore(&d.ServiceResults, ServiceResult.human),
				"tetraplet_store", humanStore(&d.Tetraplets, humanTetraplet),
				"value_store", humanStore(&d.Values, humanValue)),
			"lcid", number(d.LastCallID),
			"signatures", humanSignatures(d.Signatures),
			"trace", list(d.Trace, State.human)),
		"versions", object(
			"interpreter_version", value.String(d.InterpreterVersion),
			"version", value.String(d.Version)),
	)
}

// object makes an object of keys and values in turn.
func object(pairs ...any) value.Value {
	fields := make([]value.Field, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, value.Field{Key: pairs[i].(string),
			Value: pairs[i+1].(value.Value)})
	}
	return value.Object(fields)
}

func list[T any](items []T, human func(T) value.Value) value.Value {
	elements := make([]value.Value, len(items))
	for i, item := range items {
		elements[i] = human(item)
	}
	return value.Array(elements)
}

func number(n uint32) value.Value { return value.Uint(uint64(n)) }

func (c CID) human() value.Value { return value.String(string(c)) }

func humanStore[V any](s *Store[V], human func(V) value.Value) value.Value {
	fields := make([]value.Field, 0, s.Len())
	for cid, v := range s.All() {
		fields = append(fields, value.Field{Key: string(cid), Value: human(v)})
	}
	return value.Object(fields)
}

func humanValue(v value.Value) value.Value { return value.String(v.Text()) }

func humanTetraplet(t value.Tetraplet) value.Value {
	return object(
		"peer_pk", value.String(t.PeerPK),
		"service_id", value.String(t.ServiceID),
		"function_name", value.String(t.FunctionName),
		"lens", value.String(t.Lens))
}

func (e CanonElement) human() value.Value {
	return object("value", e.Value.human(), "tetraplet", e.Tetraplet.human(), "provenance",
		e.Provenance.human())
}

func (p Provenance) human() value.Value {
	kind := value.String(originNames[p.Origin])
	if p.Origin == Literal {
		return object("type", kind)
	}
	return object("type", kind, "cid", p.CID.human())
}

func (c CanonResult) human() value.Value {
	return object("tetraplet", c.Tetraplet.human(), "values", list(c.Elements, CID.human))
}

func (r ServiceResult) human() value.Value {
	return object(
		"value_cid", r.Value.human(),
		"argument_hash", r.ArgumentHash.human(),
		"tetraplet_cid", r.Tetraplet.human())
}

func humanSignatures(signatures []Signature) value.Value {
	fields := make([]value.Field, len(signatures))
	for i, s := range signatures {
		fields[i].Key = base58Of(s.PublicKey)
		fields[i].Value = value.String(base58Of(s.Signature))
	}
	return value.Object(fields)
}

// base58Of is a key or a signature. What is too long to be one is cut: base58 is quadratic.
func base58Of(s string) string {
	const most = 1024
	if len(s) > most {
		return base58.Encode([]byte(s[:most])) + "..."
	}
	return base58.Encode([]byte(s))
}

func (s State) human() value.Value {
	switch s.Kind {
	case Par:
		return object("par", value.Array([]value.Value{number(s.Left), number(s.Right)}))
	case CallRequestSent:
		return object("call", object("sent_by", s.humanSender()))
	case CallExecuted:
		return object("call", object("executed", s.humanOutput()))
	case CallFailed:
		return object("call", object("failed", s.CID.human()))
	case Fold:
		return object("fold", object("lore", list(s.Lore(), FoldLore.human)))
	case Ap:
		return object("ap", object("gens", list(s.Generations(), number)))
	case CanonRequestSent:
		return object("canon", object("sent_by", value.String(s.Peer)))
	case CanonExecuted:
		return object("canon", object("executed", s.CID.human()))
	}
	return value.Null
}

func (s State) humanSender() value.Value {
	peer := value.String(s.Peer)
	if !s.HasCallID {
		return object("PeerId", peer)
	}
	return object("PeerIdWithCallId", object("peer_id", peer, "call_id", number(s.CallID)))
}

func (s State) humanOutput() value.Value {
	switch s.Output {
	case Stream:
		return object("stream", object("cid", s.CID.human(), "generation", number(s.Generation)))
	case Unused:
		return object("unused", s.CID.human())
	}
	return object("scalar", s.CID.human())
}

func (l FoldLore) human() value.Value {
	pair := []SubTrace{l.Before, l.After}
	return object("pos", number(l.ValuePos), "desc", list(pair[:l.kept()], SubTrace.human))
}

func (t SubTrace) human() value.Value {
	return object("pos", number(t.Begin), "len", number(t.Len))
}
