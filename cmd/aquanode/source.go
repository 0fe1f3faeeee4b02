package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/aqua"
	"github.com/aquanode/aquanode/aqua/diag"
	"github.com/aquanode/aquanode/node/devnet"
	"github.com/aquanode/aquanode/services/script"
)

// sourceFlags are the flags of run and compile for a script and its surroundings.
var sourceFlags = []cli.Flag{
	&cli.StringSliceFlag{
		Name: "on", Usage: "`NAME=PEERID`, a name for a peer in the script, repeatable",
	},
	&cli.StringSliceFlag{
		Name:  "import",
		Usage: "`DIR` to search for imports, besides those of the script and node_modules, repeatable",
	},
	&cli.StringSliceFlag{Name: "const", Usage: "`'NAME = literal'`, a constant for the script, repeatable"},
	&cli.StringFlag{
		Name: "services", DefaultText: "services/ beside the script",
		Usage: "`DIR` with services, NAME.js is service NAME",
	},
	&cli.StringFlag{Name: "data", Usage: "`JSON` object with values for the arguments of the call"},
	formatFlag,
}

type jsonObject = map[string]json.RawMessage

// source is a script file with all that compiling it depends on.
type source struct {
	file     string
	call     string            // -f
	data     jsonObject        // --data
	names    map[string]string // peer IDs by name
	imports  []string
	services string // directory of services whose functions need no declaration
	options  aqua.Options
}

// sourceOf reads the flags. The first peers of a local network have names without --on.
func sourceOf(c *cli.Context, peers int) (source, error) {
	file, err := oneFile(c)
	if err != nil {
		return source{}, err
	}
	s := source{
		file: file, call: c.String("f"),
		imports: c.StringSlice("import"), services: servicesDir(c, file),
	}
	s.options = aqua.Options{
		NoRelay: c.Bool("no-relay"), NoXor: c.Bool("no-xor"), Tracing: c.Bool("tracing"),
		Constants: c.StringSlice("const"),
		// The response of a function without results tells the client that it ended.
		EmptyResponse: !c.Bool("no-empty-response"),
	}
	if s.names, err = peerNames(c.StringSlice("on"), peers); err != nil {
		return source{}, err
	}
	if text := c.String("data"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.data); err != nil {
			return source{}, hint(usagef("--data: %w", err),
				`--data takes a JSON object, as in --data '{"name": "value"}'`)
		}
	}
	s.data = withPeers(s.data, s.names)
	return s, nil
}

// peerNames parses NAME=PEERID pairs and adds the names of the peers of a local network.
func peerNames(pairs []string, peers int) (map[string]string, error) {
	names := map[string]string{}
	for n := 1; n <= peers; n++ {
		names[devnet.Name(n)] = devnet.ID(n)
	}
	for _, pair := range pairs {
		name, id, ok := strings.Cut(pair, "=")
		if !ok || name == "" || id == "" {
			return nil, hint(usagef("--on takes NAME=PEERID, not %q", pair),
				"example: --on peer1=12D3KooW...")
		}
		names[name] = id
	}
	return names, nil
}

// withPeers adds the names of peers to the data of a call. Names in given take precedence.
func withPeers(given jsonObject, peers map[string]string) jsonObject {
	all := make(jsonObject, len(given)+len(peers))
	for name, id := range peers {
		all[name] = json.RawMessage(strconv.Quote(id)) // base58
	}
	maps.Copy(all, given)
	return all
}

// servicesDir returns the directory of services, "" if there is none.
func servicesDir(c *cli.Context, file string) string {
	if dir := c.String("services"); dir != "" {
		return dir
	}
	dir := filepath.Join(filepath.Dir(file), "services")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// compileFile compiles the file of a source.
func compileFile(s source) (*aqua.Result, error) {
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, err
	}
	opts := s.options
	opts.Imports = aqua.Files(aqua.Dirs(append(s.imports, moduleDirs(s.file)...)...))
	opts.Script, opts.Peers, opts.Call, opts.Data = true, s.names, s.call, s.data
	src := aqua.Source{Path: s.file, Text: string(text)}
	r, err := aqua.Compile(src, opts)
	if err == nil || s.services == "" {
		return r, err
	}
	// Services are loaded only for a script that does not compile without them: the folder beside
	// it may have other files.
	known, failed := knownServices(s.services)
	if opts.Services = known; len(known) > 0 {
		r, err = aqua.Compile(src, opts)
	}
	if err != nil && failed != nil && lacksName(err) {
		return nil, hint(errors.Join(err, fmt.Errorf("services in %s: %w", s.services, failed)),
			"use --services DIR for another directory of services")
	}
	return r, err
}

// lacksName reports whether a program does not compile because a name is not defined, which may be
// a service or its function.
func lacksName(err error) bool {
	return slices.ContainsFunc(aqua.Diagnostics(err), func(d diag.Diagnostic) bool {
		return d.Missing != ""
	})
}

// moduleDirs returns the node_modules directories of a file: beside it, in each folder above it,
// and in the working directory.
func moduleDirs(file string) (dirs []string) {
	const name = "node_modules"
	if abs, err := filepath.Abs(file); err == nil {
		for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
			dirs = append(dirs, filepath.Join(dir, name))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return append(dirs, name)
}

// knownServices loads the services of a directory, which a script may call without declaring them.
func knownServices(dir string) ([]aqua.ServiceInfo, error) {
	if dir == "" {
		return nil, nil
	}
	list, err := script.Load(dir)
	if err != nil {
		return nil, err
	}
	var known []aqua.ServiceInfo
	for _, s := range list {
		known = append(known, aqua.ServiceInfo{ID: s.ID(), Functions: s.Functions()})
	}
	return known, nil
}
