package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// DefaultFile is read from the working directory when it is there.
const DefaultFile = "Config.toml"

// Sources say where settings may come from. Later ones win: the defaults, DefaultFile, the
// files that AQUANODE_CONFIG or FLUENCE_CONFIG name, Files, variables FLUENCE_..., variables AQUANODE_..., Flags.
type Sources struct {
	Dir   string         // of DefaultFile
	Files []string       // TOML
	Env   []string       // NAME=value
	Flags map[string]any // values of their settings' kinds, by name
}

// Settings are the values of all settings, and where each came from.
type Settings struct {
	values   map[string]Value
	warnings []string
	rank     int
}

// Value is the value of a setting.
type Value struct {
	Setting *Setting
	// V is a string, []string, bool, int, time.Duration or uint64, by the setting's kind.
	V any
	// Source is "default", a file and line as FILE:N, an environment variable or a --flag.
	Source string
	rank   int
}

// Resolve reads all sources. Keys that nobody knows, or that mean nothing to this peer, become
// warnings; values that cannot be are an error that tells the place and what is allowed.
func Resolve(from Sources) (*Settings, error) {
	s := &Settings{values: map[string]Value{}}
	for _, t := range Table {
		s.values[t.Name] = Value{Setting: t, V: zero(t), Source: "default"}
	}
	env := map[string]string{}
	for _, e := range from.Env {
		if name, v, ok := strings.Cut(e, "="); ok {
			env[name] = v
		}
	}
	steps := []func() error{}
	step := func(f func() error) { steps = append(steps, f) }
	if file := filepath.Join(from.Dir, DefaultFile); exists(file) {
		step(func() error { return s.file(file, DefaultFile) })
	}
	named := cmp.Or(env["AQUANODE_CONFIG"], env["FLUENCE_CONFIG"])
	for _, file := range append(split(named), from.Files...) {
		step(func() error { return s.file(file, file) })
	}
	step(func() error { return s.env(env, "FLUENCE_") })
	step(func() error { return s.env(env, "AQUANODE_") })
	step(func() error { return s.flags(from.Flags) })
	for _, f := range steps {
		s.rank++
		if err := f(); err != nil {
			return nil, err
		}
	}
	s.derive()
	return s, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, os.ErrNotExist)
}

func zero(t *Setting) any {
	if t.Default != nil {
		return t.Default
	}
	switch t.Kind {
	case List:
		return []string(nil)
	case Bool:
		return false
	case Number:
		return 0
	case Duration:
		return time.Duration(0)
	case Size:
		return uint64(0)
	}
	return ""
}

// Warnings tell of keys and variables that have no effect.
func (s *Settings) Warnings() []string { return s.warnings }

// TOML is a file that sets all values as they are, each with where it comes from.
func (s *Settings) TOML() string {
	var out strings.Builder
	for _, v := range s.Shown() {
		mark := ""
		if v.Setting.Secret {
			mark = "# "
		}
		fmt.Fprintf(&out, "%s%s = %s # %s\n", mark, v.Setting.Name, v.Text(), v.Source)
	}
	return out.String()
}

