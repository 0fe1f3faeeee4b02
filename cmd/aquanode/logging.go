package main

import (
	"strings"

	logging "github.com/ipfs/go-log/v2"
	"github.com/urfave/cli/v2"
)

var logFlag = &cli.StringFlag{
	Name: "log-level", Value: "error", EnvVars: []string{"AQUANODE_LOG_LEVEL"},
	Usage:  "`LEVEL` debug, info, warn or error; NAME=LEVEL,... for single subsystems",
	Action: func(_ *cli.Context, v string) error { return setLogLevel(v) },
}

func setLogLevel(levels string) error {
	cfg := logging.Config{
		Format: logging.PlaintextOutput, Stderr: true, Level: logging.LevelError,
		SubsystemLevels: map[string]logging.LogLevel{},
	}
	for _, part := range strings.Split(levels, ",") {
		name, level, single := strings.Cut(part, "=")
		if !single {
			name, level = "", part
		}
		l, err := logging.Parse(level)
		if err != nil {
			return usagef("--log-level: %q is not debug, info, warn or error", level)
		}
		if single {
			cfg.SubsystemLevels[name] = l
		} else {
			cfg.Level = l
		}
	}
	logging.SetupLogging(cfg)
	return nil
}
