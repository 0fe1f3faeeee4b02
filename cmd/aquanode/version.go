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
// The Go tool records it in builds from a git checkout.
var commit string

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: versionUsage, Flags: []cli.Flag{formatFlag}, Action: printVersion,
	}
}

const versionUsage = "print the version, the commit and the Go version"

// versionFlag is --version, without the -v of the library, which often means "verbose".
var versionFlag = switchFlag("version", versionUsage)

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

// builtFrom returns the commit that the program was built from, or "unknown".
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