// Text is the value as TOML. Secrets are not told.
func (v Value) Text() string {
	switch x := v.V.(type) {
	case string:
		if v.Setting.Secret && x != "" {
			return `"hidden"`
		}
		return strconv.Quote(x)
	case []string:
		quoted := make([]string, len(x))
		for i, e := range x {
			quoted[i] = strconv.Quote(e)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case time.Duration:
		return strconv.Quote(x.String())
	}
	return fmt.Sprint(v.V)
}

// Shown lists the values in the order of the table, without those that are files' alone and not
// set, and those whose meaning is in the values of others.
func (s *Settings) Shown() (all []Value) {
	for _, t := range Table {
		if v := s.values[t.Name]; !t.FileOnly || v.rank > 0 && !t.derived {
			all = append(all, v)
		}
	}
	return all
}

func (s *Settings) text(name string) string { return s.values[name].V.(string) }

// Key is what is said about the key: its text, or else the file that holds it, and whether that
// is to be made if it is not there.
func (s *Settings) Key() (text, file string, create bool) {
	file = cmp.Or(s.text("key"), filepath.Join(s.text("data_dir"), "peer.key"))
	if value, path := s.values["key_value"], s.values["key"]; path.rank <= value.rank {
		text = value.V.(string)
	}
	return text, file, s.values["key_create"].V.(bool)
}

// AdminToken is the file that holds the token of the admin endpoint, if any.
func (s *Settings) AdminToken() string { return s.text("admin_token") }

// Config is the configuration that the settings make, without what files hold: key and token.
func (s *Settings) Config() Config {
	var c Config
	for _, t := range Table {
		if t.apply != nil {
			t.apply(&c, s.values[t.Name].V)
		}
	}
	if allow := s.values["allow_private_ips"]; allow.rank > 0 && !allow.V.(bool) {
		c.AllowLocal = Off
	}
	return c
}

// derive makes of the keys that other peers have what they mean in settings of our own. Of two
// that say the same the one of the later source counts, and of one source our own.
func (s *Settings) derive() {
	host, tcp, ws := s.values["listen_ip"], s.values["tcp_port"], s.values["websocket_port"]
	by := slices.MaxFunc([]Value{host, tcp, ws}, func(a, b Value) int { return cmp.Compare(a.rank, b.rank) })
	both := addrs(host.V.(string), tcp.V.(int), ws.V.(int))
	s.override("listen", both, by)
	if a := s.values["external_address"]; a.V != "" {
		list := s.values["external"].V.([]string)
		a.rank = max(a.rank, s.values["external"].rank+1) // it adds to the list
		s.override("external", append(addrs(a.V.(string), tcp.V.(int), ws.V.(int)), list...), a)
	}
	if p := s.values["http_port"]; p.rank > 0 {
		s.override("admin", net.JoinHostPort(host.V.(string), strconv.Itoa(p.V.(int))), p)
	}
	if l := s.values["local"]; l.V == true {
		l.rank = s.rank + 1
		s.override("bootstrap", []string(nil), l)
	}
}

func (s *Settings) override(name string, v any, by Value) {
	if old := s.values[name]; by.rank > old.rank {
		s.values[name] = Value{Setting: old.Setting, V: v, Source: by.Setting.Name + ", " + by.Source, rank: by.rank}
	}
}

func addrs(host string, tcp, ws int) []string {
	kind := "ip4"
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		kind = "ip6"
	}
	return []string{fmt.Sprintf("/%s/%s/tcp/%d", kind, host, tcp), fmt.Sprintf("/%s/%s/tcp/%d/ws", kind, host, ws)}
}

// set gives a setting a value from a source. The value is as files have it, or text.
func (s *Settings) set(t *Setting, v any, source string) error {
	v, err := convert(t.Kind, v)
	if err == nil && t.check != nil {
		err = t.check(v)
	}
	if err != nil {
		return fmt.Errorf("config: %s: %w", source, err)
	}
	s.values[t.Name] = Value{Setting: t, V: v, Source: source, rank: s.rank}
	return nil
}

func (s *Settings) flags(flags map[string]any) error {
	for _, t := range Table {
		if v, ok := flags[t.Name]; ok {
			if err := s.set(t, v, "--"+t.Flag()); err != nil {
				return err
			}
		}
	}
	return nil
}

