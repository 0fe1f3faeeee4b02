// Package admin is the HTTP endpoint at which a peer can be looked into. It answers GET
// requests, changes nothing, and asks nobody who they are: it belongs on loopback.
//
//	/metrics         counters and times, for Prometheus
//	/health          the checks and whether they pass; 200 all, 429 some, 503 none
//	/particles       what happened to particles lately; ?id= one particle, ?n= how many
//	/peers           the connected peers
//	/peer_id         {"peer_id": "12D3..."}
//	/config          how the peer is configured, in TOML
//	/versions        versions of the peer's parts
//	/debug/pprof/    profiles of the process
//
// The package owns one goroutine, the server's. Close waits for it and for requests.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aquanode/aquanode/node/journal"
)

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
}

// Server is a running endpoint.
type Server struct {
	cfg  Config
	http *http.Server
	addr string
	done sync.WaitGroup
}

// Start listens and serves.
func Start(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	s := &Server{cfg: cfg, addr: l.Addr().String()}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 2 * time.Minute}
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
	m.HandleFunc("GET /particles", s.particles)
	m.HandleFunc("GET /peers", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, s.cfg.Peers()) })
	m.HandleFunc("GET /peer_id", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"peer_id": s.cfg.PeerID})
	})
	m.HandleFunc("GET /versions", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, s.cfg.Versions) })
	if s.cfg.Described != "" {
		m.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/toml; charset=utf-8")
			io.WriteString(w, s.cfg.Described)
		})
	}
	m.HandleFunc("GET /debug/pprof/", pprof.Index)
	m.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	m.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "No such endpoint", http.StatusNotFound) })
	return m
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
	out := struct {
		Counts  []journal.Count `json:"counts"`
		Entries []journal.Entry `json:"entries"`
	}{s.cfg.Journal.Counts(), []journal.Entry{}}
	id := r.FormValue("id")
	out.Entries = append(out.Entries, s.cfg.Journal.Recent(n, func(e *journal.Entry) bool { return id == "" || e.Particle == id })...)
	write(w, http.StatusOK, out)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // the reader may have gone; there is nobody else to tell
}
