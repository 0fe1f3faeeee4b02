package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node"
)

// commit is stamped by release builds, together with node.Version:
//
//	go build -ldflags "-X main.commit=HASH -X github.com/aquanode/aquanode/node.Version=1.2.3"
//
// Builds in a git checkout have it from the Go tool.
var commit string

func versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "print the version, the commit and the Go version", Flags: []cli.Flag{formatFlag}, Action: printVersion}
}

// versionFlag is --version, without the library's -v, which programs use for "verbose".
var versionFlag = &cli.BoolFlag{Name: "version", Usage: "print the version, the commit and the Go version", DisableDefaultText: true}

func printVersion(c *cli.Context) error {
	commit := builtFrom()
	if isJSON(c) {
		return printJSON(os.Stdout, map[string]string{
			"node": node.Version, "air": data.InterpreterVersion, "data": data.Version,
			"commit": commit, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		})
	}
	_, err := fmt.Printf("%s; AIR version %s; commit %s; %s %s/%s\n",
		node.Version, data.InterpreterVersion, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// builtFrom is the commit that the program was built from, "unknown" if nothing says so.
func builtFrom() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, modified := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	return revision + modified
}
