package mishap

import (
	"hash/fnv"
	"time"
)

// Schedule says when an experiment runs by itself: at the times of a cron
// expression, or at times drawn at random about every so many working days.
type Schedule struct {
	Cron     string   `json:"cron,omitempty"`  // five fields, or a descriptor such as @daily; excludes About
	About    *About   `json:"about,omitempty"` // excludes Cron
	Timezone string   `json:"timezone"`        // IANA name; never the machine's own
	Jitter   Duration `json:"jitter,omitempty"`
	Missed   Missed   `json:"missed"`
	Overlap  Overlap  `json:"overlap"`
	Seed     int      `json:"seed"` // of jitter and draws, so that any time can be computed again
}

// About is a schedule without a pattern that people could get used to: on each
// working day the experiment runs with probability 1/Every, at a random time
// within Hours (the geometric draw of Netflix's Chaos Monkey).
type About struct {
	Every int    `json:"every"` // working days, Monday to Friday, between two runs on average; at least 1
	Hours string `json:"hours"` // "09:00-15:00"
}

// Missed says what becomes of runs that were due while nobody served.
type Missed string

// The answers to missed runs.
const (
	MissedSkip Missed = "skip" // they are recorded as not run
	MissedLast Missed = "last" // the latest of them is made up for
	MissedAll  Missed = "all"  // all of them are, up to [MostMissed]
)

// MostMissed is how many missed runs of an experiment are made up for, or
// recorded one by one as not run; older ones are only counted.
const MostMissed = 10

// MissedAfter is how late a run may begin before it counts as missed.
const MissedAfter = time.Minute

// Overlap says what becomes of a run that is due while another one is in its
// way: the last one of its experiment or group, or as many as may run at once.
type Overlap string

// The answers to an overlap.
const (
	OverlapSkip Overlap = "skip" // it is recorded as not run
	OverlapWait Overlap = "wait" // it runs when the way is free, at the latest before the next one is due
)

// Tick is one time of a schedule.
type Tick struct {
	At  time.Time `json:"at"`  // the schedule's time: with the experiment's name it identifies the run
	Due time.Time `json:"due"` // At and its jitter
}

// Trigger says why a run began.
type Trigger struct {
	Kind   TriggerKind `json:"kind"`
	By     string      `json:"by,omitempty"`     // who, if a person
	Tick   *Tick       `json:"tick,omitempty"`   // of a schedule
	Source string      `json:"source,omitempty"` // name of the source that a server read the experiment from

	// Incarnation is which database had the ledger; empty if it does not say. After
	// a standby that lacked commits was promoted, it tells two runs of one tick apart.
	Incarnation string `json:"incarnation,omitempty"`

	Override *Override `json:"override,omitempty"` // of what stood against it
}

// Override is a person's word that a run begins in spite of a lock, a limit, a
// freeze, or the window or calendar of the settings.
type Override struct {
	By     string   `json:"by"`
	Reason string   `json:"reason"`
	Of     []string `json:"of,omitempty"` // what said no as the run began
}

// TriggerKind is what began a run.
type TriggerKind string

// The kinds of triggers. A journal without one was begun by hand.
const (
	TriggerHand     TriggerKind = "hand"     // somebody at the command line
	TriggerSchedule TriggerKind = "schedule" // a server, because it was due
	TriggerAPI      TriggerKind = "api"      // a server that was asked to
)

// SeedFor is the seed of what does not say one: it follows from the name, so
// that two machines draw the same.
func SeedFor(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() >> 1)
}
