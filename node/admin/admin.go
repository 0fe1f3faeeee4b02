// Package admin is the HTTP endpoint at which a peer can be looked into. It answers GET
// requests and changes nothing.
//
//	/health          the checks and whether they pass; 200 all, 429 some, 503 none
//	/metrics         counters and times, for Prometheus
//	/peer_id         {"peer_id": "12D3..."}
//	/versions        versions of the peer's parts
//	/particles       what happened to particles lately; ?id= one particle, ?n= how many
//	/peers           the connected peers
//	/config          how the peer is configured, in TOML
//	/debug/pprof/    profiles of the process, when turned on
//
// The last four are private. With a token they are for those who have it. Without one they are
// there on loopback only, and texts that may hold arguments and results of calls are left out.
//
// On loopback a request has to name a host by an address, localhost or a configured name: a page
// in a browser on the same machine can make its own name point here, but cannot send another.
//
// The package owns one goroutine, the server's, and those of at most 64 connections. Close waits
// for the server and for requests.
package admin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	logging "github.com/ipfs/go-log/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/aquanode/aquanode/node/journal"
)

var log = logging.Logger("admin")

// Check is a named check of a peer's health; Err is nil when it passes.
type Check struct {
	Name string
	Err  error
}

// Config says where to listen and what there is to see.
type Config struct {
	Addr      string // host:port
	PeerID    string
	Versions  any // marshals to an object
	Journal   *journal.Journal
	Metrics   prometheus.Gatherer
	Described string // the configuration, TOML; none when empty
	Health    func() []Check
	Peers     func() any // marshals to an array
	Token     string     // for the private pages; none when empty
	Hosts     []string   // names of this endpoint besides localhost
	Profiling bool
}

// Bounds of what a client of the endpoint can hold.
const (
	maxConnections = 64
	maxHeader      = 16 << 10
	maxEntries     = 10_000
	readTimeout    = 10 * time.Second
	writeTimeout   = 2 * time.Minute // profiles and traces last some 30 s
	idleTimeout    = 30 * time.Second
)

// Server is a running endpoint.
type Server struct {
	cfg      Config
	http     *http.Server
	addr     string
	loopback bool
	done     sync.WaitGroup
}

// Start listens and serves.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{cfg: cfg, addr: l.Addr().String()}
	s.loopback = l.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !s.loopback && cfg.Token == "" {
		log.Warnw("the admin endpoint can be reached from elsewhere and has no token: /particles, /peers and /config are off", "addr", s.addr)
	}
	s.http = &http.Server{
		Handler: s.checkHost(s.routes()), MaxHeaderBytes: maxHeader,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	l = netutil.LimitListener(l, maxConnections)
	s.done.Go(func() { s.http.Serve(l) }) // ends with Close
	return s, nil
}

// Addr is host:port of the endpoint.
func (s *Server) Addr() string { return s.addr }

// Close stops serving.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.done.Wait()
	return err
}

func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	m.HandleFunc("GET /health", s.health)
	m.HandleFunc("GET /peer_id", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"peer_id": s.cfg.PeerID})
	})
	m.HandleFunc("GET /versions", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, s.cfg.Versions) })
	private := func(path string, h http.HandlerFunc) { m.Handle("GET "+path, s.private(h)) }
	private("/particles", s.particles)
	private("/peers", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, s.cfg.Peers()) })
	if s.cfg.Described != "" {
		private("/config", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/toml; charset=utf-8")
			io.WriteString(w, s.cfg.Described)
		})
	}
	if s.cfg.Profiling {
		private("/debug/pprof/", pprof.Index)
		private("/debug/pprof/profile", pprof.Profile)
		private("/debug/pprof/trace", pprof.Trace)
	}
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "No such endpoint", http.StatusNotFound) })
	return m
}

// checkHost refuses requests under names that are not ours, see the package.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.loopback && !s.named(r.Host) {
			http.Error(w, fmt.Sprintf("This endpoint has no name %.100q; the setting admin_hosts lists its names", r.Host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) named(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	own, _, _ := net.SplitHostPort(s.cfg.Addr)
	_, err := netip.ParseAddr(host)
	return err == nil || slices.ContainsFunc(append([]string{"localhost", own}, s.cfg.Hosts...), func(name string) bool {
		return name != "" && strings.EqualFold(name, host)
	})
}

// private lets those in who have the token. Without one, those on this machine.
func (s *Server) private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.cfg.Token == "" && !s.loopback:
			http.Error(w, "This page needs a token; the setting admin_token names the file that holds it", http.StatusForbidden)
		case s.cfg.Token != "" && !s.authorized(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "This page needs the header Authorization: Bearer TOKEN", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) == 1
}

// hide takes out what may hold arguments or results of calls: texts of services and of the
// interpreter, operands of instructions.
func hide(entries []journal.Entry) {
	for i := range entries {
		e := &entries[i]
		if e.Detail != "" && (e.Reason == journal.Interpreter || e.Reason == journal.ServiceFailed || e.Kind == journal.Called) {
			e.Detail = "hidden: set admin_token to see it"
		}
		e.Waits = slices.Clone(e.Waits)
		for j, w := range e.Waits {
			end := strings.IndexAny(w.Instruction, ")")
			if !strings.HasPrefix(w.Instruction, "call ") || end < 0 {
				end = strings.IndexByte(w.Instruction+" ", ' ') - 1
			}
			e.Waits[j].Instruction = w.Instruction[:end+1]
		}
	}
}

// health answers passing checks first, as one-key objects.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	var good, bad []map[string]string
	for _, c := range s.cfg.Health() {
		if c.Err == nil {
			good = append(good, map[string]string{c.Name: "Ok"})
		} else {
			bad = append(bad, map[string]string{c.Name: "Fail", "reason": c.Err.Error()})
		}
	}
	status := http.StatusOK
	switch {
	case len(bad) > 0 && len(good) > 0:
		status = http.StatusTooManyRequests
	case len(bad) > 0:
		status = http.StatusServiceUnavailable
	}
	write(w, status, append(append([]map[string]string{}, good...), bad...))
}

// defaultEntries is how many journal entries are shown when nothing is said.
const defaultEntries = 100

func (s *Server) particles(w http.ResponseWriter, r *http.Request) {
	n := defaultEntries
	if text := r.FormValue("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			http.Error(w, "n is a number of entries", http.StatusBadRequest)
			return
		}
	}
	n = min(n, maxEntries)
	out := struct {
		Counts  []journal.Count `json:"counts"`
		Entries []journal.Entry `json:"entries"`
	}{s.cfg.Journal.Counts(), []journal.Entry{}}
	id := r.FormValue("id")
	out.Entries = append(out.Entries, s.cfg.Journal.Recent(n, func(e *journal.Entry) bool { return id == "" || e.Particle == id })...)
	if s.cfg.Token == "" {
		hide(out.Entries)
	}
	write(w, http.StatusOK, out)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // the reader may have gone; there is nobody else to tell
}
