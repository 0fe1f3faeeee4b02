package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/client"
	"github.com/aquanode/aquanode/node"
	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/runs"
	"github.com/aquanode/aquanode/services/script"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a script and print its result",
		ArgsUsage: "FILE",
		Description: "FILE is Aqua, or AIR if its name ends in .air. With --relay, the script runs on the network\n" +
			"of that peer. Without it, a network is started in this process: peer1, peer2, ... Each of its\n" +
			"peers offers the services in the folder services/ beside the script; the client, which starts\n" +
			"the script, always does. An argument that is a function may be left out: each call of it prints\n" +
			"its arguments as a JSON array and returns the zero value of its type (\"\", 0, false, []).\n\n" +
			"Example: aquanode run hello.aqua -f 'hello(\"bob\")'",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "f", Usage: "`CALL` of a function of the file, such as 'fn(1, \"two\")'"},
			&cli.StringFlag{Name: "relay", Usage: "`ADDR` of a peer of the network, with /p2p/PEERID at its end"},
			&cli.DurationFlag{Name: "ttl", Value: client.DefaultTTL, Usage: "`TIME` that the script may take"},
			&cli.IntFlag{Name: "n", Value: 3, Usage: "`NUMBER` of peers of the embedded network"},
			&cli.StringFlag{Name: "key", DefaultText: "a new key", Usage: "key `FILE` of the client"},
			&cli.BoolFlag{
				Name: "timeline", Aliases: []string{"picture"}, DefaultText: "only on a terminal",
				Usage: "print the calls on a time axis to standard error",
			},
			logFlag,
		}, sourceFlags...),
		Action: runScript,
	}
}

// session is one run of the command.
type session struct {
	cli    *cli.Context
	source source
	script runs.Script
	net    *devnet.Network // nil with --relay
	client *client.Client
}

func runScript(c *cli.Context) error {
	s := &session{cli: c}
	result, err := s.run()
	if err == nil {
		return errors.Join(s.print(result), s.close())
	}
	// Peers record what a particle waits for when it ends.
	if closing := s.close(); closing != nil {
		say("closing: %v", closing)
	}
	return s.fail(err)
}

// run compiles first: a script with an error starts no network.
func (s *session) run() (_ *client.Result, err error) {
	named := s.cli.Int("n")
	if s.cli.String("relay") != "" {
		named = 0
	}
	if s.source, err = sourceOf(s.cli, named); err != nil {
		return nil, err
	}
	if s.script, err = loadScript(s.source); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	s.script.TTL = s.cli.Duration("ttl")
	return s.client.Run(s.cli.Context, s.script)
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
	return script.RegisterDir(s.client.Services(), s.client.ID(), s.source.services)
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

// print prints the result, and on a terminal the timeline.
func (s *session) print(r *client.Result) error {
	if isJSON(s.cli) {
		return printJSON(os.Stdout, map[string]any{
			"result": json.RawMessage(r.JSON().Text()), "particleId": r.ParticleID,
			"events": s.events(r.ParticleID),
		})
	}
	if f := s.script.Function(); f == nil || len(f.Type.Results) > 0 {
		fmt.Println(r.JSON().Text())
	}
	if s.cli.Bool("timeline") || onTerminal(os.Stderr) {
		fmt.Fprint(os.Stderr, timeline(r.ParticleID, s.events(r.ParticleID), s.named()))
	}
	return nil
}

// events returns the entries of all local journals about a particle, in order of time.
func (s *session) events(particleID string) []journal.Entry {
	journals := []*journal.Journal{s.client.Journal()}
	if s.net != nil {
		for _, p := range s.net.Peers {
			journals = append(journals, p.Journal())
		}
	}
	return journal.Merge(particleID, journals...)
}

// named returns names for the peer IDs in messages.
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
		f = failure{
			Message: scriptErr.Message, ParticleID: scriptErr.ParticleID, PeerID: scriptErr.PeerID,
			Code: scriptErr.Code, Instruction: scriptErr.Instruction,
		}
	case errors.As(err, &timeout):
		f = failure{
			Message:    fmt.Sprintf("no answer within %s through relay %s", timeout.TTL, timeout.Relay),
			ParticleID: timeout.ParticleID,
			Causes:     causes(s.events(timeout.ParticleID), s.client.ID()),
		}
	default:
		return err
	}
	if isJSON(s.cli) {
		return printed{errors.Join(err, printJSON(os.Stdout, map[string]failure{"error": f}))}
	}
	return errors.New(f.text(s.named()))
}
