//go:build deploy

package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// systemd finds nothing wrong with the unit, and it is hardened.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "systemd", "aquanode.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "aquanode.service")
	here := strings.ReplaceAll(string(text), "/usr/bin/aquanode", program(t)) // has to be there
	if err := os.WriteFile(unit, []byte(here), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "aquanode.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// 0 is best and 10 is nothing; the threshold is ten times that.
	score := command{}.run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", unit)
	t.Log(score[strings.LastIndex(score, "\n")+1:])
}

// deb builds the package of a version.
func deb(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	command{dir: repo, env: []string{"VERSION=" + version, "SOURCE_DATE_EPOCH=1700000000"}}.run(t, "deploy/debian/build", program(t), goarch(t), dir)
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("want one package, got %v, %v", found, err)
	}
	return found[0]
}

func goarch(t *testing.T) string {
	t.Helper()
	return command{}.run(t, "go", "env", "GOARCH")
}

// mirror is where this system has its packages from.
func mirror(t *testing.T) (url, suite string) {
	t.Helper()
	list := command{}.run(t, "sh", "-c", `cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true`)
	suite = command{}.run(t, "sh", "-c", `. /etc/os-release && echo $VERSION_CODENAME`)
	for _, pattern := range []string{`(?m)^deb (?:\[.*\] )?(\S+) ` + suite + ` `, `(?m)^URIs: (\S+)`} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(list); m != nil {
			return m[1], suite
		}
	}
	t.Fatal("the sources of this system's packages are not found")
	return "", ""
}

// The package in a clean root: it installs, its program runs as its user, it is upgraded, and it is
// removed without the data.
func TestPackage(t *testing.T) {
	url, suite := mirror(t)
	root := filepath.Join(scratch, "root")
	command{}.run(t, "debootstrap", "--variant=minbase", suite, root, url)
	in := func(args ...string) string {
		t.Helper()
		return command{env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}}.run(t, "/usr/sbin/chroot", append([]string{root}, args...)...)
	}
	install := func(version string) {
		t.Helper()
		command{}.run(t, "cp", deb(t, version), filepath.Join(root, "aquanode.deb"))
		in("dpkg", "-i", "/aquanode.deb")
	}
	before := in("sh", "-c", "find / -xdev -path /proc -prune -o -path /var/lib/dpkg -prune -o -path /var/log -prune -o -print | sort")
	install("1.2.3")
	for file, want := range map[string]string{
		"/usr/bin/aquanode": "root:root 755", "/etc/aquanode/aquanode.toml": "root:root 644", "/var/lib/aquanode": "aquanode:aquanode 700",
		"/lib/systemd/system/aquanode.service": "root:root 644", "/usr/lib/sysusers.d/aquanode.conf": "root:root 644", "/etc/aquanode/services": "root:root 755",
	} {
		if got := in("stat", "-c", "%U:%G %a", file); got != want {
			t.Errorf("%s is of %s, not %s", file, got, want)
		}
	}
	if got := in("dpkg", "--verify", "aquanode"); got != "" {
		t.Errorf("dpkg --verify: %s", got)
	}
	runInstalled(t, root)
	if err := os.WriteFile(filepath.Join(root, "etc/aquanode/aquanode.toml"), []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	install("1.2.4")
	if got := in("cat", "/etc/aquanode/aquanode.toml"); got != "# mine" {
		t.Errorf("the upgrade changed the configuration to %s", got)
	}
	if got := in("dpkg-query", "-W", "-f", "${Version}", "aquanode"); got != "1.2.4" {
		t.Errorf("version %s is installed", got)
	}
	in("dpkg", "-r", "aquanode")
	if got := in("cat", "/etc/aquanode/aquanode.toml"); got != "# mine" {
		t.Errorf("removal changed the configuration to %s", got)
	}
	in("dpkg", "-P", "aquanode")
	if key := in("sh", "-c", "cat /var/lib/aquanode/peer.key | wc -c"); key != "45" {
		t.Errorf("the key has %s bytes after purge", key)
	}
	in("rm", "-r", "/var/lib/aquanode", "/aquanode.deb")
	after := in("sh", "-c", "find / -xdev -path /proc -prune -o -path /var/lib/dpkg -prune -o -path /var/log -prune -o -print | sort")
	for _, file := range strings.Split(after, "\n") {
		backup := strings.HasSuffix(file, "-") && strings.HasPrefix(file, "/etc/") // of the list of users
		if !strings.Contains("\n"+before+"\n", "\n"+file+"\n") && !backup {
			t.Errorf("%s is left", file)
		}
	}
}

