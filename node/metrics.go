package node

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aquanode/aquanode/interpreter/data"
	"github.com/aquanode/aquanode/particle"
	"github.com/aquanode/aquanode/services"
)

// Buckets of times in seconds and of sizes in bytes, as dashboards of this network have
// them.
var (
	timeBuckets = []float64{.0001, .001, .01, .05, .1, .25, .5, 1, 2, 4, 7, 15, 30, 60, 120}
	sizeBuckets = prometheus.ExponentialBuckets(100, 10, 7)
)

// metrics are what Prometheus reads. Names and labels are those of the network's first
// implementation, so that dashboards keep working; what is new is called aquanode_.
type metrics struct {
	registry *prometheus.Registry

	received *prometheus.CounterVec
	sizes    *prometheus.HistogramVec
	sentOK   *prometheus.CounterVec
	sentFail *prometheus.CounterVec
	steps    prometheus.Histogram
	stepOK   prometheus.Counter
	stepFail prometheus.Counter
	callTime *prometheus.HistogramVec
	callOK   *prometheus.CounterVec
	callFail *prometheus.CounterVec
}

func newMetrics(n *Node) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	worker := prometheus.Labels{"worker_type": "Host", "peer_id": n.id}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return register(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	m.received = counters("connection_pool_received_particles_total", "Particles that arrived", "particle_type")
	m.sentOK = counters("connectivity_particle_send_success_total", "Particles sent", "particle_type")
	m.sentFail = counters("connectivity_particle_send_failure_total", "Particles that could not be sent", "particle_type")
	m.callOK = counters("particle_executor_service_call_success_total", "Service calls that gave a value", "function_kind")
	m.callFail = counters("particle_executor_service_call_failure_total", "Service calls that gave an error", "function_kind")
	m.sizes = register(m, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "connection_pool_particle_sizes", Help: "Bytes of data of arriving particles", Buckets: sizeBuckets,
	}, []string{"particle_type"}))
	m.callTime = register(m, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "particle_executor_service_call_time_sec", Help: "Duration of service calls", Buckets: timeBuckets,
	}, []string{"function_kind"}))
	m.steps = register(m, prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "particle_executor_interpretation_time_sec", Help: "Duration of interpreter steps", Buckets: timeBuckets, ConstLabels: worker,
	}))
	m.stepOK = register(m, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "particle_executor_interpretation_successes_total", Help: "Interpreter steps without error", ConstLabels: worker,
	}))
	m.stepFail = register(m, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "particle_executor_interpretation_failures_total", Help: "Interpreter steps with an error", ConstLabels: worker,
	}))
	gauge := func(name, help string, labels prometheus.Labels, f func() int) {
		register(m, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return float64(f()) }))
	}
	gauge("connection_pool_connected_peers", "Connected peers", nil, func() int { return len(n.host.Peers()) })
	gauge("particle_executor_alive_actors", "Live particles", worker, n.dispatch.Live)
	gauge("nox_build_info", "Versions", prometheus.Labels{
		"node_version": Version, "air_version": data.InterpreterVersion, "spell_version": Version,
	}, func() int { return 1 })
	m.registry.MustRegister(journalCollector{n}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func register[C prometheus.Collector](m *metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// particleType is the label that tells particles of spells from others.
func particleType(id string) string {
	if strings.HasPrefix(id, "spell") {
		return "Spell"
	}
	return "Common"
}

func (m *metrics) arrived(p *particle.Particle) {
	t := particleType(p.ID)
	m.received.WithLabelValues(t).Inc()
	m.sizes.WithLabelValues(t).Observe(float64(len(p.Data)))
}

func (m *metrics) sent(particleID string, err error) {
	counter := m.sentOK
	if err != nil {
		counter = m.sentFail
	}
	counter.WithLabelValues(particleType(particleID)).Inc()
}

func (m *metrics) stepped(code int64, took time.Duration) {
	m.steps.Observe(took.Seconds())
	if code == 0 {
		m.stepOK.Inc()
	} else {
		m.stepFail.Inc()
	}
}

func (m *metrics) called(o services.Observation) {
	kind := "Service"
	if o.Outcome == services.NotFound {
		kind = "NotHappened"
	}
	m.callTime.WithLabelValues(kind).Observe(o.Time.Seconds())
	if o.Outcome == services.Done {
		m.callOK.WithLabelValues(kind).Inc()
	} else {
		m.callFail.WithLabelValues(kind).Inc()
	}
}

// journalCollector turns the journal's counts into a counter when asked.
type journalCollector struct{ n *Node }

var journalDesc = prometheus.NewDesc("aquanode_journal_total", "What happened to particles, by kind and reason", []string{"kind", "reason"}, nil)

// Describe implements [prometheus.Collector].
func (c journalCollector) Describe(out chan<- *prometheus.Desc) { out <- journalDesc }

// Collect implements [prometheus.Collector].
func (c journalCollector) Collect(out chan<- prometheus.Metric) {
	for _, e := range c.n.journal.Counts() {
		out <- prometheus.MustNewConstMetric(journalDesc, prometheus.CounterValue, float64(e.N), e.Kind.String(), string(e.Reason))
	}
}
