package node

import (
	"net"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/node/journal"
	"github.com/aquanode/aquanode/node/p2p"
	"github.com/aquanode/aquanode/node/share"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// Buckets of times in seconds and of sizes in bytes, as dashboards of this network have
// them.
var (
	timeBuckets = []float64{.0001, .001, .01, .05, .1, .25, .5, 1, 2, 4, 7, 15, 30, 60, 120}
	sizeBuckets = prometheus.ExponentialBuckets(100, 10, 7)
)

// metrics are the metrics for Prometheus. Names and labels are those of the network's first
// implementation, so that dashboards keep working; new ones begin with aquanode_.
// Labels whose values are known beforehand begin at zero, so that the first event is a change.
type metrics struct {
	registry *prometheus.Registry
	skew     time.Duration // of clocks, see dispatch.Limits

	received     *prometheus.CounterVec
	sizes        *prometheus.HistogramVec
	late         *prometheus.CounterVec
	resolved     *prometheus.CounterVec
	bootstrap    prometheus.Counter
	bootstrapOff prometheus.Counter
	sentOK       *prometheus.CounterVec
	sentFail     *prometheus.CounterVec
	steps        prometheus.Histogram
	stepOK       prometheus.Counter
	stepFail     prometheus.Counter
	callTime     *prometheus.HistogramVec
	callOK       *prometheus.CounterVec
	callFail     *prometheus.CounterVec

	created       *prometheus.CounterVec
	removed       *prometheus.CounterVec
	serviceTime   *prometheus.HistogramVec
	serviceWait   *prometheus.HistogramVec
	serviceOK     *prometheus.CounterVec
	serviceFailed *prometheus.CounterVec
}

var (
	particleTypes = []string{"Common", "Spell"}
	functionKinds = []string{"Service", "NotHappened"}
	serviceTypes  = []string{builtinType, otherType}
	contactWays   = []string{p2p.ByBook, p2p.ByDiscovery, p2p.NotFound, p2p.NoDiscovery, p2p.NoAnswer}
)

// Types of services besides their first aliases.
const (
	builtinType = "builtin"
	otherType   = "non-aliased-services"
)

// newMetrics makes the counters; watch adds the gauges.
func newMetrics(cfg *Config) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), skew: cfg.Dispatch.Skew}
	worker := workerLabels(cfg)
	counters := func(name, help, label string, values []string) *prometheus.CounterVec {
		v := register(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}))
		for _, known := range values {
			v.WithLabelValues(known)
		}
		return v
	}
	counter := func(name, help string, labels prometheus.Labels) prometheus.Counter {
		return register(m, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}))
	}
	histograms := func(name, help string, buckets []float64, label string, values []string) *prometheus.HistogramVec {
		v := register(m, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{label}))
		for _, known := range values {
			v.WithLabelValues(known)
		}
		return v
	}
	m.received = counters("connection_pool_received_particles_total", "Particles that arrived", "particle_type", particleTypes)
	m.sizes = histograms("connection_pool_particle_sizes", "Bytes of data of arriving particles", sizeBuckets, "particle_type", particleTypes)
	m.late = counters("dispatcher_particles_expired_total", "Particles that arrived after their deadline", "particle_type", particleTypes)
	m.resolved = counters("connectivity_contact_resolve_total", "How connections to next peers were found", "action", contactWays)
	m.bootstrap = counter("connectivity_bootstrap_connected_total", "Connections made to bootstrap peers", nil)
	m.bootstrapOff = counter("connectivity_bootstrap_disconnected_total", "Connections to bootstrap peers that ended", nil)
	m.sentOK = counters("connectivity_particle_send_success_total", "Particles sent", "particle_type", particleTypes)
	m.sentFail = counters("connectivity_particle_send_failure_total", "Particles that could not be sent", "particle_type", particleTypes)
	m.steps = register(m, prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "particle_executor_interpretation_time_sec", Help: "Duration of interpreter steps", Buckets: timeBuckets, ConstLabels: worker,
	}))
	m.stepOK = counter("particle_executor_interpretation_successes_total", "Interpreter steps without error", worker)
	m.stepFail = counter("particle_executor_interpretation_failures_total", "Interpreter steps with an error", worker)
	m.callTime = histograms("particle_executor_service_call_time_sec", "Duration of service calls", timeBuckets, "function_kind", functionKinds)
	m.callOK = counters("particle_executor_service_call_success_total", "Service calls that gave a value", "function_kind", functionKinds)
	m.callFail = counters("particle_executor_service_call_failure_total", "Service calls that gave an error", "function_kind", functionKinds)
	m.created = counters("services_creation_count_total", "Services that were registered", "service_type", serviceTypes)
	m.removed = counters("services_removal_count_total", "Services that were removed", "service_type", serviceTypes)
	m.serviceTime = histograms("services_call_time_msec", "Duration of service calls, in seconds in spite of the name", timeBuckets, "service_type", serviceTypes)
	m.serviceWait = histograms("services_lock_wait_time_sec", "Time that calls waited for their service", timeBuckets, "service_type", serviceTypes)
	m.serviceOK = counters("services_call_success_count_total", "Service calls that gave a value", "service_type", serviceTypes)
	m.serviceFailed = counters("services_call_failed_count_total", "Service calls that gave an error", "service_type", serviceTypes)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func workerLabels(cfg *Config) prometheus.Labels {
	return prometheus.Labels{"worker_type": "Host", "peer_id": particle.PeerID(publicKey(cfg.Key))}
}

