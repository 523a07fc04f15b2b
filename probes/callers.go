package probes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
)

// CallersQuery says whose callers to look at.
type CallersQuery struct {
	Proxy  string
	ID     string // header:NAME, or empty for what is recognised by itself
	Arm    string // of a comparison made of requests; empty: all calls
	Window time.Duration
}

// CallersSeen is what they did.
type CallersSeen struct {
	All     CallerSeen
	Sources []CallerSeen // one for each address that calls, if there are several
}

// CallerSeen is what some callers did. Kinds are in the words that `expect`
// uses, or "unknown"; Why is then the reason.
type CallerSeen struct {
	Source      string
	Summary     string // attempts and gaps, in words
	Calls       int
	HasIDs      bool // at least some attempts say which request they belong to
	Requests    int  // whose attempts are all known
	MaxAttempts int
	Mean        float64 // attempts per request
	LoadRatio   float64 // without ids: calls per second while they fail, over those while they do not; 0: not known

	Backoff, BackoffWords, BackoffWhy string
	EvenSteps                         bool // the backoff may be linear just as well
	Jitter, JitterWords, JitterWhy    string

	Circuit, CircuitWords string        // "opens", "never" or "unknown"
	Failing               time.Duration // the longest that calls went on while they failed
	Opened, Open          time.Duration // after the first failure; for how long, in all
	Trials                int           // times that it was tried again in vain
	TrialRate             float64       // calls per second while open

	TimeoutWords string
	Timeout      time.Duration // after which callers give up waiting, the longest; 0: not seen
	LongestWait  time.Duration // of any caller
}

type callersParams struct {
	Proxy  string          `json:"proxy" jsonschema:"proxy of the settings in front of the dependency"`
	ID     string          `json:"id,omitempty" jsonschema:"header that all attempts of one request have in common, as header:NAME; default is Amz-Sdk-Invocation-Id, Idempotency-Key, or else traceparent with method and path"`
	Window mishap.Duration `json:"window,omitempty" jsonschema:"how far back to look, from 1s to 10m; default 60s"`
	Arm    string          `json:"arm,omitempty" jsonschema:"look at the requests of one arm only: control or experiment"`
}

type callersExpect struct {
	Attempts      *comparedNumber `json:"attempts,omitempty" jsonschema:"comparison with the most attempts that a request took, such as \"<= 3\""`
	Amplification *comparedNumber `json:"amplification,omitempty" jsonschema:"comparison with the attempts per request on average, such as \"<= 2\""`
	Backoff       string          `json:"backoff,omitempty" jsonschema:"how gaps between attempts go on: immediate, constant, linear or exponential"`
	Jitter        string          `json:"jitter,omitempty" jsonschema:"whether gaps are drawn: present or absent"`
	Opens         *comparedTime   `json:"opens,omitempty" jsonschema:"comparison with the time from the first failure until callers stop calling, such as \"<= 10s\""`
	HalfOpen      *comparedRate   `json:"halfOpen,omitempty" jsonschema:"comparison with the calls per second while they have stopped, such as \"<= 1/s\""`
	Timeout       *comparedTime   `json:"timeout,omitempty" jsonschema:"comparison with how long callers wait for an answer, such as \"<= 2s\""`
}

const callersDoc = "Judges what the callers of a dependency do, from the attempts that a proxy of mishap in front of it sees; " +
	"nothing about them is changed. The proxy records attempts from the first observation on. `protocol: http` shows all of " +
	"it, `tcp` only the making of connections.\n\n" +
	"`attempts` and `amplification` need 20 requests; `backoff` and `jitter` need 40 requests of 4 attempts or more, all with " +
	"an id; with less they are unknown, and the reason is said, so give `unknown` an allowance and ask `when: [during]`. " +
	"Attempts are matched by a header (`id`). Without any, only totals are judged: `amplification` then compares calls per " +
	"second while they fail with those while they do not, in the same window. Calls of one trace to one method and path " +
	"count as attempts of one request until one of them succeeds. Jitter below about ±15 % is not told from none, nor any " +
	"below 2 ms. Callers at different addresses are judged one by one where enough was seen of each. Those that share one are told " +
	"apart if each request keeps to a policy of its own: that is a mixture, which is none of `backoff`, and its jitter is unknown.\n\n" +
	"`opens` and `halfOpen` look at silences: calls that stop after failures and come back. They need 20 calls before, and " +
	"a window that holds the first trial too: a silence that goes on may be the end of all traffic, and is unknown. `timeout` is when callers leave without an answer; of HTTP/1 a wait below 40 ms counts as up to that. A " +
	"fallback is not seen here: the proxy knows that nobody calls, and not what users get meanwhile. With arms that are made " +
	"of requests `opens` and `halfOpen` are refused, because the arms share the circuit."

const callersExample = `probe: callers
with: {proxy: payments, window: 60s}
expect: {attempts: "<= 3", amplification: "<= 2", backoff: exponential, jitter: present, timeout: "<= 2s"}
every: 5s
unknown: 10 of 20
when: [during]
`

