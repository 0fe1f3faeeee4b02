package builtin

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mr-tron/base58"
	"pgregory.net/rapid"

	"github.com/aquanode/aquanode/internal/golden"
	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
	"github.com/aquanode/aquanode/services/vault"
)

// The keys of the tests. The host's is that of the published signature vector.
var (
	hostKey = testKey("7h48PQ/f1rS9TxacmgODxbD42Il9B3KC117jvOPppPE=")
	hostID  = particle.PeerID(hostKey.Public().(ed25519.PublicKey))
	manager = peerOf(1)
	client  = peerOf(2)
	worker  = peerOf(3)
)

func testKey(seed string) ed25519.PrivateKey {
	b, err := base64.StdEncoding.DecodeString(seed)
	if err != nil {
		panic(err)
	}
	return ed25519.NewKeyFromSeed(b)
}

func peerOf(n byte) string {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(n)), 32)))
	return particle.PeerID(key.Public().(ed25519.PublicKey))
}

// A testPeer is a registry with all built-in functions over fakes.
type testPeer struct {
	*services.Registry
	vault *vault.Store
}

func newPeer(t *testing.T) *testPeer {
	t.Helper()
	store, err := vault.Open(filepath.Join(t.TempDir(), "vault"), vault.Limits{FileBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r := services.New(services.Config{Host: hostID, Management: []string{manager}})
	err = Register(r, Config{
		Journal: fakeJournal{},
		Identity: func() Identity {
			return Identity{ExternalAddresses: []string{"/ip4/1.2.3.4/tcp/7777"}, NodeVersion: "1", AirVersion: "2", SpellVersion: "3"}
		},
		Now:           func() time.Time { return time.UnixMilli(1700000000123) },
		Connector:     fakeConnector{},
		Neighbourhood: fakeNeighbourhood{},
		Keys:          HostKeys(hostKey),
		Vault:         store,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &testPeer{r, store}
}

// fakeConnector knows the manager at one address, and can dial the client.
// fakeJournal knows one particle of the client.
type fakeJournal struct{}

func (fakeJournal) Entries(initPeerID, particleID string, _ int) [][]byte {
	if initPeerID != client || particleID != "mine" {
		return nil
	}
	return [][]byte{[]byte(`{"kind":"arrived"}`), []byte(`{"reason":"budget", "kind":"ended"}`)}
}

type fakeConnector struct{}

func (fakeConnector) IsConnected(id string) bool { return id == manager }

func (fakeConnector) Addresses(id string) ([]string, bool) {
	if id != manager {
		return nil, false
	}
	return []string{"/ip4/9.9.9.9/tcp/9"}, true
}

func (fakeConnector) Connect(_ context.Context, id string, addresses []string) (bool, error) {
	if slices.Contains(addresses, "bad") {
		return false, errors.New("bad address")
	}
	return true, nil
}

type fakeNeighbourhood struct{}

// Nearest shows the key that it was asked for. Like the routing table it takes its count at
// its word.
func (fakeNeighbourhood) Nearest(key []byte, count int) []string {
	if count < 0 || count > 1024 {
		panic(fmt.Sprintf("asked for %d peers", count))
	}
	return []string{manager, base64.StdEncoding.EncodeToString(key)}[:min(count, 2)]
}

// A testCase is one call. Result is JSON, err a text; either may end in "..." for any rest.
type testCase struct {
	fn     string // service.function
	args   string // JSON array
	result string
	err    string

	from       string // init peer, the host if empty
	scope      string // the host if empty
	particle   string // particle id
	tetraplets [][]value.Tetraplet
}

func (p *testPeer) call(t *testing.T, tc testCase) services.Result {
	t.Helper()
	args, err := value.Parse(tc.args)
	if err != nil {
		t.Fatalf("args %s: %v", tc.args, err)
	}
	service, function, _ := strings.Cut(tc.fn, ".")
	return p.Invoke(t.Context(), callOf(tc, service, function, args.Elements()))
}

func callOf(tc testCase, service, function string, args []value.Value) *services.Call {
	return &services.Call{
		ParticleID: or(tc.particle, "particle"), InitPeerID: or(tc.from, hostID), HostPeerID: or(tc.scope, hostID),
		Timestamp: uint64(time.Now().UnixMilli()), TTL: 10000, Signature: []byte("signature"),
		Service: service, Function: function, Args: args, Tetraplets: tc.tetraplets,
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (p *testPeer) check(t *testing.T, tc testCase) {
	t.Helper()
	r := p.call(t, tc)
	v, err := value.Parse(r.Result)
	if err != nil {
		t.Fatalf("%s%s: result %q is not JSON", tc.fn, tc.args, r.Result)
	}
	if tc.err == "" {
		if r.RetCode != 0 || !fits(v.Text(), tc.result) {
			t.Errorf("%s%s: want %s, got code %d, %s", tc.fn, tc.args, tc.result, r.RetCode, v)
		}
		return
	}
	if text, _ := v.AsString(); r.RetCode != 1 || !fits(text, tc.err) {
		t.Errorf("%s%s: want the error %q, got code %d, %q", tc.fn, tc.args, tc.err, r.RetCode, text)
	}
}

func fits(got, want string) bool {
	start, open := strings.CutSuffix(want, "...")
	return got == want || open && strings.HasPrefix(got, start)
}

func TestFunctions(t *testing.T) {
	for _, tc := range cases {
		t.Run(tc.fn, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t).check(t, tc) })
		})
	}
}

// newWorld is a peer with services, and with files in the vault of the particle.
func newWorld(t *testing.T) *testPeer {
	t.Helper()
	p := newPeer(t)
	nothing := services.HandlerFunc(func(context.Context, *services.Call) (value.Value, error) { return value.Null, nil })
	for _, err := range []error{
		p.Register("greeter", nothing, services.In(hostID), services.Functions("hello"), services.OwnedBy(client), services.FromBlueprint("bp")),
		p.Register("worked", nothing, services.In(worker)),
		p.Register("ticker", nothing, services.In(hostID), services.OfKind(services.Spell)),
		p.AddAlias(hostID, "hi", "greeter"),
		p.Register("clock", nothing, services.In(worker), services.OfKind(services.Spell)),
		p.AddAlias(worker, "worker-spell", "clock"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	own := VaultOf(HostKeys(hostKey), callOf(testCase{}, "", "", nil))
	if _, err := p.vault.Put(t.Context(), own, nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.vault.Dir(own), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Each row has a good call, and for each of its error texts a bad one. Functions that only ever
// refuse have no good call.
func TestCasesAreComplete(t *testing.T) {
	neverGood := map[string]bool{
		"srv.create": true, "dist.add_module": true, "dist.add_module_from_vault": true, "dist.add_module_bytes_from_vault": true,
		"dist.add_blueprint": true, "dist.get_module_interface": true, "dist.get_blueprint": true,
	}
	good, bad := map[string]bool{}, map[string][]string{}
	for _, tc := range cases {
		if tc.err == "" {
			good[tc.fn] = true
		} else {
			bad[tc.fn] = append(bad[tc.fn], strings.TrimSuffix(tc.err, "..."))
		}
	}
	for _, f := range Table() {
		name := f.Service + "." + f.Name
		if !good[name] && !neverGood[name] {
			t.Errorf("%s has no good case", name)
		}
		for _, text := range f.Errors {
			if !slices.ContainsFunc(bad[name], pattern(text).MatchString) {
				t.Errorf("%s has no case of the error %q", name, text)
			}
		}
		if f.Guarded && !slices.Contains(bad[name], guardText) {
			t.Errorf("%s has no case of the guard", name)
		}
		if f.takesAnything() {
			continue
		}
		if !slices.ContainsFunc(bad[name], isArgumentError) {
			t.Errorf("%s has no case of bad arguments", name)
		}
	}
	for name := range bad {
		if !slices.ContainsFunc(Table(), func(f Function) bool { return f.Service+"."+f.Name == name }) {
			t.Errorf("case of %s, which is not in the table", name)
		}
	}
}

func (f *Function) takesAnything() bool {
	return f.lenient || !slices.ContainsFunc(f.params, func(p param) bool { return !p.rest })
}

func isArgumentError(text string) bool {
	return strings.HasPrefix(text, "expected ") || strings.HasPrefix(text, "Error: Field '") ||
		strings.HasPrefix(text, "Error: Error deserializing field '") || strings.HasPrefix(text, "Error: Option's")
}

// pattern matches texts in which the <parts> are filled in.
func pattern(text string) *regexp.Regexp {
	parts := regexp.MustCompile(`<[^<>]*>`).Split(text, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
}

// No argument makes a function panic or give anything but JSON.
func FuzzArguments(f *testing.F) {
	for _, tc := range cases {
		f.Add(tc.fn, tc.args)
	}
	p := newFuzzPeer(f)
	f.Fuzz(func(t *testing.T, fn, args string) {
		v, err := value.Parse(args)
		if err != nil || v.Kind() != value.KindArray || fn == "peer.timeout" {
			return
		}
		service, function, _ := strings.Cut(fn, ".")
		r := p.Invoke(t.Context(), &services.Call{
			ParticleID: "p", InitPeerID: hostID, HostPeerID: hostID, Timestamp: uint64(time.Now().UnixMilli()), TTL: 1000,
			Service: service, Function: function, Args: v.Elements(),
		})
		if _, err := value.Parse(r.Result); err != nil {
			t.Errorf("%s%s gave %q", fn, args, r.Result)
		}
		for _, s := range p.Stats() {
			if s.Panics > 0 {
				t.Fatalf("%s%s panicked", fn, args)
			}
		}
	})
}

func newFuzzPeer(f *testing.F) *services.Registry {
	r := services.New(services.Config{Host: hostID})
	if err := Register(r, Config{Keys: HostKeys(hostKey), Connector: fakeConnector{}, Neighbourhood: fakeNeighbourhood{}}); err != nil {
		f.Fatal(err)
	}
	return r
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		start := time.Now()
		p.check(t, testCase{fn: "peer.timeout", args: `[1500, "late"]`, result: `"late"`})
		if d := time.Since(start); d != 1500*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := p.Invoke(ctx, &services.Call{HostPeerID: hostID, Service: "peer", Function: "timeout", Args: []value.Value{value.Uint(1 << 63)}})
		want := services.Result{RetCode: 1, Result: `"Service 'peer' was stopped in function 'timeout' at the particle's deadline, after 1s"`}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Error(diff)
		}
	})
}

func TestVault(t *testing.T) {
	p := newPeer(t)
	put := func(text string) string {
		v, _ := value.Parse(p.call(t, testCase{fn: "vault.put", args: value.Array([]value.Value{value.String(text)}).Text()}).Result)
		s, _ := v.AsString()
		return s
	}
	read := func(path, result string) {
		t.Helper()
		p.check(t, testCase{fn: "vault.cat", args: value.Array([]value.Value{value.String(path)}).Text(), result: result})
	}
	path := put("héllo")
	if want := "/tmp/vault/particle-" + particle.Token(hostKey, []byte("signature")) + "/"; !strings.HasPrefix(path, want) {
		t.Errorf("path %q, want it in %q", path, want)
	}
	read(path, `"héllo"`)
	read(filepath.Base(path), `"héllo"`)
}

func TestExpiredVault(t *testing.T) {
	p := newPeer(t)
	r := p.Invoke(t.Context(), &services.Call{
		ParticleID: "old", HostPeerID: hostID, Timestamp: 1, TTL: 1, Service: "vault", Function: "put", Args: []value.Value{value.String("x")},
	})
	if want := `"Error: vault of particle \"old\": the particle has expired"`; r.Result != want {
		t.Errorf("want %s, got %s", want, r.Result)
	}
}

// Keys are ed25519 keys as all peers have them: the published vector of particle signatures
// comes out of sig.sign, too.
func TestSignVector(t *testing.T) {
	data, err := base64.StdEncoding.DecodeString("Mjg4M2Y5NTktZTllNy00ODQzLThjMzctMjA1ZDM5M2NhMzcy/kguGYsBAABYGwAAYWJj")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString("KceXDnOfqe0dOnAxiDsyWBIvUq6WHoT0ge+VMHXOZsjZvCNH7/10oufdlYfcPomfv28On6E87ZhDcHGBZcb7Bw==")
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t)
	d, s := byteArray(data).Text(), byteArray(signature).Text()
	origin := [][]value.Tetraplet{{{PeerPK: hostID, ServiceID: "registry", FunctionName: "get_record_bytes"}}}
	want := `{"error":[],"signature":[` + s + `],"success":true}`
	p.check(t, testCase{fn: "sig.sign", args: "[" + d + "]", tetraplets: origin, result: want})
	p.check(t, testCase{fn: "sig.sign", args: "[" + d + "]", tetraplets: origin, from: manager, result: want})
	p.check(t, testCase{fn: "sig.verify", args: "[" + s + "," + d + "]", result: "true"})
	p.check(t, testCase{fn: "sig.verify", args: "[" + s + "," + d + "]", scope: worker, result: "false"})
	p.check(t, testCase{fn: "sig.get_peer_id", args: "[]", result: `"12D3KooWANqfCDrV79MZdMnMqTvDdqSAPSxdgFY1L6DCq2DVGB4D"`})
}

func TestServiceStats(t *testing.T) {
	p := newPeer(t)
	h := services.HandlerFunc(func(_ context.Context, c *services.Call) (value.Value, error) {
		if len(c.Args) > 0 {
			return value.Null, errors.New("no")
		}
		return value.Null, nil
	})
	if err := p.Register("s", h, services.In(hostID), services.Functions("f")); err != nil {
		t.Fatal(err)
	}
	p.check(t, testCase{fn: "stat.service_stat", args: `["s"]`,
		result: `{"error":"No stats were collected for the ` + "`s`" + ` service","result":[],"status":false}`})
	for range 6 {
		p.call(t, testCase{fn: "s.f", args: "[]"})
	}
	p.call(t, testCase{fn: "s.f", args: "[1]"})
	p.call(t, testCase{fn: "s.g", args: "[]"})

	v, err := value.Parse(p.call(t, testCase{fn: "stat.service_stat", args: `["s"]`}).Result)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	result, _ := v.Field("result")
	stats, _ := result.Index(0)
	functions, _ := stats.Field("functions_stats")
	total, _ := stats.Field("total_stats")
	summarise := func(name string, s value.Value) {
		ok, _ := s.Field("success_req_count")
		failed, _ := s.Field("failed_req_count")
		times, _ := s.Field("call_time_sec")
		series, _ := times.Field("series")
		timestamps, _ := s.Field("timestamps")
		n, _ := series.Len()
		m, _ := timestamps.Len()
		got[name] = strings.Join([]string{ok.Text(), failed.Text(), value.Int(int64(n)).Text(), value.Int(int64(m)).Text()}, " ")
	}
	summarise("total", total)
	for _, f := range functions.Elements() {
		name, _ := f.Field("name")
		s, _ := f.Field("stats")
		summarise(name.Text(), s)
	}
	want := map[string]string{"total": "7 1 5 5", `"f"`: "6 1 5 5", `"<unknown>"`: "1 0 1 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A peer with no capabilities refuses by name, or answers that it knows nobody.
func TestBarePeer(t *testing.T) {
	r := services.New(services.Config{Host: hostID})
	if err := Register(r, Config{}); err != nil {
		t.Fatal(err)
	}
	p := &testPeer{Registry: r}
	for _, tc := range []testCase{
		{fn: "peer.is_connected", args: `["` + client + `"]`, result: "false"},
		{fn: "peer.get_contact", args: `["` + client + `"]`, result: `""`},
		{fn: "peer.connect", args: `["` + client + `"]`, err: "peer.connect is disabled: this peer has no network"},
		{fn: "kad.neighborhood", args: `["` + client + `"]`, result: "[]"},
		{fn: "sig.sign", args: `[[1]]`, err: "sig.sign is disabled: this peer has no keys"},
		{fn: "vault.put", args: `["x"]`, err: "vault.put is disabled: this peer has no vault"},
		{fn: "vault.cat", args: `["x"]`, err: "vault.cat is disabled: this peer has no vault"},
		{fn: "dist.load_blueprint", args: `["x"]`, err: "dist.load_blueprint is disabled: this peer has no vault"},
		{fn: "dist.add_module_bytes_from_vault", args: `["x","y"]`, err: "dist.add_module_bytes_from_vault is disabled: this peer has no vault"},
		{fn: "peer.identify", args: `[]`, result: `{"air_version":"","allowed_binaries":[],"external_addresses":[],"node_version":"","spell_version":"","vm_info":null}`},
	} {
		p.check(t, tc)
	}
}

// Base58 is what the library makes of it.
func TestBase58(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := append(make([]byte, rapid.IntRange(0, 3).Draw(t, "zeros")), rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes")...)
		text := base58Encode(b)
		if want := base58.Encode(b); text != want {
			t.Fatalf("%x is %s, not %s", b, want, text)
		}
		if again, err := base58Decode(text); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%s is %x, %v", text, again, err)
		}
		any := rapid.StringN(1, 10, 20).Draw(t, "text")
		got, err := base58Decode(any)
		want, werr := base58.Decode(any)
		if (err == nil) != (werr == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%q is %x, %v, not %x, %v", any, got, err, want, werr)
		}
	})
}

func TestDocs(t *testing.T) {
	golden.File(t, "../../docs/BUILTINS.md", Markdown())
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Table() {
		name := f.Service + "." + f.Name
		if seen[name] {
			t.Errorf("%s stands twice", name)
		}
		seen[name] = true
		if !strings.HasSuffix(f.Doc, ".") && !strings.HasSuffix(f.Doc, "quotes.") {
			t.Errorf("%s: doc %q is not a sentence", name, f.Doc)
		}
		for _, p := range f.params {
			if _, ok := scalars[strings.TrimLeft(p.typ, "[]")]; !ok {
				t.Errorf("%s: parameter %s has the unknown type %q", name, p.name, p.typ)
			}
		}
	}
	t.Logf("%d functions of %d services", len(seen), len(slices.Collect(maps.Keys(byService()))))
}

func byService() map[string]int {
	n := map[string]int{}
	for _, f := range Table() {
		n[f.Service]++
	}
	return n
}

func BenchmarkIdentity(b *testing.B) {
	r := services.New(services.Config{Host: hostID})
	if err := Register(r, Config{}); err != nil {
		b.Fatal(err)
	}
	c := &services.Call{InitPeerID: client, HostPeerID: hostID, Service: "op", Function: "identity", Args: []value.Value{value.String("x")}}
	b.ReportAllocs()
	for b.Loop() {
		if r.Invoke(b.Context(), c).RetCode != 0 {
			b.Fatal("failed")
		}
	}
}
