package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aquanode/aquanode/node/journal"
)

// failure is the JSON form of a failed run.
type failure struct {
	Message     string  `json:"message"`
	ParticleID  string  `json:"particleId"`
	PeerID      string  `json:"peerId,omitempty"`
	Code        int64   `json:"code,omitempty"`
	Instruction string  `json:"instruction,omitempty"`
	Causes      []cause `json:"causes,omitempty"`
}

// cause is a reason for a failure, from the journal of a peer.
type cause struct {
	PeerID string `json:"peerId"`
	Text   string `json:"text"`
}

func (f *failure) text(names map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "particle %s failed", f.ParticleID)
	if f.PeerID != "" {
		fmt.Fprintf(&b, " on %s", nameOf(f.PeerID, names))
	}
	fmt.Fprintf(&b, ": %s", f.Message)
	if f.Instruction != "" {
		fmt.Fprintf(&b, "\nat %s", strings.TrimSpace(f.Instruction))
	}
	for _, c := range f.Causes {
		fmt.Fprintf(&b, "\n%s: %s", nameOf(c.PeerID, names), withNames(c.Text, names))
	}
	return b.String()
}

// causes returns the reasons why a particle did not end, the most useful first: services that did
// not return and particles that were not sent or were refused, then values that were never set.
// That the client waits for another peer counts only if there is no other reason.
func causes(events []journal.Entry, client string) []cause {
	var hard, values, peers []cause
	for _, e := range events {
		switch {
		case e.Kind == journal.Lost, e.Kind == journal.Held:
			text := fmt.Sprintf("the particle was not sent to %s: %s", e.Peer, e.Detail)
			hard = append(hard, cause{e.Host, text})
		case e.Kind == journal.Refused, e.Kind == journal.Failed:
			hard = append(hard, cause{e.Host, e.Detail})
		}
		for _, w := range e.Waits {
			instruction := strings.TrimSpace(w.Instruction)
			switch {
			case w.Variable != "":
				text := fmt.Sprintf("waited for %s, which has no value, at %s", w.Variable, instruction)
				values = append(values, cause{e.Host, text})
			case w.Peer == e.Host:
				hard = append(hard, cause{e.Host, "a service did not return in time, at " + instruction})
			case e.Host == client:
				text := fmt.Sprintf("waited for peer %s, at %s", w.Peer, instruction)
				peers = append(peers, cause{e.Host, text})
			}
		}
	}
	all := append(hard, values...)
	if len(all) == 0 {
		all = peers
	}
	return distinct(all)
}

func distinct(all []cause) (out []cause) {
	for _, c := range all {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func nameOf(id string, names map[string]string) string {
	if name := names[id]; name != "" {
		return name + " (" + id + ")"
	}
	return id
}

func withNames(text string, names map[string]string) string {
	for id, name := range names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}
