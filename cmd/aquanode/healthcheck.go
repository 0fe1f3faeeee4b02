package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// maxHealth bounds what is read of the answer of the admin endpoint, which has a few checks of
// a line each.
const maxHealth = 64 << 10

func healthcheckCommand() *cli.Command {
	return &cli.Command{
		Name:  "healthcheck",
		Usage: "ask the admin endpoint of a running peer whether all its health checks pass",
		Description: "The exit status is 0 if they do and 1 otherwise. The admin endpoint is found as the peer finds it:\n" +
			"in the files and variables that configure it, or in --admin.\n\n" +
			"Example: aquanode healthcheck --admin 127.0.0.1:18080",
		Flags: append([]cli.Flag{
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "`TIME` that the answer may take"},
		}, daemonFlags...),
		Action: healthcheck,
	}
}

func healthcheck(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("healthcheck takes no arguments, only flags")
	}
	s, err := settings(c)
	if err != nil {
		return err
	}
	admin := s.Config().Admin
	if admin == "" {
		return hint(errors.New("no admin endpoint is configured"), "start the peer with --admin 127.0.0.1:18080 or AQUANODE_ADMIN, and say the same here")
	}
	body, err := askHealth(admin, c.Duration("timeout"))
	if err == nil && isJSON(c) {
		_, err = os.Stdout.Write(body)
	} else if err == nil {
		_, err = fmt.Println("healthy")
	}
	return err
}

// askHealth returns the answer of the admin endpoint if all checks pass. It writes its request
// itself: http.Client makes the program 0.4 MB larger.
func askHealth(admin string, timeout time.Duration) ([]byte, error) {
	addr := reachable(admin)
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHealth)), nil)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("health: %s%s", answer.Status, failedChecks(body))
	}
	return body, nil
}

// reachable is the address at which an endpoint that listens at addr answers on this machine:
// an endpoint on all addresses is asked on loopback.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.Is4() && ip.IsUnspecified():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// failedChecks names the checks that do not pass, with their reasons.
func failedChecks(body []byte) string {
	var checks []map[string]string
	if err := json.Unmarshal(body, &checks); err != nil {
		return errors.Join(errors.New(", and the answer is not that of a peer"), err).Error()
	}
	var b strings.Builder
	for _, check := range checks {
		for name, result := range check {
			if result == "Fail" {
				fmt.Fprintf(&b, ": %s: %s", name, check["reason"])
			}
		}
	}
	return b.String()
}
