package api

import (
	"time"

	"mishap"
	"mishap/internal/report"
)

// Who is who asks, and what they may.
type Who struct {
	Name string `json:"name" doc:"as the audit has it"`
	Role string `json:"role" doc:"viewer, operator, approver or admin; each may do what those before may"`

	Pages string `json:"pages,omitempty" doc:"address of the server's pages; absent if its settings do not say it"`
}

// Now is what goes on at a moment.
type Now struct {
	At     time.Time `json:"at" doc:"by the server's clock"`
	Events int64     `json:"events" doc:"how many there were: while it stays, nothing happened in this server"`
	Going  []Going   `json:"going" doc:"runs that are not over, oldest first"`
}

// Going is a run that is not over, as it stands.
type Going struct {
	RunView
	Claim string     `json:"claim"`
	Owner string     `json:"owner,omitempty"`
	Since time.Time  `json:"since" doc:"when it came to where it stands"`
	Until *time.Time `json:"until,omitempty" doc:"when it goes on from there: of a baseline at the soonest, else at the latest; absent if nobody knows"`
	Next  string     `json:"next" doc:"what comes then"`

	Faults   []GoingFault          `json:"faults"`
	Probes   []report.SummaryProbe `json:"probes"`
	Arms     []GoingArm            `json:"arms,omitempty" doc:"control, experiment; absent without arms, or while nobody has looked at them"`
	Compared *mishap.Intervals     `json:"compared,omitempty" doc:"the intervals that decide, and their margins"`
}

// GoingFault is one injection of a run that is not over.
type GoingFault struct {
	Fault    string                `json:"fault"`
	Injector string                `json:"injector"`
	Target   mishap.Target         `json:"target"`
	State    mishap.InjectionState `json:"state"`
	Detail   string                `json:"detail,omitempty"`
	Since    *time.Time            `json:"since,omitempty" doc:"when it was injected"`
	Until    *time.Time            `json:"until,omitempty" doc:"when it is reverted at the latest"`
	Ends     string                `json:"ends" doc:"what ends it if the server is lost"`
	Affected string                `json:"affected,omitempty" doc:"what of the traffic met it"`
}

// GoingArm is what one arm did since the fault was injected, or since the baseline
// began.
type GoingArm struct {
	Name      string  `json:"name"`
	Requests  int64   `json:"requests"`
	Succeeded string  `json:"succeeded" doc:"how many, and which share"`
	Rate      float64 `json:"rate" doc:"requests per second lately"`
}

// Overview is a page of the experiments in force.
type Overview struct {
	Rows  []OverviewRow `json:"rows" doc:"by name"`
	Of    int           `json:"of" doc:"how many fit what was asked for"`
	After string        `json:"after,omitempty" doc:"what asks for the next page; absent on the last"`
}

// OverviewRow is an experiment in force with all that decides whether it runs.
type OverviewRow struct {
	Name    string            `json:"name"`
	Claim   string            `json:"claim"`
	Owner   string            `json:"owner,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	From    string            `json:"from" doc:"name of its source"`
	Runs    []RunView         `json:"runs" doc:"the latest, newest first, at most 20"`
	Rhythm  string            `json:"rhythm,omitempty" doc:"its schedule in words; absent if it has none"`
	Next    *Upcoming         `json:"next,omitempty"`
	Stands  string            `json:"stands,omitempty" doc:"why it would not run now, whatever the time"`
	Waiting *mishap.Waiting   `json:"waiting,omitempty"`
	Locked  bool              `json:"locked,omitempty" doc:"whether it deviated and was not unlocked"`
	Known   *mishap.Impact    `json:"known,omitempty" doc:"a harm that its owner knows it does"`
}

// Calendar is what ran and what is due in a stretch of time.
type Calendar struct {
	From  time.Time      `json:"from"`
	To    time.Time      `json:"to"`
	Items []CalendarItem `json:"items" doc:"by time"`

	Closed  []CalendarSpan `json:"closed" doc:"when nothing starts, by time: the window and the calendar of the settings, halts, and what freezes everything now"`
	Unknown []string       `json:"unknown,omitempty" doc:"what could not be told of when nothing starts"`

	More bool `json:"more,omitempty" doc:"whether there are more, which are not listed"`

	CutBefore time.Time `json:"cutBefore,omitzero" doc:"of what ran before it there is more, which is not listed"`
	CutAfter  time.Time `json:"cutAfter,omitzero" doc:"of what is due after it there is more, which is not listed"`
}

// CalendarItem is a run, or a time of a schedule that has not come.
type CalendarItem struct {
	At         time.Time `json:"at"`
	Experiment string    `json:"experiment"`
	Run        *RunView  `json:"run,omitempty"`
	Reason     string    `json:"reason,omitempty" doc:"why it would not run then: a window, a blackout, a known impact"`
}

// CalendarSpan is a stretch of time in which nothing starts.
type CalendarSpan struct {
	Kind   string    `json:"kind" enum:"window,calendar,halt,freeze"`
	From   time.Time `json:"from" doc:"of what freezes everything now, when it was asked"`
	To     time.Time `json:"to,omitzero" doc:"absent: it goes on"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty" doc:"of a halt, who"`
}

// Coverage is what was tried on what, and what came out.
type Coverage struct {
	Kinds []string      `json:"kinds" doc:"what faults look like to whoever depends on their targets"`
	Rows  []CoverageRow `json:"rows" doc:"by thing"`
	Of    int           `json:"of" doc:"how many rows fit what was asked for"`
	Tried int           `json:"tried" doc:"how many of their cells have an experiment"`
	After string        `json:"after,omitempty" doc:"what asks for the next page; absent on the last"`
}

// CoverageRow is a service or a dependency: a proxy of the settings, what the faults of
// experiments are aimed at, or what a tag of theirs names.
type CoverageRow struct {
	Thing string         `json:"thing"`
	Cells []CoverageCell `json:"cells" doc:"by kind of fault, as kinds are; without experiments, nobody declared one"`
}

// CoverageCell is one kind of fault on one thing.
type CoverageCell struct {
	Experiments []string `json:"experiments"`
	Last        *RunView `json:"last,omitempty" doc:"of the latest run of each of them that is over, and was neither refused nor stopped from elsewhere before it showed anything, the latest that deviated, or else the latest"`
	Harm        string   `json:"harm,omitempty" doc:"the smallest harm that it can tell from none"`
}

// FileView is an experiment's file as its commit has it.
type FileView struct {
	Experiment string        `json:"experiment"`
	Source     mishap.Source `json:"source"`
	Text       string        `json:"text,omitempty"`
	Missing    string        `json:"missing,omitempty" doc:"why there is no text: it is not from git, or no source keeps its commit any more"`
}

// ProxyView is a proxy of the settings, and how it is.
type ProxyView struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Protocol string `json:"protocol"`
	Problem  string `json:"problem,omitempty" doc:"why nothing is known of it"`
	Open     int    `json:"open" doc:"connections now"`
	Total    uint64 `json:"total" doc:"connections since the start"`
	Requests uint64 `json:"requests,omitempty" doc:"of http, answered since the start"`
	Faults   int    `json:"faults" doc:"in force"`
	Run      string `json:"run,omitempty" doc:"that it belongs to"`
	Trouble  string `json:"trouble,omitempty" doc:"what last went wrong with the network"`
}

// ObserveRequest asks for the live traffic of a proxy to be watched.
type ObserveRequest struct {
	Seconds int    `json:"seconds" minimum:"1" maximum:"60"`
	ID      string `json:"id,omitempty" maxLength:"200" doc:"what tells which attempts are of one request, such as header:X-Request-Id; default traceparent"`
}
