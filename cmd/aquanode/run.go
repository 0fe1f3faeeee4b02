package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/node/journal"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a script and print its result",
		ArgsUsage: "FILE",
		Description: "Without --relay a network of peers is started in this process: peer1, peer2, ... The\n" +
			"folder services/ beside the script is served by each of them. With --relay the script runs\n" +
			"over that peer's network. The client, which starts the script, serves the folder in both cases. FILE is Aqua, or AIR if it ends in .air.\n" +
			"Arguments that are functions need not be given: each call of one prints its arguments as a JSON\n" +
			"array, and returns the simplest value of its type (\"\", 0, false, []).",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "f", Usage: "`CALL` of a function of the file: 'fn(1, \"two\")'"},
			&cli.StringFlag{Name: "relay", Usage: "full `ADDR` of the peer to join a network through"},
			&cli.DurationFlag{Name: "ttl", Value: client.DefaultTTL, Usage: "`TIME` the script may take"},
			&cli.IntFlag{Name: "n", Value: 3, Usage: "`NUMBER` of peers of the embedded network"},
			&cli.StringFlag{Name: "key", Usage: "key `FILE` of the client (default: a new key)"},
			&cli.BoolFlag{Name: "picture", Usage: "show what happened also when not on a terminal"},
			logFlag,
		}, sourceFlags...),
		Action: runScript,
	}
}

// session is one run of the command.
type session struct {
	cli     *cli.Context
	source  source
	program *program
	net     *devnet.Network // nil with --relay
	client  *client.Client
}

func runScript(c *cli.Context) error {
	s := &session{cli: c}
	result, err := s.run()
	if err == nil {
		return errors.Join(s.print(result), s.close())
	}
	// Only peers that have ended the particle know what they were waiting for.
	if closing := s.close(); closing != nil {
		say("closing: %v", closing)
	}
	return s.fail(err)
}

// run compiles first: a script with a mistake starts no network.
func (s *session) run() (_ *client.Result, err error) {
	named := s.cli.Int("n")
	if s.cli.String("relay") != "" {
		named = 0
	}
	if s.source, err = sourceOf(s.cli, named); err != nil {
		return nil, err
	}
	if s.program, err = loadProgram(s.source); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	return s.client.Run(s.cli.Context, client.Script{
		AIR: s.program.air, Data: s.program.data, TTL: s.cli.Duration("ttl"), Callbacks: s.program.callbacks,
	})
}

// connect starts the embedded network, unless a relay is named, and the client.
func (s *session) connect() error {
	relay := s.cli.String("relay")
	if relay == "" {
		net, err := devnet.Start(devnet.Config{
			Peers: s.cli.Int("n"),
			Edit:  func(_ int, cfg *config.Config) { cfg.ServicesDir = s.source.services },
		})
		if err != nil {
			return fmt.Errorf("embedded network: %w", err)
		}
		s.net, relay = net, net.Peers[0].Addrs()[0]
	}
	cfg := client.Config{Relays: []string{relay}, Agent: node.Version}
	if file := s.cli.String("key"); file != "" {
		key, _, err := identity.LoadOrCreate(file)
		if err != nil {
			return err
		}
		cfg.Key = key
	}
	ctx, cancel := context.WithTimeout(s.cli.Context, s.cli.Duration("ttl"))
	defer cancel()
	var err error
	if s.client, err = client.Connect(ctx, cfg); err != nil || s.source.services == "" {
		return err
	}
	return node.LoadScripts(s.client.Services(), s.client.ID(), s.source.services)
}

func (s *session) close() error {
	var errs []error
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.net != nil {
		errs = append(errs, s.net.Close())
	}
	return errors.Join(errs...)
}

// boundNames reads NAME=PEERID pairs; the peers of a local network have names already.
func boundNames(pairs []string, peers int) (map[string]string, error) {
	names := map[string]string{}
	for n := 1; n <= peers; n++ {
		names[devnet.Name(n)] = devnet.ID(n)
	}
	for _, pair := range pairs {
		name, id, ok := strings.Cut(pair, "=")
		if !ok || name == "" || id == "" {
			return nil, hint(usagef("--on takes NAME=PEERID, not %q", pair), "--on peer1=12D3KooW...")
		}
		names[name] = id
	}
	return names, nil
}

