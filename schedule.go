package mishap

// Schedule says when an experiment runs by itself: at the times of a cron
// expression, or at times drawn at random about every so many working days.
type Schedule struct {
	Cron     string   `json:"cron,omitempty"`    // five fields, or a descriptor such as @daily; excludes About
	About    *About   `json:"about,omitempty"`   // excludes Cron
	Timezone string   `json:"timezone"`          // IANA name; never the machine's own
	Jitter   Duration `json:"jitter,omitempty"`  // each run starts up to so much later, drawn from the seed
	Missed   Missed   `json:"missed,omitempty"`  // what becomes of runs that were due while nobody served
	Overlap  Overlap  `json:"overlap,omitempty"` // what becomes of a run that is due while the last one goes on
	Seed     uint64   `json:"seed,omitempty"`    // of jitter and draws; 0 means one from the experiment's name
}

// About is a schedule without a pattern that people could get used to: on each
// working day the experiment runs with probability 1/Every, at a random time
// within Hours (the geometric draw of Chaos Monkey).
type About struct {
	Every int    `json:"every"` // working days, Monday to Friday, between two runs on average; at least 1
	Hours string `json:"hours"` // "09:00-15:00"
}

// Missed says what becomes of runs that were due while nobody served.
type Missed string

// The answers to missed runs.
const (
	MissedSkip Missed = "skip" // the next one is the next one due
	MissedLast Missed = "last" // the latest of them is made up for
	MissedAll  Missed = "all"  // all of them are, up to [MostMissed]
)

// MostMissed is how many missed runs are made up for at most.
const MostMissed = 10

// Overlap says what becomes of a run that is due while the last one goes on.
type Overlap string

// The answers to an overlap.
const (
	OverlapSkip Overlap = "skip" // it is recorded as not run
	OverlapWait Overlap = "wait" // it runs when the last one is over
)
