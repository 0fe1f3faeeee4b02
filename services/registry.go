package services

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Everywhere is the scope of services that every scope sees, such as the built-in functions.
const Everywhere = ""

// Kind is the kind of a service.
type Kind string

// The kinds of services.
const (
	Builtin Kind = "builtin"
	Service Kind = "service"
	Spell   Kind = "spell"
)

// What may be wrong with ids and aliases.
var (
	ErrNotFound = errors.New("service not found")
	ErrExists   = errors.New("service exists")
	ErrIsID     = errors.New("alias is the id of a service")
)

// defaultQueueLimit bounds the calls that wait for one instance. At 1 ms per call the last one
// waits a second; a deadline of some seconds is out of reach far beyond it.
const defaultQueueLimit = 1024

// Config configures a Registry.
type Config struct {
	Host       string   // peer id of the host scope
	Management []string // peers with the rights of the host

	QueueLimit int // calls waiting for one instance; 0 is 1024

	// Observe is called for each finished call, by the goroutine that answers it.
	Observe func(Observation)
	// Keep, if set, persists a change. It is called before the change takes effect, for one change
	// at a time in their order. Its error is returned to the caller, and nothing changes.
	Keep func(Change) error
}

// A Change is the registration or removal of a service, or of an alias when Alias is set.
type Change struct {
	Service Info
	Alias   string // added to the service, wherever it was before, or removed
	Removed bool
}

// A Registry knows the services of a peer, in all its scopes. It is safe for concurrent use.
type Registry struct {
	config     Config
	management map[string]bool

	changing sync.Mutex // held from the check of a change until it is made; taken before mu

	mu     sync.RWMutex
	scopes map[string]*scope

	clock  clock
	ends   ends
	pauses atomic.Int64 // of After
	closed atomic.Bool

	stuckMu    sync.Mutex
	stuckCalls map[*job]StuckCall
}

type scope struct {
	services map[string]*instance
	aliases  map[string]string // to service id
}

// An instance is a registered service. All but info.Aliases is fixed at registration.
type instance struct {
	info      Info
	handler   Handler
	functions map[string]bool // nil: answers every function
	queue     *queue          // nil: concurrent
	counters  counters
	alias     atomic.Value // string: the first of its aliases, for observations
	stuck     atomic.Int32 // calls that were given up and still run
}

// Info describes a registered service.
type Info struct {
	ID        string
	Scope     string
	Kind      Kind
	Blueprint string // id of what it was made from
	Owner     string // peer id
	Aliases   []string
	Functions []string // sorted; empty when they are not known
	Handler   Handler
}

// An Option describes a service at registration.
type Option func(*Registry, *instance)

// In puts the service in the scope of a peer, or [Everywhere]. Without it the service is in the
// scope of the host.
func In(scope string) Option { return func(_ *Registry, s *instance) { s.info.Scope = scope } }

// Concurrent lets calls of the service run in parallel.
func Concurrent() Option { return func(_ *Registry, s *instance) { s.queue = nil } }

// Functions names the functions of the service. Handlers with a method Functions() []string, such
// as [Funcs], do not need it.
func Functions(names ...string) Option {
	return func(_ *Registry, s *instance) { s.info.Functions = names }
}

// OfKind sets the kind of the service. Without it a service is [Builtin] in the scope
// [Everywhere], and [Service] in others.
func OfKind(k Kind) Option { return func(_ *Registry, s *instance) { s.info.Kind = k } }

// OwnedBy names the peer that created the service. Without it this is the host.
func OwnedBy(peer string) Option { return func(_ *Registry, s *instance) { s.info.Owner = peer } }

// FromBlueprint names what the service was made from.
func FromBlueprint(id string) Option {
	return func(_ *Registry, s *instance) { s.info.Blueprint = id }
}

// New makes an empty registry.
func New(c Config) *Registry {
	if c.QueueLimit <= 0 {
		c.QueueLimit = defaultQueueLimit
	}
	r := &Registry{config: c, management: map[string]bool{}, scopes: map[string]*scope{}}
	for _, peer := range c.Management {
		r.management[peer] = true
	}
	return r
}

// Host is the peer id of the host scope.
func (r *Registry) Host() string { return r.config.Host }

