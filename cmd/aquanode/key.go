package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/aquanode/aquanode/node/identity"
	"github.com/aquanode/aquanode/particle"
)

func keyCommand() *cli.Command {
	return &cli.Command{
		Name:            "key",
		Usage:           "create or show a key file",
		HideHelpCommand: true,
		Flags:           []cli.Flag{formatFlag},
		Subcommands: []*cli.Command{
			{
				Name: "new", Usage: "create a key file, or print a new key if FILE is missing",
				ArgsUsage: "[FILE]", Action: keyNew,
				Flags: []cli.Flag{formatFlag}, OnUsageError: usageError,
			},
			{
				Name: "show", Usage: "print the peer ID of a key file", ArgsUsage: "FILE", Action: keyShow,
				Flags: []cli.Flag{formatFlag}, OnUsageError: usageError,
			},
		},
		Action: func(*cli.Context) error {
			return hint(usagef("key needs a subcommand"), "aquanode key new FILE, or aquanode key show FILE")
		},
	}
}

func keyNew(c *cli.Context) error {
	key := identity.Generate()
	if c.NArg() == 0 {
		return printKey(c, key, true)
	}
	file, err := oneFile(c)
	if err != nil {
		return err
	}
	if err := identity.Create(file, key); errors.Is(err, fs.ErrExist) {
		return hint(fmt.Errorf("%s exists", file),
			"'aquanode key show %s' prints its peer ID; a lost key cannot be restored", file)
	} else if err != nil {
		return err
	}
	return printKey(c, key, false)
}

func keyShow(c *cli.Context) error {
	file, err := oneFile(c)
	if err != nil {
		return err
	}
	key, err := identity.Load(file)
	if err != nil {
		return err
	}
	return printKey(c, key, false)
}

func printKey(c *cli.Context, key ed25519.PrivateKey, secret bool) error {
	id := particle.PeerID(key.Public().(ed25519.PublicKey))
	if isJSON(c) {
		out := map[string]string{"peerId": id}
		if secret {
			out["secretKey"] = identity.Encode(key)
		}
		return printJSON(os.Stdout, out)
	}
	fmt.Println(id)
	if secret {
		fmt.Println(identity.Encode(key))
	}
	return nil
}