// env reads the variables with a prefix. FLUENCE_ goes with the names of other peers.
func (s *Settings) env(env map[string]string, prefix string) error {
	known := map[string]*Setting{}
	for _, t := range Table {
		for _, key := range t.keys(prefix == "AQUANODE_") {
			known[prefix+envName(key)] = t
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		rest, ok := strings.CutPrefix(name, prefix)
		key := strings.ReplaceAll(strings.ToLower(rest), "__", ".")
		switch {
		case !ok || slices.Contains([]string{"config", "log_level"}, key):
		case known[name] != nil:
			if err := s.set(known[name], env[name], name); err != nil {
				return err
			}
		default:
			s.warn(name, key)
		}
	}
	return nil
}

// keys are the names of a setting: its own, or those that other peers have.
func (t *Setting) keys(own bool) []string {
	if own {
		return []string{t.Name}
	}
	return t.Also
}

func (s *Settings) warn(source, key string) {
	for _, e := range elsewhere {
		if key == e || strings.HasPrefix(key, e+".") {
			s.warnings = append(s.warnings, fmt.Sprintf("%s: %s has no effect on this peer", source, key))
			return
		}
	}
	text := fmt.Sprintf("%s: there is no setting %s", source, key)
	if t := settingOf(key); t != nil {
		text += ", the variable is " + t.Env()
	} else if near := nearest(key); near != "" {
		text += ", did you mean " + near + "?"
	}
	s.warnings = append(s.warnings, text)
}

// file reads a TOML file, which is called name in what is said of it.
func (s *Settings) file(path, name string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var tree map[string]any
	var broken *toml.DecodeError
	switch err := toml.Unmarshal(text, &tree); {
	case errors.As(err, &broken):
		line, _ := broken.Position()
		return fmt.Errorf("config: %s:%d: %w", name, line, err)
	case err != nil:
		return fmt.Errorf("config: %s: %w", name, err)
	}
	lines := linesOf(text)
	values := map[string]any{}
	flatten("", tree, values)
	for _, key := range slices.SortedFunc(maps.Keys(values), func(a, b string) int { return cmp.Or(lines[a]-lines[b], strings.Compare(a, b)) }) {
		source := fmt.Sprintf("%s:%d", name, lines[key])
		t := settingOf(key)
		if t == nil {
			s.warn(source, key)
			continue
		}
		if err := s.set(t, values[key], source+": "+key); err != nil {
			return err
		}
		v := s.values[t.Name]
		v.Source = source
		s.values[t.Name] = v
	}
	return nil
}

// flatten gives all values by their dotted keys.
func flatten(prefix string, tree map[string]any, into map[string]any) {
	for k, v := range tree {
		if sub, ok := v.(map[string]any); ok {
			flatten(prefix+k+".", sub, into)
		} else {
			into[prefix+k] = v
		}
	}
}

// settingOf finds the setting of a key, also under the headers that other peers' files have.
func settingOf(key string) *Setting {
	head, rest, dotted := strings.Cut(key, ".")
	if dotted && slices.Contains(sections, head) {
		key = rest
	}
	for _, t := range Table {
		if t.Name == key || slices.Contains(t.Also, key) {
			return t
		}
	}
	return nil
}

// linesOf finds the lines of all keys of a well-formed file.
func linesOf(text []byte) map[string]int {
	lines := map[string]int{}
	p := unstable.Parser{}
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, _ = keyOf(&p, e.Key())
			table += "."
		case unstable.KeyValue:
			noteLines(&p, e, table, lines)
		}
	}
	return lines
}

func noteLines(p *unstable.Parser, e *unstable.Node, prefix string, lines map[string]int) {
	key, line := keyOf(p, e.Key())
	lines[prefix+key] = line
	if v := e.Value(); v.Kind == unstable.InlineTable {
		for each := v.Children(); each.Next(); {
			noteLines(p, each.Node(), prefix+key+".", lines)
		}
	}
}

func keyOf(p *unstable.Parser, parts unstable.Iterator) (key string, line int) {
	var all []string
	for parts.Next() {
		part := parts.Node()
		all = append(all, string(part.Data))
		if line == 0 {
			line = p.Shape(part.Raw).Start.Line
		}
	}
	return strings.Join(all, "."), line
}