// Register adds a service. Its id must be free in its scope, also as an alias. After Close it
// returns [ErrClosed].
func (r *Registry) Register(id string, h Handler, opts ...Option) error {
	s := r.newInstance(id, h, opts)
	r.changing.Lock()
	defer r.changing.Unlock()
	err := r.free(s)
	if r.closed.Load() {
		err = ErrClosed
	}
	if c, ok := h.(interface{ check() error }); ok && err == nil {
		err = c.check()
	}
	if err == nil {
		err = r.keep(Change{Service: s.info})
	}
	if err != nil {
		return fmt.Errorf("register service %q on %s: %w", id, r.ScopeName(s.info.Scope), err)
	}
	r.add(s)
	return nil
}

func (r *Registry) newInstance(id string, h Handler, opts []Option) *instance {
	s := &instance{info: Info{ID: id, Scope: r.config.Host, Owner: r.config.Host, Handler: h}, handler: h}
	s.queue = &queue{limit: r.config.QueueLimit}
	s.counters.functions = map[string]*FunctionStats{}
	if l, ok := h.(interface{ Functions() []string }); ok {
		s.info.Functions = l.Functions()
	}
	for _, opt := range opts {
		opt(r, s)
	}
	if s.info.Kind == "" {
		s.info.Kind = Service
		if s.info.Scope == Everywhere {
			s.info.Kind = Builtin
		}
	}
	if s.info.Functions != nil {
		s.info.Functions = slices.Sorted(slices.Values(s.info.Functions))
		s.functions = map[string]bool{}
		for _, f := range s.info.Functions {
			s.functions[f] = true
		}
	}
	return s
}

// free reports whether the id of a service is in use. The methods from here to RemoveAlias run
// under r.changing, so what they have read stays true until they write.
func (r *Registry) free(s *instance) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if sc := r.scopes[s.info.Scope]; sc != nil && (sc.services[s.info.ID] != nil || sc.aliases[s.info.ID] != "") {
		return ErrExists
	}
	return nil
}

func (r *Registry) add(s *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sc := r.scopes[s.info.Scope]
	if sc == nil {
		sc = &scope{services: map[string]*instance{}, aliases: map[string]string{}}
		r.scopes[s.info.Scope] = sc
	}
	sc.services[s.info.ID] = s
}

