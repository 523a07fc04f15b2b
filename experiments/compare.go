package experiments

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mishap"
)

type compareForm struct {
	Arms      armsForm            `json:"arms" jsonschema:"two like populations, of which only one gets the fault"`
	Baseline  mishap.Duration     `json:"baseline,omitempty" jsonschema:"how long the arms are watched before any fault, default 60s"`
	Alpha     float64             `json:"alpha,omitempty" jsonschema:"most probability of an abort without harm, default 0.01"`
	Metrics   []compareMetricForm `json:"metrics" jsonschema:"what is compared"`
	StopAfter stopAfterForm       `json:"stopAfter,omitzero" jsonschema:"harm that ends the comparison whatever the evidence"`
}

type armsForm struct {
	From  mishap.ArmsFrom `json:"from" jsonschema:"where the arms come from: requests, or targets"`
	Proxy string          `json:"proxy,omitempty" jsonschema:"of requests: the proxy at the edge that assigns requests to the arms"`
	Key   string          `json:"key,omitempty" jsonschema:"of requests: what makes a unit that stays in its arm: cookie:NAME, header:NAME or source"`
	Share mishap.Share    `json:"share,omitempty" jsonschema:"of requests: part of the units that each arm gets, at most 50%"`
	Seed  int             `json:"seed,omitempty" jsonschema:"of requests: what the assignment is drawn with; default: drawn for each run, and recorded"`
}

type compareMetricForm struct {
	Name   string            `json:"name,omitempty" jsonschema:"unique among the metrics; default: the metric"`
	Metric mishap.MetricKind `json:"metric" jsonschema:"success-rate, event-rate, latency or gauge"`
	Source string            `json:"source,omitempty" jsonschema:"where its numbers come from, default proxy"`
	With   json.RawMessage   `json:"with,omitempty" jsonschema:"the source's parameters"`
	Harm   mishap.Direction  `json:"harm,omitempty" jsonschema:"which way harm lies: increase or decrease; a success rate can only decrease, a latency only increase"`
	Margin marginText        `json:"margin,omitempty" jsonschema:"harm that still counts as none: 0.5pp (percentage points of failures), 20% (that much more, or less), or a number in the gauge's unit; without it the metric can stop a run and needs no clearing"`
	Weight float64           `json:"weight,omitempty" jsonschema:"part of alpha, next to the other metrics; default: by its kind"`
}

type stopAfterForm struct {
	ExtraFailures float64 `json:"extraFailures,omitempty" jsonschema:"failures in the experiment arm beyond what control lets expect"`
}

// marginText is a margin as it is written: a number and pp, %, or nothing.
type marginText struct {
	number float64
	unit   string
}

// UnmarshalText reads a margin.
func (m *marginText) UnmarshalText(text []byte) error {
	number := strings.TrimSpace(string(text))
	for _, unit := range []string{"pp", "%"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, m.unit = strings.TrimSpace(rest), unit
			break
		}
	}
	n, err := mishap.ParseNumber(number)
	if m.number = n.Float(); err != nil || !(m.number > 0) || m.number > 1e12 {
		return fmt.Errorf("margin %q must be above 0, such as 0.5pp, 20%% or 3", shorten(string(text)))
	}
	return nil
}

func (c *compareForm) setDefaults() {
	c.Baseline, c.Alpha = mishap.Duration(time.Minute), 0.01
}

// defaultSource is the proxy that assigns requests to arms.
const defaultSource = "proxy"

func (m *compareMetricForm) setDefaults() { m.Source = defaultSource }

// margin is what the text means for the metric.
func (m *compareMetricForm) margin() mishap.Margin {
	switch {
	case m.Margin.unit == "pp":
		return mishap.Margin{Difference: m.Margin.number / 100}
	case m.Margin.unit == "%" && m.Metric == mishap.SuccessRate, m.Margin.unit == "%" && m.direction() == mishap.Increase:
		return mishap.Margin{Ratio: 1 + m.Margin.number/100} // a success rate's is of its failures
	case m.Margin.unit == "%":
		return mishap.Margin{Ratio: 1 - m.Margin.number/100}
	}
	return mishap.Margin{Difference: m.Margin.number}
}