// convert makes a value of a kind from what a file, a flag or the environment gives.
func convert(k Kind, v any) (any, error) {
	text, isText := v.(string)
	switch k {
	case Text:
		if isText {
			return text, nil
		}
	case List:
		return convertList(v)
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		if b, err := strconv.ParseBool(text); isText && err == nil {
			return b, nil
		}
		return nil, fmt.Errorf("%v is neither true nor false", show(v))
	case Number:
		switch n := v.(type) {
		case int:
			return n, nil
		case int64:
			if n == int64(int(n)) {
				return int(n), nil
			}
		case string:
			if n, err := strconv.Atoi(n); err == nil {
				return n, nil
			}
		}
		return nil, fmt.Errorf("%v is not a whole number", show(v))
	case Duration:
		if d, ok := v.(time.Duration); ok {
			return d, nil
		}
		if d, err := parseDuration(text); isText && err == nil {
			return d, nil
		}
		return nil, fmt.Errorf("%v is not a time, such as \"20s\" or \"1m 30s\"", show(v))
	case Size:
		switch n := v.(type) {
		case uint64:
			return n, nil
		case int64:
			if n >= 0 {
				return uint64(n), nil
			}
		}
		if n, ok := parseSize(text); isText && ok {
			return n, nil
		}
		return nil, fmt.Errorf("%v is not a size, such as 4194304 or \"4 MiB\"", show(v))
	}
	return nil, fmt.Errorf("%v is not a text in quotes", show(v))
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func convertList(v any) (any, error) {
	switch list := v.(type) {
	case []string:
		return list, nil
	case string:
		return split(list), nil
	case []any:
		var out []string
		for _, e := range list {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%v is not a list of texts in quotes", v)
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, fmt.Errorf("%v is not a list, such as [\"a\", \"b\"]", v)
}

func split(list string) (out []string) {
	for _, s := range strings.Split(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

var (
	timePart  = regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*([a-zµ]+)`)
	timeUnits = map[string]time.Duration{}
)

func init() {
	for unit, names := range map[time.Duration]string{
		time.Nanosecond: "ns nsec", time.Microsecond: "us µs usec", time.Millisecond: "ms msec millis",
		time.Second: "s sec secs second seconds", time.Minute: "m min mins minute minutes",
		time.Hour: "h hr hour hours", 24 * time.Hour: "d day days",
	} {
		for _, name := range strings.Fields(names) {
			timeUnits[name] = unit
		}
	}
}

// parseDuration reads "1s 617ms", "2 minutes" and what Go writes.
func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	sum, rest := 0.0, text
	for strings.TrimSpace(rest) != "" {
		m := timePart.FindStringSubmatch(rest)
		if m == nil || timeUnits[m[2]] == 0 {
			return 0, errors.New("not a time")
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, err
		}
		sum += n * float64(timeUnits[m[2]])
		rest = rest[len(m[0]):]
	}
	if rest == text || sum > math.MaxInt64/2 {
		return 0, errors.New("nothing, or out of range")
	}
	return time.Duration(sum), nil
}

// parseSize reads a number of bytes: "100", "4.0 MB" (a million), "4 MiB".
func parseSize(text string) (uint64, bool) {
	at := strings.IndexFunc(text, unicode.IsLetter)
	if at < 0 {
		at = len(text)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text[:at]), 64)
	unit := strings.ToLower(strings.TrimSuffix(strings.ToLower(text[at:]), "b"))
	factor, ok := map[string]float64{"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}[unit]
	n *= factor
	return uint64(n), err == nil && ok && n >= 0 && n < 1<<62
}

// nearest is the known key that a wrong one resembles most, if any does. Headers do not count.
func nearest(key string) string {
	key = lastPart(key)
	best, least := "", len(key)/3+1
	for _, t := range Table {
		for _, name := range append([]string{t.Name}, t.Also...) {
			if d := distance(key, lastPart(name)); d < least {
				best, least = name, d
			}
		}
	}
	return best
}

func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// distance is the number of letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0]++
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
