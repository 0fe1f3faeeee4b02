package simulate

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/interpreter/data"
)

// Write tells the steps of a simulated particle, a few lines for each.
func (o *Outcome) Write(w io.Writer) error {
	for i, s := range o.Steps {
		if err := o.writeStep(w, i+1, &s); err != nil {
			return err
		}
	}
	if len(o.Lost) > 0 {
		fmt.Fprintf(w, "lost to unknown peers: %s\n", strings.Join(o.Lost, ", "))
	}
	if len(o.Pending) > 0 {
		fmt.Fprintf(w, "still pending: %s\n", strings.Join(o.Pending, ", "))
	}
	return nil
}

func (o *Outcome) name(id string) string {
	if n, ok := o.Names[id]; ok {
		return n
	}
	return id
}

func (o *Outcome) writeStep(w io.Writer, n int, s *StepRecord) error {
	a := s.Answer
	fmt.Fprintf(w, "%d. %s -> ret %d", n, s.Event, a.RetCode)
	if a.RetCode != 0 {
		fmt.Fprintf(w, " %q", a.ErrorMessage)
	}
	fmt.Fprintln(w)
	if len(s.Request.CallResults) > 0 {
		in, err := json.Marshal(s.Request.CallResults)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "   in: %s\n", in)
	}
	var next []string
	for _, id := range a.NextPeerPks {
		next = append(next, o.name(id))
	}
	slices.Sort(next)
	fmt.Fprintf(w, "   next: [%s]\n", strings.Join(next, ", "))
	for _, id := range sortedIDs(a.CallRequests) {
		if err := o.writeCall(w, id, a.CallRequests[id]); err != nil {
			return err
		}
	}
	line, err := o.traceLine(a.Data)
	fmt.Fprintf(w, "   trace: %s\n", line)
	return err
}

func sortedIDs(calls map[string]CallRequest) []string {
	ids := make([]string, 0, len(calls))
	for id := range calls {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return ids
}

func (o *Outcome) writeCall(w io.Writer, id string, c CallRequest) error {
	args, err := json.Marshal(c.Arguments)
	if err != nil {
		return err
	}
	lists := make([][]string, len(c.Tetraplets))
	for i, list := range c.Tetraplets {
		lists[i] = []string{}
		for _, t := range list {
			lists[i] = append(lists[i], strings.Join([]string{o.name(t.PeerPK), t.ServiceID,
				t.FunctionName, t.Lens}, "|"))
		}
	}
	tetraplets, err := json.Marshal(lists)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "   call %s: %s.%s %s tetraplets %s\n", id, c.ServiceID, c.FunctionName, args,
		tetraplets)
	return nil
}

// traceLine writes a trace in one line, values in place of content ids.
func (o *Outcome) traceLine(b []byte) (string, error) {
	d, err := data.Decode(b)
	if err != nil {
		return "", err
	}
	return TraceLine(d, o.name), nil
}

// TraceLine writes the trace of data in one line: states with values in place of content ids and
// names in place of peer ids.
func TraceLine(d *data.Data, name func(peer string) string) string {
	words := make([]string, len(d.Trace))
	for i := range d.Trace {
		words[i] = stateWord(d, &d.Trace[i], name)
	}
	return strings.Join(words, " ")
}

func stateWord(d *data.Data, s *data.State, name func(string) string) string {
	switch s.Kind {
	case data.Par:
		return fmt.Sprintf("par(%d,%d)", s.Left, s.Right)
	case data.Ap:
		return fmt.Sprintf("ap[g%s]", strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Generations()),
			" ", ","), "[]"))
	case data.Fold:
		return foldWord(s)
	case data.CanonRequestSent:
		return "canon-req(" + name(s.Peer) + ")"
	case data.CanonExecuted:
		r, _ := d.CanonResults.Get(s.CID)
		return fmt.Sprintf("canon(%d)", len(r.Elements))
	case data.CallRequestSent:
		if s.HasCallID {
			return fmt.Sprintf("req(%s:%d)", name(s.Peer), s.CallID)
		}
		return "req(" + name(s.Peer) + ")"
	case data.CallFailed:
		return "failed(" + valueWord(d, s.CID) + ")"
	}
	switch s.Output {
	case data.Scalar:
		return "scalar(" + valueWord(d, s.CID) + ")"
	case data.Stream:
		return fmt.Sprintf("stream(%s,g%d)", valueWord(d, s.CID), s.Generation)
	}
	return "unused(" + short(s.CID) + ")"
}

func foldWord(s *data.State) string {
	var items []string
	for _, l := range s.Lore() {
		items = append(items, fmt.Sprintf("@%d:[%d,%d][%d,%d]", l.ValuePos, l.Before.Begin,
			l.Before.Len, l.After.Begin, l.After.Len))
	}
	return "fold{" + strings.Join(items, " ") + "}"
}

func valueWord(d *data.Data, cid data.CID) string {
	r, ok := d.ServiceResults.Get(cid)
	if !ok {
		return short(cid)
	}
	v, ok := d.Values.Get(r.Value)
	if !ok {
		return short(cid)
	}
	return v.Text()
}

func short(cid data.CID) string { return string(cid[max(0, len(cid)-6):]) }