// direction is which way harm lies, also where the file leaves it out.
func (m *compareMetricForm) direction() mishap.Direction {
	switch {
	case m.Harm != "":
		return m.Harm
	case m.Metric == mishap.Latency:
		return mishap.Increase
	}
	return mishap.Decrease
}

func (m *compareMetricForm) metric() mishap.CompareMetric {
	out := mishap.CompareMetric{Name: m.Name, Metric: m.Metric, Source: m.Source, With: m.With, Harm: m.direction(), Weight: m.Weight}
	if out.Name == "" {
		out.Name = string(m.Metric)
	}
	if m.Margin.number > 0 {
		out.Margin = m.margin()
	}
	return out
}

func (c *compareForm) compare() *mishap.Compare {
	out := &mishap.Compare{
		Arms:     mishap.Arms{From: c.Arms.From, Proxy: c.Arms.Proxy, Key: c.Arms.Key, Share: c.Arms.Share, Seed: uint64(max(c.Arms.Seed, 0))},
		Baseline: c.Baseline, Alpha: c.Alpha, StopAfter: mishap.StopAfter(c.StopAfter),
	}
	for i := range c.Metrics {
		out.Metrics = append(out.Metrics, c.Metrics[i].metric())
	}
	return out
}

// Limits of a comparison.
const (
	shortestBaseline = 5 * time.Second
	longestBaseline  = time.Hour
	largestAlpha     = 0.2
	largestArm       = 0.5 // of the units, each
)

var unitKey = regexp.MustCompile("^(source|(cookie|header):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$")

// checkCompare reports a comparison that cannot show what it claims.
func (c *checker) checkCompare() {
	p := c.root.get("compare")
	if p == nil || p.value.shape != mapping {
		return
	}
	n, form := p.value, c.form.Compare
	c.checkArms(n, form.Arms)
	if b := form.Baseline.Std(); b < shortestBaseline || b > longestBaseline {
		c.complain(n, "baseline", fmt.Sprintf("baseline must be from %s to %s", mishap.Duration(shortestBaseline), mishap.Duration(longestBaseline)), "")
	}
	if form.Alpha <= 0 || form.Alpha > largestAlpha {
		c.complain(n, "alpha", fmt.Sprintf("alpha must be above 0 and at most %v", largestAlpha), "it is the probability that a healthy system is stopped: 0.01 is one run of a hundred")
	}
	c.checkMetrics(n)
	c.checkConfined(n)
	c.checkShared()
}

// checkShared reports expectations that arms of requests cannot show: both arms
// use the same circuit and the same pool.
func (c *checker) checkShared() {
	if c.form.Compare.Arms.From != mishap.ArmsFromRequests {
		return
	}
	for i, item := range c.items("steadyState") {
		if item.shape != mapping || i >= len(c.form.SteadyState) || item.hasBroken() {
			continue
		}
		spec := mishap.ProbeSpec(c.form.SteadyState[i])
		k := slices.IndexFunc(c.options.Probes, func(k mishap.ProbeKind) bool { return k.Name == spec.Probe })
		if k < 0 || c.options.Probes[k].OwnArms == nil {
			continue
		}
		for _, path := range c.options.Probes[k].OwnArms(spec) {
			c.complain(item, path, "arms of requests share processes, so that "+strings.TrimPrefix(path, "expect.")+" is that of both", "remove it, or compare")
		}
	}
}

func (c *checker) checkArms(n *node, arms armsForm) {
	at := n.get("arms")
	if at == nil || at.value.shape != mapping {
		return
	}
	if arms.Seed < 0 {
		c.complain(n, "arms.seed", "seed must not be negative", "")
	}
	switch arms.From {
	case mishap.ArmsFromRequests:
		c.checkRequestArms(n, at.value, arms)
	case mishap.ArmsFromTargets:
		for _, key := range []string{"proxy", "key", "share", "seed"} {
			if at.value.get(key) != nil {
				c.complain(n, "arms."+key, "arms from targets have no "+key, "remove it; pick and seed of the fault's targets say which targets are in the experiment")
			}
		}
	default:
		c.complain(n, "arms.from", fmt.Sprintf("arms cannot come from %q", shorten(string(arms.From))), "use requests or targets")
	}
}

