// Package layers holds the import directions of the project. It has no code, only the test.
package layers

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aquanode/aquanode/"

// A rule says what the packages under a folder may import of ours, and which libraries only
// some of them may use.
type rule struct {
	under string
	may   []string // prefixes, besides packages under the folder itself
}

var rules = []rule{
	{"interpreter/meter", nil},
	{"interpreter/value", nil},
	{"interpreter/air", []string{"interpreter/meter"}},
	{"interpreter/fault", []string{"interpreter/value", "interpreter/meter"}},
	{"interpreter/data", []string{"interpreter/value", "interpreter/meter", "interpreter/fault"}},
	{"interpreter/trace", []string{"interpreter/data", "interpreter/value", "interpreter/meter", "interpreter/fault"}},
	// What the machine computes with knows no machine.
	{"interpreter/internal/slab", nil},
	{"interpreter/internal/program", []string{
		"interpreter/air", "interpreter/value", "interpreter/meter", "interpreter/fault", "interpreter/internal/slab"}},
	{"interpreter/internal/content", []string{
		"interpreter/data", "interpreter/value", "interpreter/meter", "interpreter/fault",
		"interpreter/internal/program", "interpreter/internal/slab"}},
	{"interpreter/internal/scope", []string{
		"interpreter/air", "interpreter/data", "interpreter/trace", "interpreter/meter", "interpreter/fault",
		"interpreter/internal/program", "interpreter/internal/content"}},
	{"interpreter/internal/machine", []string{
		"interpreter/air", "interpreter/data", "interpreter/trace", "interpreter/value", "interpreter/meter",
		"interpreter/fault", "interpreter/internal"}},
	{"interpreter/", nil},
	// The stages of the compiler know the trees between them, not each other.
	{"aqua/diag", nil},
	{"aqua/types", nil},
	{"aqua/step", nil},
	{"aqua/ir", []string{"aqua/diag", "aqua/types"}},
	{"aqua/syntax", []string{"aqua/diag"}},
	{"aqua/check", []string{"aqua/diag", "aqua/types", "aqua/ir", "aqua/syntax"}},
	{"aqua/inline", []string{"aqua/types", "aqua/ir", "aqua/step"}},
	{"aqua/topology", []string{"aqua/step"}},
	{"aqua/emit", []string{"aqua/types", "aqua/step", "interpreter/air"}},
	{"aqua/", []string{"interpreter/air"}},
	{"particle/", nil},
	{"services/", []string{"interpreter/value", "particle"}},
	{"runs", []string{"aqua", "interpreter"}},
	// The engine is what a node and a client share.
	{"internal/engine", []string{"interpreter", "particle", "services", "runs", "node/p2p", "node/dispatch", "node/journal", "node/share"}},
	{"client", []string{"interpreter/data", "services", "runs", "node/p2p", "node/dispatch", "node/journal"}},
	{"node/p2p", []string{"particle", "node/journal"}},
	{"node/journal", []string{"particle"}},
	{"node/", []string{"services", "interpreter", "particle", "runs"}},
}

// importers are the only ones that may import a package, besides commands and tests.
var importers = map[string][]string{
	"internal/engine": {"node", "client"},
	"runs":            {"node", "client", "internal/engine"},
}

// libraries names what only the packages under some folders may import.
var libraries = map[string][]string{
	"github.com/libp2p/":                        {"node", "client", "cmd", "test"},
	"github.com/dop251/goja":                    {"services/script"},
	"github.com/dlclark/regexp2/v2":             {"services/script"},
	"github.com/oasisprotocol/curve25519-voi":   {"internal/sign"},
	"go.etcd.io/bbolt":                          {"node"},
	"github.com/prometheus/client_golang":       {"node"},
	"github.com/urfave/cli":                     {"cmd"},
	"github.com/tetratelabs/wazero":             {"services/marine", "services/plain"},
	"github.com/vmihailenco/msgpack":            {},
	"github.com/decred/dcrd/dcrec/secp256k1/v4": {"particle", "node", "services"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func listed(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found %d packages only", len(pkgs))
	}
	return pkgs
}

func TestImportDirections(t *testing.T) {
	for _, p := range listed(t) {
		for _, imp := range p.Imports {
			from := strings.TrimPrefix(p.ImportPath, module)
			if to, ours := strings.CutPrefix(imp, module); ours {
				checkOurs(t, from, to)
				checkImporter(t, from, to)
			} else {
				checkLibrary(t, from, imp)
			}
		}
	}
}

func checkOurs(t *testing.T, from, to string) {
	for _, r := range rules {
		if !under(from, r.under) {
			continue
		}
		if under(to, r.under) || strings.HasPrefix(to, "internal/") {
			return
		}
		for _, prefix := range r.may {
			if under(to, prefix) {
				return
			}
		}
		t.Errorf("%s imports %s: packages under %s may import %v of ours only", from, to, r.under, r.may)
		return
	}
}

func checkImporter(t *testing.T, from, to string) {
	allowed, bound := importers[to]
	if !bound || under(from, "cmd") || under(from, "test") || slices.Contains(allowed, from) {
		return
	}
	t.Errorf("%s imports %s, which is for %v only", from, to, allowed)
}

func checkLibrary(t *testing.T, from, imp string) {
	for library, allowed := range libraries {
		if !strings.HasPrefix(imp, library) {
			continue
		}
		ok := false
		for _, prefix := range allowed {
			ok = ok || under(from, prefix)
		}
		if !ok {
			t.Errorf("%s imports %s, which is for packages under %v only", from, imp, allowed)
		}
	}
}

func under(path, folder string) bool {
	folder = strings.TrimSuffix(folder, "/")
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// The interpreter and the compiler also run in browsers.
func TestBuildsForJS(t *testing.T) {
	cmd := exec.Command("go", "build", module+"interpreter/...", module+"aqua/...")
	cmd.Env = append(cmd.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
