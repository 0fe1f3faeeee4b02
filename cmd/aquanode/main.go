// Command aquanode runs a peer of the network, and the tools for it.
//
//	aquanode --listen ADDR       run a peer until it is stopped
//	aquanode dev                 run a local network in one process
//	aquanode run FILE            run a script, on an embedded or a running network
//	aquanode compile FILE        compile Aqua to AIR
//	aquanode air step|fmt|...    work with AIR scripts and the data of particles
//	aquanode key new|show        create or show a key file
//	aquanode state check|repair  check or repair the data directory of a peer
//	aquanode config              print the configuration of a peer
//	aquanode builtins            list the functions that every peer offers
//	aquanode healthcheck         check the health of a running peer
//	aquanode version             print the version
//
// Standard output carries results only; messages go to standard error. The exit status is 0
// for a result, 1 for a failure, 2 for wrong usage.
//
// main.go starts the program, app.go lists the commands, args.go orders their arguments, and
// each command has a file of its name. settings.go turns flags into the configuration of a
// peer. source.go and script.go load scripts for compile and run. output.go and errors.go
// write to the user.
package main

import (
	"os"
	"runtime/debug"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// The heap of a peer is small. With Go's default of 100, the collector takes a third of the
		// time of a step (2026-11, 2 cores).
		debug.SetGCPercent(400)
	}
	os.Exit(run(os.Args))
}
