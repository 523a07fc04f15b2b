package experiments

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
)

func (c *checker) checkFaults() {
	items := c.items("faults")
	c.unique(items, "faults")
	known := make([]string, len(c.options.Injectors))
	for i, kind := range c.options.Injectors {
		known[i] = kind.Name
	}
	for i, n := range items {
		if n.shape != mapping {
			continue
		}
		fault := c.form.Faults[i].fault()
		if longest := c.options.LongestRun; longest <= 0 || fault.For.Std() <= longest {
			c.checkTime(n, "for", fault.For)
		} else {
			c.complain(n, "for", fmt.Sprintf("%s is longer than the settings allow, which is %s", fault.For, mishap.Duration(longest)), "")
		}
		c.checkProxy(n)
		if k := c.kind(n, "injector", fault.Injector, known); k >= 0 {
			kind := c.options.Injectors[k]
			_, err := kind.New(fault)
			c.complainErr(n, err)
			c.checkRamp(n, kind, c.form.Faults[i])
		}
	}
	if c.checkOrder(items) {
		c.checkLongest()
	}
}

// checkRamp reports a ramp that cannot be: of an injector that cannot change, of
// a parameter that is set twice, or with values that the injector refuses.
func (c *checker) checkRamp(n *node, kind mishap.InjectorKind, f faultForm) {
	if f.Ramp == nil || n.get("ramp").value.hasBroken() {
		return
	}
	ramp := mishap.Ramp(*f.Ramp)
	var ramps []string
	for _, k := range c.options.Injectors {
		if k.Ramps {
			ramps = append(ramps, k.Name)
		}
	}
	with := n.get("with")
	switch {
	case !kind.Ramps:
		c.complain(n, "ramp", fmt.Sprintf("a fault of injector %s cannot change while it is in force", kind.Name), "ramps are for "+strings.Join(ramps, ", "))
		return
	case len(ramp.Values) < 2:
		c.complain(n, "ramp.values", "a ramp needs at least two values", "a fault with one value needs no ramp")
		return
	case ramp.Every.Std() < time.Second:
		c.complain(n, "ramp.every", "every must be at least 1s", "")
		return
	case with != nil && with.value.get(ramp.Parameter) != nil:
		c.complain(n, "with."+ramp.Parameter, fmt.Sprintf("%s is given here and in ramp", ramp.Parameter), "remove it here; the first value of the ramp is what the fault is injected with")
		return
	case ramp.Every.Std()*time.Duration(len(ramp.Values)-1) >= f.For.Std():
		c.complain(n, "ramp.every", fmt.Sprintf("the last of %d steps would come when the fault is over, after %s", len(ramp.Values), f.For), "make every shorter, or for longer")
	}
	for i := range ramp.Values {
		fault := f.fault()
		fault.With, _ = ramp.With(f.With, i)
		if _, err := kind.New(fault); err != nil && i > 0 { // the first was checked with the fault
			c.complain(n, fmt.Sprintf("ramp.values[%d]", i), flatten(err)[0].Error(), "")
		}
	}
}

// checkProxy reports a proxy that the settings do not have.
func (c *checker) checkProxy(n *node) {
	targets := n.get("targets")
	if !c.options.CheckProxies || targets == nil {
		return
	}
	proxy := targets.value.get("proxy")
	if proxy == nil || proxy.value.shape != text || slices.Contains(c.options.Proxies, proxy.value.value) {
		return
	}
	hint := mishap.Suggest(proxy.value.value, c.options.Proxies)
	if len(c.options.Proxies) == 0 {
		hint = "the settings have no proxies; list it there under proxies"
	}
	c.complain(n, "targets.proxy", fmt.Sprintf("the settings have no proxy %q", shorten(proxy.value.value)), hint)
}

// checkOrder reports faults that wait for none or for each other, and whether
// every fault has a beginning.
func (c *checker) checkOrder(items []*node) bool {
	index, names := map[string]int{}, []string{}
	for i, f := range c.form.Faults {
		if _, twice := index[f.Name]; !twice && f.Name != "" {
			index[f.Name] = i
			names = append(names, f.Name)
		}
	}
	ok := len(items) == len(c.form.Faults)
	for i, n := range items {
		after := c.form.Faults[i].After
		if after == nil {
			continue
		}
		c.checkTime(n, "after.wait", after.Wait)
		if _, exists := index[after.Fault]; !exists {
			ok = false
			if n.get("after").value.get("fault") != nil {
				c.complain(n, "after.fault", fmt.Sprintf("there is no fault %q to wait for", shorten(after.Fault)), mishap.Suggest(shorten(after.Fault), names))
			}
		}
	}
	for i, n := range items {
		if circle := c.circle(i, index); circle != nil {
			ok = false
			if slices.Min(circle) == i { // once for each circle
				c.complain(n, "after.fault", "faults wait for each other in a circle: "+c.names(append(circle, i)), "let one of them begin without waiting")
			}
		}
	}
	return ok
}

// circle returns the faults that fault i waits for, if they lead back to it.
func (c *checker) circle(i int, index map[string]int) []int {
	var way []int
	for at := i; len(way) <= len(c.form.Faults); {
		way = append(way, at)
		after := c.form.Faults[at].After
		if after == nil {
			return nil
		}
		next, ok := index[after.Fault]
		if !ok {
			return nil
		}
		if next == i {
			return way
		}
		at = next
	}
	return nil // it leads into a circle without being part of it
}

func (c *checker) names(faults []int) string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = shorten(c.form.Faults[f].Name)
	}
	return strings.Join(names, " → ")
}

// checkLongest reports faults that together last longer than allowed. At most
// a hundred faults of at most thirty days each cannot overflow.
func (c *checker) checkLongest() {
	for i := range c.form.Faults {
		f := &c.form.Faults[i]
		if f.For.Std() > mostTime || f.After != nil && f.After.Wait.Std() > mostTime {
			return
		}
	}
	e := c.form.experiment()
	longest, limit, who := e.Longest(), c.options.LongestRun, "the settings allow"
	if limit <= 0 || limit > mostTime {
		limit, who = mostTime, "an experiment can"
	}
	single := slices.ContainsFunc(e.Faults, func(f mishap.Fault) bool { return f.For.Std() > limit })
	if longest > limit && !single {
		c.complain(c.root, "faults", fmt.Sprintf("the faults last %s together, longer than %s, which is %s", mishap.Duration(longest), who, mishap.Duration(limit)),
			"shorten `for` or `wait`")
	}
}
