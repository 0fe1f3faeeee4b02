package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node/dispatch"
	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/node/store"
)

func stateCommand() *cli.Command {
	return &cli.Command{
		Name:            "state",
		Usage:           "check or repair the data directory of a stopped peer",
		HideHelpCommand: true,
		Flags:           []cli.Flag{formatFlag},
		Subcommands: []*cli.Command{
			{
				Name: "check", Usage: "read all files of DIR and report damage; changes nothing",
				ArgsUsage: "DIR", Action: stateCheck,
				Flags: []cli.Flag{formatFlag}, OnUsageError: usageError,
			},
			{
				Name:      "repair",
				Usage:     "replace damaged files of DIR by their readable records; saves the old ones as NAME.damaged-TIME",
				ArgsUsage: "DIR", Action: stateRepair,
				Flags: []cli.Flag{formatFlag}, OnUsageError: usageError,
			},
		},
		Action: func(*cli.Context) error {
			return hint(usagef("state needs a subcommand"),
				"aquanode state check DIR, or aquanode state repair DIR")
		},
	}
}

// errState is the error for damaged files, which are listed before.
var errState = errors.New("the data directory is damaged")

func stateCheck(c *cli.Context) error {
	dir, err := oneDir(c)
	if err != nil {
		return err
	}
	files, err := store.Check(dir)
	if err != nil {
		return err
	}
	files = append(files, keyState(dir))
	bad := false
	for _, f := range files {
		bad = bad || f.Bad()
	}
	if isJSON(c) {
		err = printJSON(os.Stdout, map[string]any{"dir": dir, "ok": !bad, "files": files})
	} else {
		for _, f := range files {
			printState(f)
		}
	}
	if bad && err == nil {
		err = hint(errState, "'aquanode state repair %s' saves the readable records", dir)
	}
	return err
}

// keyState checks the key file. It may be absent: --key names another one.
func keyState(dir string) store.FileState {
	s := store.FileState{Name: "peer.key", State: "ok"}
	info, err := os.Stat(filepath.Join(dir, s.Name))
	if errors.Is(err, os.ErrNotExist) {
		s.State = "absent"
		return s
	}
	if err == nil {
		s.Bytes = info.Size()
		_, err = identity.Load(filepath.Join(dir, s.Name))
	}
	if err != nil {
		s.State, s.Damages = "damaged", []string{err.Error()}
		if errors.Is(err, os.ErrPermission) || errors.Is(err, identity.ErrExposed) {
			s.State = "unreadable"
		}
	}
	return s
}

func printState(f store.FileState) {
	fmt.Printf("%-13s %s, %d bytes, %d records", f.Name, f.State, f.Bytes, f.Records)
	if f.Lists > 0 {
		fmt.Printf(" of %d particles", f.Lists)
	}
	fmt.Println()
	for _, d := range f.Damages {
		fmt.Printf("  %s\n", d)
	}
}

func stateRepair(c *cli.Context) error {
	dir, err := oneDir(c)
	if err != nil {
		return err
	}
	files, err := store.Repair(dir, time.Now(), func(head []byte) string {
		p, err := dispatch.KeptParticle(head)
		if err != nil {
			return "unknown"
		}
		return fmt.Sprintf("%.100q of %.100s", p.ID, p.InitPeerID)
	})
	if isJSON(c) {
		if err := printJSON(os.Stdout, map[string]any{"dir": dir, "files": files}); err != nil {
			return err
		}
	} else {
		for _, f := range files {
			printRepaired(f)
		}
	}
	if err != nil {
		return err
	}
	if key := keyState(dir); key.Bad() {
		return hint(fmt.Errorf("%s: %s", key.Name, strings.Join(key.Damages, "; ")),
			"a key cannot be repaired: restore it from a backup")
	}
	return nil
}

func printRepaired(f store.Repaired) {
	if f.Saved == "" {
		fmt.Printf("%-13s %s, unchanged\n", f.Name, f.State)
		return
	}
	fmt.Printf("%-13s %s, replaced: %d records saved, the old file is %s\n",
		f.Name, f.State, f.Kept, f.Saved)
	for _, d := range f.Damages {
		fmt.Printf("  found: %s\n", d)
	}
	for _, l := range f.Lost {
		fmt.Printf("  lost: %s\n", l)
	}
}
