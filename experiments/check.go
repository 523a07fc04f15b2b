package experiments

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mishap"
)

// Limits of one experiment.
const (
	mostItems     = 100                   // probes, faults or safeguards
	mostTime      = 30 * 24 * time.Hour   // any length of time, and the faults in a row
	shortestEvery = 10 * time.Millisecond // between two observations
	mostName      = 200                   // characters of a name for people
)

var experimentName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// checker looks at what one file says; forms and nodes belong together.
type checker struct {
	*file
	root    *node
	form    *experimentForm
	options *Options
}

// check reports what is wrong with the meaning of the file.
func (c *checker) check() {
	e := c.form
	c.checkName()
	if strings.TrimSpace(e.Claim) == "" && c.root.get("claim") != nil {
		c.complain(c.root, "claim", "claim is empty", "write the sentence that the experiment tests")
	}
	for _, key := range []string{"owner", "group"} {
		if p := c.root.get(key); p != nil {
			c.checkLine(c.root, key, p.value.value)
		}
	}
	c.checkCount("steadyState", "a probe", len(e.SteadyState), 1)
	c.checkCount("faults", "a fault", len(e.Faults), 1)
	c.checkCount("safeguards", "", len(e.Safeguards), 0)
	if len(c.problems) > mostProblems {
		return
	}
	c.checkProbes()
	c.checkFaults()
	c.checkCompare()
	c.checkCost()
	c.checkSafeguards()
	c.checkLimits()
	c.checkSchedule()
	if c.form.Compare != nil && c.options.Compare != nil && len(c.problems) == 0 {
		c.complainErr(c.root, c.options.Compare(c.form.experiment()))
	}
}

func (c *checker) checkName() {
	if c.root.get("name") != nil && !experimentName.MatchString(c.form.Name) {
		c.complain(c.root, "name", fmt.Sprintf("%q is not a name for an experiment", shorten(c.form.Name)),
			"use 1 to 64 lowercase letters, digits and dashes, and begin with a letter or digit")
	}
}

// checkCount reports a list with too few or too many items.
func (c *checker) checkCount(key, item string, n, least int) {
	p := c.root.get(key)
	if p == nil {
		return
	}
	if n < least && p.value.shape == list {
		c.complain(c.root, key, fmt.Sprintf("%s is empty; an experiment needs %s", key, item), "")
	}
	if n > mostItems {
		c.complain(c.root, key, fmt.Sprintf("%s has %d items; more than %d are not read", key, n, mostItems), "make several experiments of it")
		p.value.shape = broken
	}
}

// checkLine reports a name for people that is not one line.
func (c *checker) checkLine(n *node, key, value string) {
	switch {
	case n.get(key) == nil:
	case strings.TrimSpace(value) == "":
		c.complain(n, key, key+" is empty", "")
	case strings.ContainsAny(value, "\r\n\t\x1b") || len([]rune(value)) > mostName:
		c.complain(n, key, fmt.Sprintf("%s must be one line of at most %d characters", key, mostName), "")
	}
}

// items returns the nodes of a list; nil if it was reported as a whole.
func (c *checker) items(key string) []*node {
	if p := c.root.get(key); p != nil && p.value.shape == list {
		return p.value.items
	}
	return nil
}

// unique reports names that an item before has.
func (c *checker) unique(items []*node, what string) {
	first := map[string]int{}
	for _, n := range items {
		p := n.get("name")
		if p == nil || p.value.shape != text {
			continue
		}
		c.checkLine(n, "name", p.value.value)
		if line, twice := first[p.value.value]; twice {
			c.complain(n, "name", fmt.Sprintf("there are two %s named %q; the first is in line %d", what, shorten(p.value.value), line), "give each a name of its own")
			continue
		}
		first[p.value.value] = p.value.line
	}
}

func (c *checker) checkProbes() {
	items := c.items("steadyState")
	c.unique(items, "probes")
	bracketed, whole := false, len(items) > 0
	for i, n := range items {
		spec := mishap.ProbeSpec(c.form.SteadyState[i])
		whole = whole && n.shape == mapping && (n.get("when") == nil || !n.get("when").value.hasBroken()) && realPhases(spec.When)
		c.checkProbe(n, spec)
		bracketed = bracketed || spec.In(mishap.Before) && spec.In(mishap.After)
	}
	if whole && !bracketed {
		c.complain(c.root, "steadyState", "no probe is asked both before and after, so nothing can show that the system came back",
			"leave `when` out of a probe, or let it hold before and after")
	}
}

// realPhases reports whether when is a list of phases.
func realPhases(when []mishap.Phase) bool {
	for _, p := range when {
		if !slices.Contains(phases(), p) {
			return false
		}
	}
	return len(when) > 0
}