// watch adds metrics that are read from the parts of a node when they are collected.
func (m *metrics) watch(n *Node) {
	worker := workerLabels(&n.cfg)
	m.gauges(n, worker)
	m.registry.MustRegister(journalCollector{n}, servicesCollector{n}, dispatchCollector{n, worker})
}

func (m *metrics) gauges(n *Node, worker prometheus.Labels) {
	gauge := func(name, help string, labels prometheus.Labels, f func() int) {
		register(m, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return float64(f()) }))
	}
	one := func() int { return 1 }
	gauge("connection_pool_connected_peers", "Connected peers", nil, func() int { return len(n.engine.Host.Peers()) })
	gauge("aquanode_held_bytes", "Bytes of frames being read or waiting to be sent", nil, func() int { return int(n.engine.Host.Load().Held) })
	register(m, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "aquanode_paced_frames_total", Help: "Frames that waited because their sender was in debt and others were around",
	}, func() float64 { return float64(n.engine.Host.Load().Paced) }))
	gauge("particle_executor_alive_actors", "Live particles", worker, n.engine.Dispatcher.Live)
	gauge("nox_build_info", "Versions", prometheus.Labels{
		"node_version": Version, "air_version": data.InterpreterVersion, "spell_version": Version,
	}, one)
	gauge("nox_network_info", "Addresses", networkInfo(n), one)
	if n.cfg.Durable {
		gauge("aquanode_durable_backlog_bytes", "Bytes of durable particles that wait to be written", nil, func() int { return n.logs.Backlog() })
		gauge("aquanode_durable_healthy", "1 if the durable check of /health passes, else 0", nil, func() int {
			if n.logs.Err() != nil {
				return 0
			}
			return 1
		})
	}
}

// networkInfo returns addresses as the configuration of other peers needs them: the first of a kind.
func networkInfo(n *Node) prometheus.Labels {
	l := prometheus.Labels{
		"tcp_port": "", "websocket_port": "", "listen_ip": "", "network_type": n.cfg.Network, "bootstrap_nodes": strings.Join(n.cfg.Bootstrap, ", "),
		"external_address": "", "external_multiaddresses": strings.Join(n.cfg.External, ", "),
	}
	for _, text := range n.cfg.Listen {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			continue
		}
		port, err := a.ValueForProtocol(ma.P_TCP)
		name := "tcp_port"
		if _, noWS := a.ValueForProtocol(ma.P_WS); noWS == nil {
			name = "websocket_port"
		}
		if err == nil && l[name] == "" {
			l[name] = port
		}
		if first, _ := ma.SplitFirst(a); l["listen_ip"] == "" && first != nil && net.ParseIP(first.Value()) != nil {
			l["listen_ip"] = first.Value()
		}
	}
	return l
}