// checkRequestArms reports arms of requests that cannot be.
func (c *checker) checkRequestArms(n, at *node, arms armsForm) {
	for _, key := range []string{"proxy", "key", "share"} {
		if at.get(key) == nil {
			c.complain(n, "arms", "arms from requests need "+key, key+": "+meaningOf[armsForm](key))
		}
	}
	if at.get("proxy") != nil && c.options.CheckProxies && !slices.Contains(c.options.Proxies, arms.Proxy) {
		c.complain(n, "arms.proxy", fmt.Sprintf("the settings have no proxy %q", shorten(arms.Proxy)), mishap.Suggest(arms.Proxy, c.options.Proxies))
	}
	if at.get("key") != nil && !unitKey.MatchString(arms.Key) {
		c.complain(n, "arms.key", fmt.Sprintf("%q is not a key", shorten(arms.Key)), "use cookie:NAME, header:NAME, or source for the client's address")
	}
	if at.get("share") == nil {
		return
	}
	switch limit := c.form.BlastRadius.Share; {
	case arms.Share <= 0 || arms.Share > largestArm:
		c.complain(n, "arms.share", fmt.Sprintf("share %s must be above 0%% and at most 50%%: there are two arms", arms.Share), "")
	case limit > 0 && arms.Share > limit:
		c.complain(n, "arms.share", fmt.Sprintf("the experiment arm has %s of the units, more than blastRadius allows, which is %s", arms.Share, limit), "")
	}
}

// checkCost reports prices that are none.
func (c *checker) checkCost() {
	p, cost := c.root.get("cost"), c.form.Cost
	if p == nil || cost == nil || p.value.shape != mapping {
		return
	}
	for key, price := range map[string]float64{"perRequest": cost.PerRequest, "perMinute": cost.PerMinute} {
		if price < 0 || price > 1e12 {
			c.complain(p.value, key, key+" must not be negative", "")
		}
	}
	if cost.PerRequest == 0 && cost.PerMinute == 0 && !p.value.hasBroken() {
		c.complain(c.root, "cost", "cost has no price", "give perRequest, perMinute, or both")
	}
	c.checkLine(p.value, "currency", cost.Currency)
}

// checkConfined reports faults that would reach control too, or come when the
// comparison may have decided already.
func (c *checker) checkConfined(n *node) {
	if n.hasBroken() {
		return
	}
	if items := c.items("faults"); len(items) > 1 && c.form.Compare.Arms.From == mishap.ArmsFromTargets {
		c.complain(c.root, "faults", "arms from targets are those of one fault", "make an experiment of each")
	}
	for i, item := range c.items("faults") {
		if item.shape != mapping || i >= len(c.form.Faults) {
			continue
		}
		f := c.form.Faults[i]
		k := slices.IndexFunc(c.options.Injectors, func(k mishap.InjectorKind) bool { return k.Name == f.Injector })
		if k >= 0 && !c.confines(c.options.Injectors[k]) {
			c.complain(item, "injector", f.Injector+" cannot be confined to the experiment arm: it would hit control too", "use one of "+strings.Join(c.confined(), ", ")+", or remove compare")
		}
		for _, key := range []string{"after", "ramp"} {
			if item.get(key) != nil {
				c.complain(item, key, key+" and compare do not go together: harm might be ruled out before the fault has come in full", "make an experiment of each step")
			}
		}
		if f.Name == mishap.ArmsFault {
			c.complain(item, "name", fmt.Sprintf("%q names the arms", f.Name), "give the fault another name")
		}
	}
}

// confines reports whether faults of the kind can spare control.
func (c *checker) confines(k mishap.InjectorKind) bool {
	if c.form.Compare.Arms.From == mishap.ArmsFromTargets {
		return k.Samples
	}
	return k.Arms
}

func (c *checker) confined() (names []string) {
	for _, k := range c.options.Injectors {
		if c.confines(k) {
			names = append(names, k.Name)
		}
	}
	return names
}