func (c *checker) checkProbe(n *node, spec mishap.ProbeSpec) {
	if n.shape != mapping {
		return
	}
	if spec.Every.Std() < shortestEvery {
		c.complain(n, "every", fmt.Sprintf("every must be at least %s", shortestEvery), "")
	}
	c.checkTime(n, "every", spec.Every)
	if spec.Timeout == 0 {
		c.complain(n, "timeout", "timeout must be longer than 0s", "")
	}
	c.checkTime(n, "timeout", spec.Timeout)
	if d := spec.OnDeviation; d != mishap.StopOnDeviation && d != mishap.NoteDeviation {
		c.complain(n, "onDeviation", fmt.Sprintf("%q is not an answer to a deviation", shorten(string(d))), mishap.Suggest(string(d), []string{"stop", "note"}))
	}
	if len(spec.When) == 0 {
		c.complain(n, "when", "when is empty; the probe would never be asked", "leave it out for all three phases")
	}
	for i, phase := range spec.When {
		path := fmt.Sprintf("when[%d]", i)
		if !slices.Contains(phases(), phase) {
			c.complain(n, path, fmt.Sprintf("%q is not a phase", shorten(string(phase))), mishap.Suggest(string(phase), []string{"before", "during", "after"}))
		} else if slices.Contains(spec.When[:i], phase) {
			c.complain(n, path, fmt.Sprintf("phase %q is here twice", phase), "remove one")
		}
	}
	known := make([]string, len(c.options.Probes))
	for i, kind := range c.options.Probes {
		known[i] = kind.Name
	}
	if i := c.kind(n, "probe", spec.Probe, known); i >= 0 {
		_, err := c.options.Probes[i].New(spec)
		c.complainErr(n, err)
	}
}

// kind returns the index of the catalog's entry that item n names, -1 if it
// cannot be asked about the item.
func (c *checker) kind(n *node, catalog, name string, known []string) int {
	i := slices.Index(known, name)
	if i < 0 && n.get(catalog) != nil {
		c.complain(n, catalog, fmt.Sprintf("unknown %s %q", catalog, shorten(name)), mishap.Suggest(shorten(name), known))
	}
	for _, key := range []string{"with", "expect", "targets"} {
		if p := n.get(key); p != nil && p.value.hasBroken() {
			return -1
		}
	}
	return i
}

func (c *checker) checkSafeguards() {
	known := make([]string, len(c.options.Safeguards))
	for i, kind := range c.options.Safeguards {
		known[i] = kind.Name
	}
	for i, n := range c.items("safeguards") {
		if n.shape != mapping {
			continue
		}
		spec := c.form.Safeguards[i]
		if k := c.kind(n, "safeguard", spec.Safeguard, known); k >= 0 {
			_, err := c.options.Safeguards[k].New(spec.With)
			c.complainErr(n, err)
		}
	}
}

func (c *checker) checkLimits() {
	if p := c.root.get("blastRadius"); p != nil && p.value.shape == mapping {
		if p.value.get("targets") != nil && c.form.BlastRadius.Targets < 1 {
			c.complain(p.value, "targets", "targets must be at least 1", "it is the most that a run may touch")
		}
		if p.value.get("share") != nil && c.form.BlastRadius.Share == 0 {
			c.complain(p.value, "share", "a share of 0% would allow nothing", "leave it out if only the number of targets is limited")
		}
	}
	c.checkBackoff("recovery", mishap.Recovery(c.form.Recovery))
	if r := c.form.Ready; r != nil {
		c.checkBackoff("ready", mishap.Recovery(*r))
		if p := c.root.get("ready"); r.Within.Std() > longestWait && p.value.shape == mapping {
			c.complain(p.value, "within", fmt.Sprintf("within is longer than %s", mishap.Duration(longestWait)), "a run that waits keeps others of its group from beginning")
		}
	}
}

// longestWait is how long a run may wait for its steady state.
const longestWait = time.Hour

// checkBackoff checks how something is asked for again and again.
func (c *checker) checkBackoff(key string, r mishap.Recovery) {
	p := c.root.get(key)
	if p == nil || p.value.shape != mapping {
		return
	}
	for _, t := range []struct {
		key  string
		time mishap.Duration
	}{{"within", r.Within}, {"first", r.First}, {"cap", r.Cap}} {
		if t.time == 0 {
			c.complain(p.value, t.key, t.key+" must be longer than 0s", "")
		}
		c.checkTime(p.value, t.key, t.time)
	}
	if r.Factor < 1 || r.Factor > 1000 {
		c.complain(p.value, "factor", "factor must be at least 1 and at most 1000", "1 keeps the waits the same")
	}
	if r.Cap < r.First && !p.value.hasBroken() {
		c.complain(p.value, "cap", fmt.Sprintf("cap %s is shorter than first %s", r.Cap, r.First), "it is the longest wait")
	}
}

// checkTime reports a length of time that nobody can mean.
func (c *checker) checkTime(n *node, key string, d mishap.Duration) {
	if d.Std() > mostTime {
		c.complain(n, key, fmt.Sprintf("%s is longer than 30 days", key), "")
	}
}
