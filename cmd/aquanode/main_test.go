package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aquanode/aquanode/internal/golden"
	"github.com/aquanode/aquanode/node/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"aquanode": main})
}

// The scripts are the manual by example: each shows a command, its output and its failures.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       golden.Updating(),
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"freeport":  freePort,
			"freeports": freePorts,
			"ready":     ready,
			"capture":   capture,
		},
	})
}

// freeport NAME... sets variables to unused ports.
func freePort(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		ts.Setenv(name, fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
}

// freeports NAME N sets a variable to the first of N unused ports in a row.
func freePorts(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for base := 20000 + rand.N(10000); base < 32000; base += n {
		if allFree(base, n) {
			ts.Setenv(args[0], fmt.Sprint(base))
			return
		}
	}
	ts.Fatalf("no %d free ports in a row", n)
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		defer l.Close()
	}
	return true
}

// ready PORT... waits until the ports accept connections.
func ready(ts *testscript.TestScript, _ bool, ports []string) {
	for _, port := range ports {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("nobody listens on port %s", port)
			}
		}
	}
}

// capture NAME sets a variable to the first word of the last command's output.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	if len(words) == 0 {
		ts.Fatalf("there is no output")
	}
	ts.Setenv(args[0], words[0])
}

func TestFlagsFirst(t *testing.T) {
	for in, want := range map[string]string{
		"aquanode run x.aqua --ttl 5s -f g()":          "aquanode run --ttl 5s -f g() x.aqua",
		"aquanode run x.aqua --ttl=5s --picture y":     "aquanode run --ttl=5s --picture x.aqua y",
		"aquanode run --ttl 5s x.aqua":                 "aquanode run --ttl 5s x.aqua",
		"aquanode run x -- --ttl":                      "aquanode run -- x --ttl",
		"aquanode key show f --format json":            "aquanode key show --format json f",
		"aquanode key --format json show f":            "aquanode key show --format json f",
		"aquanode key show new --format json":          "aquanode key show --format json new",
		"aquanode air bench f.air --budget 5 --fresh":  "aquanode air bench --budget 5 --fresh f.air",
		"aquanode air bench --budget 5 --retained f":   "aquanode air bench --budget 5 --retained f",
		"aquanode air --budget 5 bench f --retained g": "aquanode air bench --budget 5 --retained f g",
		"aquanode air bench f -- --budget 5":           "aquanode air bench -- f --budget 5",
		"aquanode air nothing --budget 5":              "aquanode air --budget nothing 5",
		"aquanode --listen /ip4/1.2.3.4/tcp/1 --key k": "aquanode --listen /ip4/1.2.3.4/tcp/1 --key k",
		"aquanode": "aquanode",
	} {
		got := strings.Join(flagsFirst(newApp(), strings.Fields(in)), " ")
		if got != want {
			t.Errorf("%s:\nwant %s\ngot  %s", in, want, got)
		}
	}
}

// Every setting that is documented with a flag has one.
func TestSettingsHaveFlags(t *testing.T) {
	has := map[string]bool{}
	for _, f := range settingFlags() {
		has[f.Names()[0]] = true
	}
	for _, s := range config.Table {
		if !s.FileOnly && !has[s.Flag()] {
			t.Errorf("there is no flag --%s", s.Flag())
		}
	}
}
