package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/identity"
)

// settingFlags returns the flags of all settings that have one.
func settingFlags() (flags []cli.Flag) {
	for _, t := range config.Table {
		if !t.FileOnly {
			flags = append(flags, settingFlag(t))
		}
	}
	return flags
}

// settingFlag returns the flag of a setting. A default in its usage replaces the one that the
// library would print.
func settingFlag(t *config.Setting) cli.Flag {
	var aliases []string
	if t.Short != "" {
		aliases = []string{t.Short}
	}
	name := t.Flag()
	usage, text, _ := strings.Cut(t.Usage, " (default: ")
	text = strings.TrimSuffix(text, ")")
	switch t.Kind {
	case config.List:
		return &cli.StringSliceFlag{Name: name, Aliases: aliases, Usage: usage, DefaultText: text}
	case config.Bool:
		return &cli.BoolFlag{Name: name, Aliases: aliases, Usage: usage, DefaultText: text}
	case config.Number:
		n, _ := t.Default.(int)
		return &cli.IntFlag{Name: name, Aliases: aliases, Usage: usage, DefaultText: text, Value: n}
	case config.Duration:
		d, _ := t.Default.(time.Duration)
		return &cli.DurationFlag{Name: name, Aliases: aliases, Usage: usage, DefaultText: text, Value: d}
	}
	value, _ := t.Default.(string) // a size is text too, since it may have a unit
	return &cli.StringFlag{Name: name, Aliases: aliases, Usage: usage, DefaultText: text, Value: value}
}

// settings resolves the configuration and prints its warnings.
func settings(c *cli.Context) (*config.Settings, error) {
	flags := map[string]any{}
	for _, t := range config.Table {
		if t.FileOnly || !c.IsSet(t.Flag()) {
			continue
		}
		switch t.Kind {
		case config.Text, config.Size:
			flags[t.Name] = c.String(t.Flag())
		case config.List:
			flags[t.Name] = c.StringSlice(t.Flag())
		case config.Bool:
			flags[t.Name] = c.Bool(t.Flag())
		case config.Number:
			flags[t.Name] = c.Int(t.Flag())
		case config.Duration:
			flags[t.Name] = c.Duration(t.Flag())
		}
	}
	s, err := config.Resolve(config.Sources{
		Files: c.StringSlice("config"), Env: os.Environ(), Flags: flags,
	})
	if err != nil {
		return nil, err
	}
	for _, w := range s.Warnings() {
		say("%s", w)
	}
	return s, nil
}

// peerKey loads the key of the settings.
func peerKey(s *config.Settings) (ed25519.PrivateKey, error) {
	text, file, create := s.Key()
	if text != "" {
		return identity.Parse(text)
	}
	if !create {
		key, err := identity.Load(file)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w, and key_create is false", err)
		}
		return key, err
	}
	key, created, err := identity.LoadOrCreate(file)
	if created {
		say("created key file %s", file)
	}
	return key, err
}
