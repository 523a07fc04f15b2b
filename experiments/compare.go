package experiments

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mishap"
)

// Limits of a comparison.
const (
	shortestBaseline = 5 * time.Second
	longestBaseline  = time.Hour
	longestAuto      = 6 * time.Hour
	largestAlpha     = 0.2
	largestArm       = 0.5 // of the units, each
	shortestPatience = 200 * time.Millisecond
	longestPatience  = 2 * time.Minute
)

var unitKey = regexp.MustCompile("^(source|request|connection|(cookie|header):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$")

// checkCompare reports a comparison that cannot show what it claims.
func (c *checker) checkCompare() {
	p := c.root.get("compare")
	if p == nil || p.value.shape != mapping {
		return
	}
	n, form := p.value, c.form.Compare
	c.checkArms(n, form.Arms)
	c.checkCompareTimes(n, form)
	if form.Alpha <= 0 || form.Alpha > largestAlpha {
		c.complain(n, "alpha", fmt.Sprintf("alpha must be above 0 and at most %v", largestAlpha), "it is the probability of a wrong verdict: 0.01 is one run of a hundred")
	}
	c.checkSuccess(n, form.Success)
	c.checkMetrics(n)
	c.checkConfined(n)
	c.checkShared()
	c.warnChanged(n)
}

// checkCompareTimes reports times of a comparison that cannot be, and faults that are over before anything may be cleared.
func (c *checker) checkCompareTimes(n *node, form *compareForm) {
	between := func(key string, d, low, high time.Duration) {
		if d < low || d > high {
			c.complain(n, key, fmt.Sprintf("%s must be from %s to %s", key, mishap.Duration(low), mishap.Duration(high)), "")
		}
	}
	longest := longestBaseline
	if form.Baseline.Auto {
		longest = longestAuto
	}
	between("baseline", form.Baseline.AtMost(), shortestBaseline, longest)
	between("patience", form.Patience.Std(), shortestPatience, longestPatience)
	between("atLeast", form.AtLeast.Std(), time.Second, mostTime)
	for i, item := range c.items("faults") {
		if item.shape != mapping || i >= len(c.form.Faults) || item.get("for") == nil || item.get("for").value.hasBroken() || n.hasBroken() {
			continue
		}
		if f := c.form.Faults[i].For; f < form.AtLeast {
			c.complain(item, "for", fmt.Sprintf("the fault is in force for %s at most, and nothing is cleared before atLeast, which is %s: the run could never hold", f, form.AtLeast),
				fmt.Sprintf("make for longer, or write atLeast: %s under compare", max(f, mishap.Duration(time.Second))))
		} else if why, write := form.compare().Tight(f.Std(), 0); why != "" {
			place := locate(item, "for")
			c.warn(place.line, place.column, why, write)
		}
	}
}

// checkSuccess reports a success that nothing or everything is.
func (c *checker) checkSuccess(n *node, s *successForm) {
	if s == nil || n.get("success").value.hasBroken() {
		return
	}
	if s.Status.IsZero() && s.Not == nil {
		c.complain(n, "success", "success says nothing", "give status, not, or both, such as success: {status: 2xx, not: {bodyContains: error}}")
	}
	if s.Not == nil {
		return
	}
	if s.Not.BodyContains == "" && len(s.Not.JSON) == 0 && len(s.Not.Header) == 0 && len(s.Not.GRPCStatus) == 0 {
		c.complain(n, "success.not", "not says nothing", "give bodyContains, json, header or grpcStatus")
	}
	if len(s.Not.BodyContains) > 1024 {
		c.complain(n, "success.not.bodyContains", "bodyContains must have at most 1024 bytes", "")
	}
	for _, code := range s.Not.GRPCStatus {
		if code < 1 || code > 16 {
			c.complain(n, "success.not.grpcStatus", fmt.Sprintf("%d is no error of gRPC", code), "codes are from 1 to 16")
		}
	}
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
		c.complain(n, "arms.key", fmt.Sprintf("%q is not a key", shorten(arms.Key)), "use cookie:NAME, header:NAME, source for the client's address, or request where there are no users")
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
