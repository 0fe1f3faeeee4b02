//go:build deploy

// The tests of this package that need a container engine and other tools of the system; run starts
// them.
package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// repo is the root of the project.
const repo = "../.."

// patience bounds what should take seconds: the tests run beside others.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aqd") // short, for the paths of sockets in it
	if err != nil {
		panic(err)
	}
	scratch = dir
	status := m.Run()
	if err := errors.Join(stopEngine(), os.RemoveAll(dir)); err != nil {
		fmt.Println("cleaning up:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

var (
	scratch string        // a directory for all tests
	daemon  *exec.Cmd     // the engine, once started
	gone    chan struct{} // closed when it has ended
)

// engine starts a container engine with a data directory of its own. The script run calls these
// tests in a network namespace of their own, where the engine may have its bridges and firewall rules.
var engine = sync.OnceValue(func() error {
	log, err := os.Create(filepath.Join(scratch, "dockerd.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	socket := "unix://" + filepath.Join(scratch, "docker.sock")
	cmd := exec.Command("dockerd", "--data-root", filepath.Join(scratch, "data"), "--exec-root", filepath.Join(scratch, "exec"),
		"--pidfile", filepath.Join(scratch, "pid"), "--host", socket, "--bridge", "none")
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal for the tests is not for it: it is ended in order
	if err := cmd.Start(); err != nil {
		return err
	}
	daemon, gone = cmd, make(chan struct{})
	go func() {
		cmd.Wait()
		close(gone)
	}()
	for name, value := range map[string]string{"DOCKER_HOST": socket, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0", "COMPOSE_PROJECT_NAME": "aquanode-test"} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := exec.Command("docker", "version").Run()
		if err == nil {
			return nil
		}
		ended := time.Now().After(end)
		select {
		case <-gone:
			ended = true
		default:
		}
		if ended {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("the engine does not come up: %w\n%s", err, tail(text))
		}
	}
})

func stopEngine() error {
	if daemon == nil {
		return nil
	}
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-gone:
		return nil
	case <-time.After(patience):
		return errors.Join(errors.New("the engine does not end"), daemon.Process.Kill())
	}
}

func needEngine(t *testing.T) {
	t.Helper()
	if err := engine(); err != nil {
		t.Fatalf("no container engine can be started here, so nothing was tested: %v", err)
	}
}

func tail(text []byte) []byte { return text[max(0, len(text)-4000):] }

// A command that is run to its end.
type command struct {
	dir string
	env []string
}

// run returns what the command prints on standard output, without the last line end.
func (c command) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := c.try(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c command) try(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), c.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), err
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	return command{}.run(t, "docker", args...)
}

// until repeats what fails, as long as patience lasts.
func until(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// token is what the private pages of peers want.
const token = "a-token-for-tests-only"

func get(url string) (status int, body []byte, err error) {
	client := http.Client{Timeout: 20 * time.Second}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	_, body, err := get(url)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", url, err, tail(body))
	}
}

// built is the program as it is released, built once.
var built = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "aquanode")
	_, err := command{dir: repo}.try(context.Background(), "deploy/build", file)
	return file, err
})

func program(t *testing.T) string {
	t.Helper()
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return file
}
