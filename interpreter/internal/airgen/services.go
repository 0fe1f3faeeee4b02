package airgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/aquanode/aquanode/interpreter/simulate"
	"github.com/aquanode/aquanode/interpreter/value"
)

// services answer the calls of generated programs. A function makes values of the shape
// that it is named after; "error" fails, "broken" gives what is no JSON, and any other
// name gives its arguments back.
type services struct {
	*rand.Rand
	peers []simulate.Peer
}

func (s *services) answer(q *simulate.CallRequest) simulate.Result {
	switch q.FunctionName {
	case "error":
		text := choice(s, `"refused"`, `not JSON at all`, ``,
			`{"error_code":3,"message":"as an object"}`)
		return simulate.Result{RetCode: choice[int32](s, 1, 7, -1, math.MaxInt32, math.MinInt32),
			Result: text}
	case "broken":
		return simulate.Result{Result: choice(s, "no JSON", "", "{", "[1,]", "NaN", "01", "\"open",
			"{\"a\":1}x")}
	}
	for k, name := range functions {
		if name == q.FunctionName {
			return simulate.Result{Result: s.make(shape(k), 2)}
		}
	}
	texts := make([]string, len(q.Arguments))
	for k, a := range q.Arguments {
		texts[k] = a.Text()
	}
	return simulate.Result{Result: "[" + strings.Join(texts, ",") + "]"}
}

func choice[T any](s *services, list ...T) T { return list[s.IntN(len(list))] }

// make writes a value of a shape as JSON, now and then of another shape.
func (s *services) make(want shape, depth int) string {
	if s.IntN(25) == 0 {
		want = shape(s.IntN(int(shapes)))
	}
	switch want {
	case number:
		return choice(s, "0", "1", "2", "0", "1", "3", "-1", "1.0", "18446744073709551615")
	case text:
		return choice(s, `"one"`, `"two"`, `"three"`, `"a"`, `"b"`, `"key"`, `"\u006fne"`)
	case peerID:
		return quoted(s.peers[s.IntN(len(s.peers))].ID)
	case texts:
		return s.array(text, depth)
	case peerIDs:
		return s.array(peerID, depth)
	case objects:
		return s.array(object, depth-1)
	case object:
		return s.object(depth)
	case failure:
		return choice(s, `{"error_code":5,"message":"made"}`,
			`{"message":"made","error_code":-2,"more":[1.50]}`,
			`{"error_code":0,"message":"zero"}`, `{"error_code":"5","message":"text"}`, `{"error_code":5}`, `{"message":"no code"}`)
	}
	return s.anything(depth)
}

func quoted(s string) string { return value.String(s).Text() }

func (s *services) array(of shape, depth int) string {
	n := s.IntN(4)
	parts := make([]string, n)
	for k := range parts {
		parts[k] = s.make(of, depth-1)
	}
	return "[" + strings.Join(parts, choice(s, ",", ", ")) + "]"
}

// object makes one with the fields that programs look for, in any order.
func (s *services) object(depth int) string {
	if depth < 0 {
		return "{}"
	}
	var parts []string
	for _, k := range s.Perm(len(fields)) {
		if s.IntN(12) == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf(`"%s":%s`, fields[k].name,
			s.make(fields[k].shape, depth-1)))
	}
	return "{" + strings.Join(parts, choice(s, ",", " ,\n")) + "}"
}

func (s *services) anything(depth int) string {
	if depth <= 0 || s.IntN(2) == 0 {
		return choice(s, "null", "true", "false", "-0", "-0.0", "1e3", "1E-7", "1.10",
			"12345678901234567890123", "9007199254740993",
			"-9223372036854775808", "2.5e-320", `""`, `"\u2603\ud83d\ude00\/\b"`, `"\\ \" \n"`, `"ünï"`, " [ ] ", "{ }", "100000000000000000000.0")
	}
	if s.IntN(2) == 0 {
		return s.array(anything, depth)
	}
	return fmt.Sprintf(`{"b":%s, "a" : %s,"b":%s,"":0}`, s.anything(depth-1), s.anything(depth-1),
		s.anything(depth-1))
}