// Unregister removes a service and its aliases. Calls that wait or run are still answered by it.
func (r *Registry) Unregister(scope, id string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	info, ok := r.Lookup(scope, id)
	err := ErrNotFound
	if ok && info.ID == id {
		err = r.keep(Change{Service: info, Removed: true})
	}
	if err != nil {
		return fmt.Errorf("unregister service %q on %s: %w", id, r.ScopeName(scope), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sc := r.scopes[scope]
	delete(sc.services, id)
	maps.DeleteFunc(sc.aliases, func(_, to string) bool { return to == id })
	return nil
}

// AddAlias adds a name to a service of the scope. An alias in use moves to the service.
func (r *Registry) AddAlias(scope, alias, id string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	info, err := r.aliased(scope, alias, id)
	if err == nil {
		err = r.keep(Change{Service: info, Alias: alias})
	}
	if err != nil {
		return fmt.Errorf("alias %q of service %q on %s: %w", alias, id, r.ScopeName(scope), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sc := r.scopes[scope]
	old := sc.aliases[alias]
	sc.aliases[alias] = id
	sc.nameFirst(old)
	sc.nameFirst(id)
	return nil
}

// aliased is the service that is to have the alias.
func (r *Registry) aliased(scope, alias, id string) (Info, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sc := r.scopes[scope]
	switch {
	case sc == nil || sc.services[id] == nil:
		return Info{}, ErrNotFound
	case sc.services[alias] != nil:
		return Info{}, ErrIsID
	}
	return sc.describe(sc.services[id]), nil
}

// RemoveAlias removes an alias.
func (r *Registry) RemoveAlias(scope, alias string) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	err := ErrNotFound
	if id, ok := r.Alias(scope, alias); ok {
		info, _ := r.Lookup(scope, id)
		err = r.keep(Change{Service: info, Alias: alias, Removed: true})
	}
	if err != nil {
		return fmt.Errorf("alias %q on %s: %w", alias, r.ScopeName(scope), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sc := r.scopes[scope]
	id := sc.aliases[alias]
	delete(sc.aliases, alias)
	sc.nameFirst(id)
	return nil
}

// nameFirst notes the first alias of a service.
func (sc *scope) nameFirst(id string) {
	if s := sc.services[id]; s != nil {
		first := ""
		if all := sc.describe(s).Aliases; len(all) > 0 {
			first = all[0]
		}
		s.alias.Store(first)
	}
}

func (r *Registry) keep(c Change) error {
	if r.config.Keep == nil {
		return nil
	}
	return r.config.Keep(c)
}

// Alias is the id of the service that has the alias in the scope.
func (r *Registry) Alias(scope, alias string) (id string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if sc := r.scopes[scope]; sc != nil {
		id, ok = sc.aliases[alias]
	}
	return id, ok
}

// Lookup finds a service of the scope by its id or alias.
func (r *Registry) Lookup(scope, idOrAlias string) (Info, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sc := r.scopes[scope]
	if sc == nil {
		return Info{}, false
	}
	s := sc.find(idOrAlias)
	if s == nil {
		return Info{}, false
	}
	return sc.describe(s), true
}

// List describes the services of the scope, by id.
func (r *Registry) List(scope string) []Info {
	r.mu.RLock()
	defer r.mu.RUnlock()
	sc := r.scopes[scope]
	if sc == nil {
		return nil
	}
	var infos []Info
	for _, id := range slices.Sorted(maps.Keys(sc.services)) {
		infos = append(infos, sc.describe(sc.services[id]))
	}
	return infos
}

// Stats are the counters of all services, by scope and id.
func (r *Registry) Stats() []Stats {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []Stats
	for _, sc := range r.scopes {
		for _, s := range sc.services {
			all = append(all, s.snapshot())
		}
	}
	slices.SortFunc(all, func(a, b Stats) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// ServiceStats are the counters of one service: of all its calls and of each function called.
func (r *Registry) ServiceStats(scope, idOrAlias string) (total FunctionStats, functions []FunctionStats, ok bool) {
	r.mu.RLock()
	var s *instance
	if sc := r.scopes[scope]; sc != nil {
		s = sc.find(idOrAlias)
	}
	r.mu.RUnlock()
	if s == nil {
		return total, nil, false
	}
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.counters.functions)) {
		functions = append(functions, s.counters.functions[name].clone())
	}
	return s.counters.total.clone(), functions, true
}

// ScopeName is the scope as error texts show it.
func (r *Registry) ScopeName(scope string) string {
	switch scope {
	case Everywhere:
		return "every scope"
	case r.config.Host:
		return "Host"
	}
	return fmt.Sprintf("WorkerId(WorkerId(PeerId(%q)))", scope)
}

// resolve finds who answers a call; see the package comment.
func (r *Registry) resolve(c *Call) *instance {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if sc := r.scopes[Everywhere]; sc != nil {
		if s := sc.services[c.Service]; s != nil && s.knows(c.Function) {
			return s
		}
	}
	sc := r.scopes[c.HostPeerID]
	if sc == nil || c.HostPeerID == Everywhere {
		return nil
	}
	if s := sc.find(c.Service); s != nil {
		return s
	}
	if id, ok := ownSpell(c); ok {
		return sc.services[id]
	}
	return nil
}

// ownSpell is the service behind the names "spell" and "self" in a spell's own particles,
// whose ids are spell_<spell id>_<counter>.
func ownSpell(c *Call) (id string, ok bool) {
	if c.Service != "spell" && c.Service != "self" || !strings.HasPrefix(c.ParticleID, "spell") {
		return "", false
	}
	_, rest, ok := strings.Cut(c.ParticleID, "_")
	id, _, _ = strings.Cut(rest, "_")
	return id, ok
}

func (sc *scope) find(idOrAlias string) *instance {
	if s := sc.services[idOrAlias]; s != nil {
		return s
	}
	return sc.services[sc.aliases[idOrAlias]]
}

func (sc *scope) describe(s *instance) Info {
	info := s.info
	for alias, id := range sc.aliases {
		if id == info.ID {
			info.Aliases = append(info.Aliases, alias)
		}
	}
	slices.Sort(info.Aliases)
	return info
}

func (s *instance) knows(function string) bool { return s.functions == nil || s.functions[function] }

func (s *instance) snapshot() Stats {
	s.counters.mu.Lock()
	defer s.counters.mu.Unlock()
	stats := s.counters.stats
	stats.Scope, stats.ID, stats.Kind = s.info.Scope, s.info.ID, s.info.Kind
	stats.Stuck = int(s.stuck.Load())
	if s.queue != nil {
		stats.Queue = s.queue.length()
	}
	return stats
}