// runInstalled runs the installed program as its user, as the unit does, and asks for its health.
func runInstalled(t *testing.T, root string) {
	t.Helper()
	addr := freeAddr(t)
	cmd := exec.Command("/usr/sbin/chroot", "--userspec=aquanode:aquanode", root, "/usr/bin/aquanode", "--config", "/etc/aquanode/aquanode.toml",
		"--data-dir", "/var/lib/aquanode", "--admin", addr, "--listen", "/ip4/127.0.0.1/tcp/0")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the installed peer is healthy", func() error {
		_, err := command{}.try(t.Context(), "/usr/sbin/chroot", root, "/usr/bin/aquanode", "healthcheck", "--config", "/etc/aquanode/aquanode.toml", "--admin", addr)
		return err
	})
	if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
		t.Errorf("the installed peer ends with %v\n%s", err, said.String())
	}
}

// The configuration of nginx in docs/DEPLOY.md, with a certificate and ports of the test: a script
// runs over a peer behind it.
func TestProxy(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repo, "docs", "DEPLOY.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatal("docs/DEPLOY.md has no configuration of nginx")
	}
	dir := t.TempDir()
	command{dir: dir}.run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem")
	peer, proxy, adminAddr := freeAddr(t), freeAddr(t), freeAddr(t)
	site := strings.NewReplacer("443 ssl", proxy+" ssl", "peer.example.org;", "localhost;", "/etc/ssl/peer.example.org.pem", dir+"/cert.pem",
		"/etc/ssl/peer.example.org.key", dir+"/key.pem", "127.0.0.1:9999", peer).Replace(string(m[1]))
	conf := fmt.Sprintf("daemon off;\nuser root;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path %[1]s/b;\nproxy_temp_path %[1]s/p;\nfastcgi_temp_path %[1]s/f;\nuwsgi_temp_path %[1]s/u;\nscgi_temp_path %[1]s/s;\n%[2]s}\n", dir, site)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(proxy, ":")
	_, inner, _ := strings.Cut(peer, ":")
	external := "/dns4/localhost/tcp/" + port + "/tls/ws"
	started(t, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	key := filepath.Join(dir, "peer.key")
	id := command{}.run(t, program(t), "key", "new", key)
	started(t, program(t), "--key", key, "--data-dir", filepath.Join(dir, "data"), "--listen", "/ip4/127.0.0.1/tcp/"+inner+"/ws", "--external", external,
		"--admin", adminAddr, "--services", filepath.Join(repo, "examples", "parallel", "services"))
	until(t, "a script over the proxy", func() error {
		got, err := command{env: []string{"SSL_CERT_FILE=" + dir + "/cert.pem"}}.try(t.Context(), program(t), "run", filepath.Join(repo, "examples", "parallel", "join.aqua"),
			"--relay", external+"/p2p/"+id, "--on", "peer1="+id, "--on", "peer2="+id, "--ttl", "20s")
		if err == nil && got != `"baz(foo, bar)"` {
			t.Fatalf("the script gives %s", got)
		}
		return err
	})
	if _, err := (command{}).try(t.Context(), program(t), "run", filepath.Join(repo, "examples", "parallel", "join.aqua"),
		"--relay", external+"/p2p/"+id, "--on", "peer1="+id, "--on", "peer2="+id, "--ttl", "5s"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that does not know the certificate: %v", err)
	}
}

// started runs a program until the end of the test.
func started(t *testing.T, name string, args ...string) {
	t.Helper()
	path := name
	if _, err := exec.LookPath(name); err != nil {
		path = filepath.Join("/usr/sbin", name)
	}
	var said strings.Builder
	cmd := exec.Command(path, args...)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, said.String())
		}
	})
}
