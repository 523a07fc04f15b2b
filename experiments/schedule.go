package experiments

import (
	"fmt"
	"strings"
	"time"

	"mishap"
)

type scheduleForm struct {
	Cron     string          `json:"cron,omitempty" jsonschema:"minute hour day-of-month month day-of-week as in cron(8), where days must fit both fields if one of them begins with *; or @hourly, @daily, @weekly, @monthly, @yearly"`
	About    *aboutForm      `json:"about,omitempty" jsonschema:"instead of cron: at random times, about every so many working days"`
	Timezone string          `json:"timezone,omitempty" jsonschema:"IANA name of the time zone, default UTC"`
	Jitter   mishap.Duration `json:"jitter,omitempty" jsonschema:"each run begins up to so much later, drawn from the seed; default 0s"`
	Missed   mishap.Missed   `json:"missed,omitempty" jsonschema:"what becomes of runs that were due while nobody served: skip (the default), last, or all up to ten"`
	Overlap  mishap.Overlap  `json:"overlap,omitempty" jsonschema:"what becomes of a run that is due while others are in its way: wait until the next one is due (the default), or skip"`
	Seed     int             `json:"seed,omitempty" jsonschema:"of jitter and draws; default: one that follows from the name"`
}

type aboutForm struct {
	Every int    `json:"every" jsonschema:"working days, Monday to Friday, between two runs on average"`
	Hours string `json:"hours" jsonschema:"from-to on the 24-hour clock, such as 09:00-15:00"`
}

type impactForm struct {
	What  string      `json:"what" jsonschema:"the harm in one sentence"`
	Until mishap.Date `json:"until,omitempty" jsonschema:"the last day on which it holds, such as 2027-01-31; default: until it is removed"`
}

func (s *scheduleForm) setDefaults() {
	s.Timezone = "UTC"
	s.Missed = mishap.MissedSkip
	s.Overlap = mishap.OverlapWait
}

func (s *scheduleForm) schedule(experiment string) *mishap.Schedule {
	out := &mishap.Schedule{Cron: strings.TrimSpace(s.Cron), Timezone: s.Timezone, Jitter: s.Jitter, Missed: s.Missed, Overlap: s.Overlap, Seed: s.Seed}
	if s.About != nil {
		out.About = &mishap.About{Every: s.About.Every, Hours: s.About.Hours}
	}
	if out.Seed == 0 {
		out.Seed = mishap.SeedFor(experiment)
	}
	return out
}

const longestJitter = 24 * time.Hour

// checkSchedule reports what the file alone shows, and then asks the scheduler,
// which knows times.
func (c *checker) checkSchedule() {
	for i, n := range c.listed("impacts") {
		if n.shape == mapping {
			c.checkLine(n, "what", c.form.Impacts[i].What)
		}
	}
	p := c.root.get("schedule")
	if p == nil || p.value.shape != mapping {
		return
	}
	s, n := c.form.Schedule, p.value
	if s.Seed < 0 {
		c.complain(n, "seed", "seed must not be negative", "")
	}
	if s.Jitter.Std() > longestJitter {
		c.complain(n, "jitter", "jitter is longer than a day", "")
	}
	missed := []string{string(mishap.MissedSkip), string(mishap.MissedLast), string(mishap.MissedAll)}
	c.checkWord(n, "missed", string(s.Missed), missed)
	c.checkWord(n, "overlap", string(s.Overlap), []string{string(mishap.OverlapSkip), string(mishap.OverlapWait)})
	if c.options.Schedule != nil && !n.hasBroken() {
		c.complainErr(n, c.options.Schedule(c.form.experiment()))
	}
}

// listed returns the nodes of a list that was read; nil if it was not.
func (c *checker) listed(key string) []*node {
	items := c.items(key)
	if len(items) > mostItems {
		c.complain(c.root, key, fmt.Sprintf("%s has %d items; more than %d are not read", key, len(items), mostItems), "")
		return nil
	}
	return items
}

func (c *checker) checkWord(n *node, key, word string, known []string) {
	for _, k := range known {
		if word == k {
			return
		}
	}
	c.complain(n, key, fmt.Sprintf("%q is not an answer for %s", shorten(word), key), mishap.Suggest(word, known))
}