func callersKind(d Deps) mishap.ProbeKind {
	return mishap.ProbeKind{
		Kind: mishap.Kind{
			Name:    "callers",
			Summary: "the callers of a dependency retry, back off and stop as expected",
			Doc:     callersDoc,
			Params:  callersParams{},
			Example: callersExample,
		},
		Expect:  callersExpect{},
		New:     func(spec mishap.ProbeSpec) (mishap.Probe, error) { return newCallers(d, spec) },
		OwnArms: callersOwnArms,
		Uses: func(spec mishap.ProbeSpec) (mishap.Uses, error) { // the proxy is one of the settings
			params, expect, bad := readCallers(spec)
			return mishap.UsesOf(params, expect), bad.err()
		},
	}
}

// callersOwnArms names the expectations about a circuit, which all requests of
// a process share.
func callersOwnArms(spec mishap.ProbeSpec) (paths []string) {
	var expect callersExpect
	if mishap.Decode("expect", spec.Expect, &expect) != nil {
		return nil // New says so
	}
	if expect.Opens != nil {
		paths = append(paths, "expect.opens")
	}
	if expect.HalfOpen != nil {
		paths = append(paths, "expect.halfOpen")
	}
	return paths
}

// callersProbe is the callers probe with its expectations read.
type callersProbe struct {
	deps            Deps
	query           CallersQuery
	attempts        *Comparison
	amplification   *Comparison
	backoff, jitter string
	opens           *Comparison
	halfOpen        *Comparison
	timeout         *Comparison
}

func readCallers(spec mishap.ProbeSpec) (params callersParams, expect callersExpect, bad misread) {
	params.Window = mishap.Duration(time.Minute)
	bad = decode(spec, &params, &expect)
	return params, expect, bad
}

func newCallers(d Deps, spec mishap.ProbeSpec) (mishap.Probe, error) {
	params, expect, bad := readCallers(spec)
	if bad.with == nil {
		bad.with = params.check()
	}
	c := &callersProbe{deps: d, query: CallersQuery{params.Proxy, params.ID, params.Arm, params.Window.Std()}}
	if bad.expect == nil {
		bad.expect = c.read(expect)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return &probe{deps: d, timeout: spec.Timeout.Std(), late: "the proxy did not answer", source: true, measure: c.measure}, nil
}

func (p callersParams) check() error {
	var problems []error
	wrong := func(bad bool, path, hint, format string, args ...any) {
		if bad {
			problems = append(problems, &mishap.FieldError{Path: path, Msg: fmt.Sprintf(format, args...), Hint: hint})
		}
	}
	wrong(p.Proxy == "", "with.proxy", "name one of the settings", "a proxy is missing")
	name, isHeader := strings.CutPrefix(p.ID, "header:")
	wrong(p.ID != "" && (!isHeader || name == "" || strings.ContainsFunc(name, notInToken)), "with.id",
		"write it like header:X-Request-Id", "%q is not a header", p.ID)
	wrong(p.Window.Std() < time.Second || p.Window.Std() > 10*time.Minute, "with.window", "write it like 60s",
		"%s must be from 1s to 10m", p.Window)
	wrong(!slices.Contains([]string{"", "control", "experiment"}, p.Arm), "with.arm", "", "%q must be control or experiment", p.Arm)
	return errors.Join(problems...)
}

// read reads the expectations.
func (c *callersProbe) read(e callersExpect) error {
	var problems []error
	note := func(err error) { problems = append(problems, err) }
	if e == (callersExpect{}) {
		note(&mishap.FieldError{Path: "expect", Msg: "nothing is expected of the callers", Hint: `write it like expect: {attempts: "<= 3"}`})
	}
	read := func(limit *Comparison, err error) *Comparison {
		note(err)
		return limit
	}
	c.attempts = read(expectComparison("expect.attempts", e.Attempts, Plain))
	c.amplification = read(expectComparison("expect.amplification", e.Amplification, Plain))
	c.opens = read(expectComparison("expect.opens", e.Opens, Time))
	c.timeout = read(expectComparison("expect.timeout", e.Timeout, Time))
	c.halfOpen = read(expectRate("expect.halfOpen", e.HalfOpen))
	c.backoff, c.jitter = e.Backoff, e.Jitter
	for _, word := range []struct{ path, is, known string }{
		{"expect.backoff", e.Backoff, "immediate constant linear exponential"},
		{"expect.jitter", e.Jitter, "present absent"},
	} {
		if known := strings.Fields(word.known); word.is != "" && !slices.Contains(known, word.is) {
			note(&mishap.FieldError{Path: word.path, Msg: fmt.Sprintf("%q is not known", word.is), Hint: "known: " + strings.Join(known, ", ")})
		}
	}
	return errors.Join(problems...)
}

// expectRate reads a comparison with a rate, "<= 1/s" or "<= 30/m".
func expectRate(path string, text *comparedRate) (*Comparison, error) {
	if text == nil {
		return nil, nil
	}
	number, perMinute := strings.CutSuffix(strings.TrimSpace(string(*text)), "/m")
	number, perSecond := strings.CutSuffix(number, "/s")
	limit, err := expectComparison(path, &number, Plain)
	if err != nil || perMinute == perSecond {
		return nil, &mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q is not a comparison with a rate", *text), Hint: `write it like "<= 1/s" or "<= 30/m"`}
	}
	if perMinute {
		limit.Limit = limit.Limit.Per(60)
	}
	limit.text = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(string(*text)), "<>=!"))
	return limit, nil
}
