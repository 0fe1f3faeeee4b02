package main

import (
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "print the configuration of a peer with these flags, and the source of each setting",
		Description: "Later sources override earlier ones: Config.toml in the working directory, the files in\n" +
			"AQUANODE_CONFIG or FLUENCE_CONFIG, those of --config, variables FLUENCE_..., variables\n" +
			"AQUANODE_..., flags. The output is a file for --config. The variable of a setting is its name\n" +
			"in capitals: AQUANODE_DATA_DIR for data_dir.\n\n" +
			"Example: aquanode config --config peer.toml --grace 10s",
		Flags:  daemonFlags,
		Action: showConfig,
	}
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
		line := map[string]any{"key": v.Setting.Name, "value": value, "source": v.Source}
		if err := printJSON(os.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}