// print gives the result, and on a terminal the picture.
func (s *session) print(r *client.Result) error {
	for i := range r.Values {
		if i < len(s.program.results) {
			r.Values[i] = fromAqua(s.program.results[i], r.Values[i])
		}
	}
	if isJSON(s.cli) {
		out := map[string]any{"result": json.RawMessage(r.JSON().Text()), "particleId": r.ParticleID, "events": s.events(r.ParticleID)}
		return printJSON(os.Stdout, out)
	}
	if !s.program.silent {
		fmt.Println(r.JSON().Text())
	}
	if s.cli.Bool("picture") || onTerminal(os.Stderr) {
		fmt.Fprint(os.Stderr, picture(r.ParticleID, s.events(r.ParticleID), s.named()))
	}
	return nil
}

// events are what all journals at hand know of the particle, in order of time.
func (s *session) events(particleID string) []journal.Entry {
	journals := []*journal.Journal{s.client.Journal()}
	if s.net != nil {
		for _, p := range s.net.Peers {
			journals = append(journals, p.Journal())
		}
	}
	return journal.Merge(particleID, journals...)
}

// named gives names to the peer ids that people should not have to read.
func (s *session) named() map[string]string {
	byID := map[string]string{}
	for name, id := range s.source.names {
		byID[id] = name
	}
	if s.client != nil {
		byID[s.client.ID()] = "client"
		if byID[s.client.Relay()] == "" {
			byID[s.client.Relay()] = "relay"
		}
	}
	return byID
}

// fail reports an error with the particle, the peer and the cause.
func (s *session) fail(err error) error {
	var scriptErr *client.Error
	var timeout *client.TimeoutError
	var f failure
	switch {
	case errors.As(err, &scriptErr):
		f = failure{scriptErr.Message, scriptErr.ParticleID, scriptErr.PeerID, scriptErr.Code, scriptErr.Instruction, nil}
	case errors.As(err, &timeout):
		f = failure{Message: fmt.Sprintf("no answer within %s through the relay %s", timeout.TTL, timeout.Relay), ParticleID: timeout.ParticleID}
		f.Causes = causes(s.events(timeout.ParticleID), s.client.ID())
	default:
		return err
	}
	if isJSON(s.cli) {
		return said{errors.Join(err, printJSON(os.Stdout, map[string]failure{"error": f}))}
	}
	return errors.New(f.text(s.named()))
}

// failure is a failed run in the form for machines.
type failure struct {
	Message     string  `json:"message"`
	ParticleID  string  `json:"particleId"`
	PeerID      string  `json:"peerId,omitempty"`
	Code        int64   `json:"code,omitempty"`
	Instruction string  `json:"instruction,omitempty"`
	Causes      []cause `json:"causes,omitempty"`
}

// cause is a reason for a failure that a peer knows.
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

// causes finds out from the journals why a particle did not come to its end. What tells
// most comes first: services that did not return, particles that could not be sent or were
// refused, then values that never came. That another peer has not done its part is worth
// saying only when nothing else is known.
func causes(events []journal.Entry, client string) []cause {
	var hard, values, peers []cause
	for _, e := range events {
		switch {
		case e.Kind == journal.Lost, e.Kind == journal.Held:
			hard = append(hard, cause{e.Host, fmt.Sprintf("the particle was not sent to %s: %s", e.Peer, e.Detail)})
		case e.Kind == journal.Refused, e.Kind == journal.Failed:
			hard = append(hard, cause{e.Host, e.Detail})
		}
		for _, w := range e.Waits {
			instruction := strings.TrimSpace(w.Instruction)
			switch {
			case w.Variable != "":
				values = append(values, cause{e.Host, fmt.Sprintf("waited for %s, which has no value, at %s", w.Variable, instruction)})
			case w.Peer == e.Host:
				hard = append(hard, cause{e.Host, "a service did not return in time, at " + instruction})
			case e.Host == client:
				peers = append(peers, cause{e.Host, fmt.Sprintf("waited for peer %s, at %s", w.Peer, instruction)})
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
