package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aquanode/aquanode/internal/golden"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20s": 20 * time.Second, "1s 617ms": 1617 * time.Millisecond, "2 minutes": 2 * time.Minute, "1h30m": 90 * time.Minute, "0": 0, "0s": 0,
		"1.5 hours": 90 * time.Minute, "2days": 48 * time.Hour, "24h0m0s": 24 * time.Hour, "7 µs": 7 * time.Microsecond, " 5min ": 5 * time.Minute,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: want %s, got %s, %v", text, want, got, err)
		}
	}
	for _, text := range []string{"", " ", "5", "s", "-1s", "1 fortnight", "1s 2", "1s-2s", "999999999999h", "1e3s"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: want an error, got %s", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "100": 100, "100 B": 100, "4.0 MB": 4e6, "4 MiB": 4 << 20, "1KiB": 1024, "2g": 2e9, "1.5 KB": 1500} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: want %d, got %d, %v", text, want, got, ok)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1 XB", "1 M B", "1e30", "nan"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q: want a refusal, got %d", text, got)
		}
	}
}

// Values of another type are refused, whatever the setting.
func TestKinds(t *testing.T) {
	values := map[Kind][]string{
		Text: {"1", "true", `["a"]`, "1979-05-27"}, List: {"1", "[1]", "true"}, Bool: {`"maybe"`, "1"}, Number: {`"one"`, "1.5", "true", "[]"},
		Duration: {"20", `"soon"`, "true"}, Size: {"-1", `"much"`, "1.5"},
	}
	for _, s := range Table {
		for _, v := range values[s.Kind] {
			file := filepath.Join(t.TempDir(), "x.toml")
			if err := os.WriteFile(file, []byte("\n"+s.Name+" = "+v), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Resolve(Sources{Dir: t.TempDir(), Files: []string{file}})
			if err == nil || !strings.HasPrefix(err.Error(), "config: "+file+":2: "+s.Name+": ") {
				t.Errorf("%s = %s: want an error of line 2, got %v", s.Name, v, err)
			}
		}
	}
}

// Every setting has a value of its kind and a place in a Config, or is known to have none.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Table {
		own := seen[s.Name]
		for _, name := range s.Also {
			own = own || name != s.Name && seen[name]
			seen[name] = true
		}
		if seen[s.Name] = true; own {
			t.Errorf("%s, or a key of other peers for it, is twice in the table", s.Name)
		}
		if _, err := convert(s.Kind, zero(s)); err != nil {
			t.Errorf("%s: the default is of another kind: %v", s.Name, err)
		}
		key := strings.HasPrefix(s.Name, "key")
		if s.apply == nil && !s.derived && !key && s.Name != "admin_token" { // which is read as a file
			t.Errorf("%s configures nothing", s.Name)
		}
		if s.Usage == "" {
			t.Errorf("%s has no usage", s.Name)
		}
	}
}

// The document lists what the table says.
func TestDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Settings

All that can be set on a peer, and how: as a key of a TOML file, as a flag, or by a variable of the environment; see
[OPERATIONS.md](OPERATIONS.md) for which one wins. The variable is the key in capitals after AQUANODE_: AQUANODE_DATA_DIR.
Keys of other peers work in files and, in capitals after FLUENCE_ and with __ for dots, as variables. This file is made
from the table in node/config by its test (UPDATE_GOLDEN=1).

| key | kind | flag | default | keys of other peers | what |
|---|---|---|---|---|---|
`)
	kinds := map[Kind]string{Text: "text", List: "list", Bool: "true, false", Number: "number", Duration: "time", Size: "size"}
	for _, s := range Table {
		name, also := "`"+s.Name+"`", []string{}
		for _, key := range s.Also {
			if key != s.Name {
				also = append(also, "`"+key+"`")
			}
		}
		if len(s.Also) == 1 && s.Also[0] == s.Name {
			also = []string{"the same"}
		}
		cli := "`--" + s.Flag() + "`"
		if s.Short != "" {
			cli += ", `-" + s.Short + "`"
		}
		if s.FileOnly {
			cli = ""
		}
		def := ""
		if s.Default != nil {
			def = "`" + (Value{Setting: s, V: s.Default}).Text() + "`"
		}
		usage, _, _ := strings.Cut(strings.ReplaceAll(s.Usage, "`", ""), " (default: none)")
		b.WriteString("| " + strings.Join([]string{name, kinds[s.Kind], cli, def, strings.Join(also, ", "), usage}, " | ") + " |\n")
	}
	b.WriteString("\nThese keys of other peers are known and have no effect: ")
	b.WriteString("`" + strings.Join(elsewhere, "`, `") + "`.\n")
	golden.File(t, filepath.Join("..", "..", "docs", "SETTINGS.md"), b.String())
}

func TestKeySettings(t *testing.T) {
	for _, c := range []struct {
		env        string
		text, file string
		create     bool
	}{
		{"", "", ".aquanode/peer.key", true},
		{"AQUANODE_DATA_DIR=d", "", "d/peer.key", true},
		{"FLUENCE_ROOT_KEY_PAIR__PATH=k FLUENCE_ROOT_KEY_PAIR__GENERATE_ON_ABSENCE=false", "", "k", false},
		{"FLUENCE_ROOT_KEY_PAIR__SECRET_KEY=s", "s", ".aquanode/peer.key", true},
		{"FLUENCE_ROOT_KEY_PAIR__SECRET_KEY=s AQUANODE_KEY=k", "", "k", true},
	} {
		s, err := Resolve(Sources{Dir: t.TempDir(), Env: strings.Fields(c.env)})
		if err != nil {
			t.Fatal(err)
		}
		if text, file, create := s.Key(); text != c.text || file != c.file || create != c.create {
			t.Errorf("%s: want %q, %s, %v, got %q, %s, %v", c.env, c.text, c.file, c.create, text, file, create)
		}
	}
}

func TestDerived(t *testing.T) {
	s, err := Resolve(Sources{
		Dir: t.TempDir(), Env: strings.Fields("FLUENCE_LISTEN_IP=::1 FLUENCE_LOCAL=true AQUANODE_BOOTSTRAP=/ip4/1.2.3.4/tcp/1 FLUENCE_ALLOW_LOCAL_ADDRESSES=false"),
		Flags: map[string]any{"durable": true, "max_particles": 7, "skew": time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := s.Config()
	if got := strings.Join(c.Listen, " "); got != "/ip6/::1/tcp/7777 /ip6/::1/tcp/9999/ws" {
		t.Errorf("listen: %s", got)
	}
	if len(c.Bootstrap) != 0 || c.AllowLocal != Off || !c.Durable || c.Dispatch.Particles != 7 || c.Dispatch.Skew != time.Second {
		t.Errorf("got %+v", c)
	}
}

func FuzzFile(f *testing.F) {
	f.Add("tcp_port = 1\n[a.b]\nc = {d = [1, {e = 2}]}\n[[x]]\ny = '''\n'''")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "x.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Resolve(Sources{Dir: t.TempDir(), Files: []string{file}}); err == nil {
			for _, w := range s.Warnings() {
				if !strings.HasPrefix(w, file+":") {
					t.Errorf("a warning without its place: %s", w)
				}
			}
		}
	})
}