func register[C prometheus.Collector](m *metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// particleType is the label that separates particles of spells from others.
func particleType(id string) string {
	if strings.HasPrefix(id, "spell") {
		return "Spell"
	}
	return "Common"
}

// serviceType is the label of a service: builtin, its first alias, or neither.
func serviceType(kind services.Kind, alias string) string {
	switch {
	case kind == services.Builtin:
		return builtinType
	case alias != "":
		return alias
	}
	return otherType
}

// Arrived implements [engine.Observer].
func (m *metrics) Arrived(p *particle.Particle) {
	t := particleType(p.ID)
	m.received.WithLabelValues(t).Inc()
	m.sizes.WithLabelValues(t).Observe(float64(len(p.Data)))
	if p.Expired(time.Now().Add(-m.skew)) {
		m.late.WithLabelValues(t).Inc()
	}
}

// Resolved implements [p2p.Observer].
func (m *metrics) Resolved(how string) { m.resolved.WithLabelValues(how).Inc() }

// Kept implements [p2p.Observer].
func (m *metrics) Kept(connected bool) {
	if connected {
		m.bootstrap.Inc()
	} else {
		m.bootstrapOff.Inc()
	}
}

// Sent implements [engine.Observer].
func (m *metrics) Sent(particleID string, err error) {
	counter := m.sentOK
	if err != nil {
		counter = m.sentFail
	}
	counter.WithLabelValues(particleType(particleID)).Inc()
}

// Stepped implements [engine.Observer].
func (m *metrics) Stepped(code int64, took time.Duration) {
	m.steps.Observe(took.Seconds())
	if code == 0 {
		m.stepOK.Inc()
	} else {
		m.stepFail.Inc()
	}
}

// Called implements [engine.Observer].
func (m *metrics) Called(o services.Observation) {
	kind := "Service"
	if o.Outcome == services.NotFound {
		kind = "NotHappened"
	}
	done := o.Outcome == services.Done
	m.callTime.WithLabelValues(kind).Observe(o.Time.Seconds())
	count(done, m.callOK, m.callFail, kind)
	if o.Service == "" {
		return
	}
	t := serviceType(o.Kind, o.Alias)
	m.serviceTime.WithLabelValues(t).Observe(o.Time.Seconds())
	m.serviceWait.WithLabelValues(t).Observe(o.Wait.Seconds())
	count(done, m.serviceOK, m.serviceFailed, t)
}

func count(good bool, success, failure *prometheus.CounterVec, label string) {
	if good {
		success.WithLabelValues(label).Inc()
	} else {
		failure.WithLabelValues(label).Inc()
	}
}

// changed counts services that come and go.
func (m *metrics) changed(c services.Change) {
	if c.Alias != "" {
		return
	}
	alias := ""
	if len(c.Service.Aliases) > 0 {
		alias = c.Service.Aliases[0]
	}
	counter := m.created
	if c.Removed {
		counter = m.removed
	}
	counter.WithLabelValues(serviceType(c.Service.Kind, alias)).Inc()
}

// The collectors count when asked.
type (
	journalCollector  struct{ n *Node }
	servicesCollector struct{ n *Node }
	dispatchCollector struct {
		n      *Node
		worker prometheus.Labels
	}
)

var (
	journalDesc  = prometheus.NewDesc("aquanode_journal_total", "What happened to particles, by kind and reason", []string{"kind", "reason"}, nil)
	servicesDesc = prometheus.NewDesc("services_services_count", "Services", []string{"service_type"}, nil)
)

// Describe implements [prometheus.Collector].
func (c journalCollector) Describe(out chan<- *prometheus.Desc) { out <- journalDesc }

// Collect implements [prometheus.Collector]. Refusals are there for every reason.
func (c journalCollector) Collect(out chan<- prometheus.Metric) {
	type key struct {
		kind   journal.Kind
		reason journal.Reason
	}
	counts := map[key]uint64{}
	for _, r := range journal.Reasons() {
		counts[key{journal.Refused, r}] = 0
	}
	for _, e := range c.n.engine.Journal.Counts() {
		counts[key{e.Kind, e.Reason}] = e.N
	}
	for k, n := range counts {
		out <- prometheus.MustNewConstMetric(journalDesc, prometheus.CounterValue, float64(n), k.kind.String(), string(k.reason))
	}
}

// Describe implements [prometheus.Collector].
func (c servicesCollector) Describe(out chan<- *prometheus.Desc) { out <- servicesDesc }

// Collect implements [prometheus.Collector].
func (c servicesCollector) Collect(out chan<- prometheus.Metric) {
	counts := map[string]int{builtinType: 0, otherType: 0}
	for _, scope := range []string{services.Everywhere, c.n.ID()} {
		for _, s := range c.n.engine.Services.List(scope) {
			alias := ""
			if len(s.Aliases) > 0 {
				alias = s.Aliases[0]
			}
			counts[serviceType(s.Kind, alias)]++
		}
	}
	for t, n := range counts {
		out <- prometheus.MustNewConstMetric(servicesDesc, prometheus.GaugeValue, float64(n), t)
	}
}

// gaugesOf are the gauges of a dispatcher: steps of the interpreter run in slots, which are what
// dashboards know as a pool of virtual machines.
func (c dispatchCollector) gaugesOf() map[*prometheus.Desc]float64 {
	s := c.n.engine.Dispatcher.Stats()
	desc := func(name, help string, labels prometheus.Labels) *prometheus.Desc {
		return prometheus.NewDesc(name, help, nil, labels)
	}
	gauges := map[*prometheus.Desc]float64{
		desc("particle_executor_total_actors_mailbox", "Arrivals that wait for their particle's next step", c.worker): float64(s.Waiting),
		desc("aquanode_slot_wait_seconds", "How long the step has waited for a slot that waits longest", nil):         s.Waited.Seconds(),
		desc("aquanode_particles_awake", "Particles that have something to do, calls, or did until just now", nil):    float64(s.Awake),
		desc("aquanode_particles_finished", "Particles that ended here and are known until their deadline", nil):      float64(s.Finished),
		desc("aquanode_memory_booked_limit_bytes", "Bytes that particles and frames may take", nil):                   float64(c.n.engine.Dispatcher.Ledger().Limit(share.Memory)),
		desc("aqua_vm_pool_pool_size", "Steps of the interpreter that may run at once", nil):                          float64(s.Slots),
		desc("aqua_vm_pool_free_vms", "Steps of the interpreter that could begin now", nil):                           float64(s.Free),
		desc("aqua_vm_pool_vm_mem_total", "Bytes of retained states of particles", nil):                               float64(s.StateBytes),
	}
	held := c.n.engine.Dispatcher.Ledger().Kinds()
	for _, k := range share.Kinds {
		gauges[desc("aquanode_memory_booked_bytes", "Bytes that particles and frames take", prometheus.Labels{"kind": string(k)})] = float64(held[k])
	}
	return gauges
}

// Describe implements [prometheus.Collector].
func (c dispatchCollector) Describe(out chan<- *prometheus.Desc) {
	for d := range c.gaugesOf() {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c dispatchCollector) Collect(out chan<- prometheus.Metric) {
	for d, v := range c.gaugesOf() {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
}
