package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node/config"
	"github.com/aquanode/aquanode/node/identity"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "tell how a peer started here with these flags would be configured, and by what",
		Description: "What is said later wins: Config.toml in the working directory, the files that AQUANODE_CONFIG or\n" +
			"FLUENCE_CONFIG name, those of --config, variables FLUENCE_..., variables AQUANODE_..., flags. The output\n" +
			"is a file for --config. A setting's variable is its name in capitals: AQUANODE_DATA_DIR for data_dir.\n\n" +
			"Example: aquanode config --config peer.toml --grace 10s",
		Flags:  daemonFlags,
		Action: showConfig,
	}
}

// settingFlags are the flags of all settings that have one.
func settingFlags() (flags []cli.Flag) {
	for _, t := range config.Table {
		if t.FileOnly {
			continue
		}
		var aliases []string
		if t.Short != "" {
			aliases = []string{t.Short}
		}
		name := t.Flag()
		switch t.Kind {
		case config.Size: // text, since it may have a unit
			flags = append(flags, &cli.StringFlag{Name: name, Aliases: aliases, Usage: t.Usage})
		case config.Text:
			text, _ := t.Default.(string)
			flags = append(flags, &cli.StringFlag{Name: name, Aliases: aliases, Usage: t.Usage, Value: text})
		case config.List:
			flags = append(flags, &cli.StringSliceFlag{Name: name, Aliases: aliases, Usage: t.Usage})
		case config.Bool:
			flags = append(flags, &cli.BoolFlag{Name: name, Aliases: aliases, Usage: t.Usage})
		case config.Number:
			n, _ := t.Default.(int)
			flags = append(flags, &cli.IntFlag{Name: name, Aliases: aliases, Usage: t.Usage, Value: n})
		case config.Duration:
			d, _ := t.Default.(time.Duration)
			flags = append(flags, &cli.DurationFlag{Name: name, Aliases: aliases, Usage: t.Usage, Value: d})
		}
	}
	return flags
}

// settings reads the configuration. What has no effect is said.
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
	s, err := config.Resolve(config.Sources{Files: c.StringSlice("config"), Env: os.Environ(), Flags: flags})
	if err != nil {
		return nil, err
	}
	for _, w := range s.Warnings() {
		say("%s", w)
	}
	return s, nil
}

func showConfig(c *cli.Context) error {
	s, err := settings(c)
	if err != nil {
		return err
	}
	if !isJSON(c) {
		_, err := os.Stdout.WriteString(s.TOML())
		return err
	}
	for _, v := range s.Shown() {
		value := v.V
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		} else if v.Setting.Secret && value != "" {
			value = "hidden"
		}
		if list, ok := value.([]string); ok {
			value = append([]string{}, list...)
		}
		if err := printJSON(os.Stdout, map[string]any{"key": v.Setting.Name, "value": value, "source": v.Source}); err != nil {
			return err
		}
	}
	return nil
}

// peerKey is the key that the settings name.
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
		say("made a new key, %s", file)
	}
	return key, err
}
