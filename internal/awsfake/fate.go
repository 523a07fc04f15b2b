package awsfake

import (
	"net/http"
	"slices"
	"time"

	"mishap/internal/awsfake/policy"
)

// Call is one that was made.
type Call struct {
	At              time.Time
	Account, Region string
	Principal       string // its ARN
	Action          string // as policies name it: "ec2:StopInstances"
	Needs           []Need // what it had to be allowed; nothing, if nobody needs a permission for it
	In              Doc    // what it said
	DryRun          bool
	Done            bool   // it was done before it was answered, whatever the answer
	Error           string // that it was answered with, "code: message", or none
}

// Need is a permission that a call must have.
type Need struct {
	Action, Resource string
	Context          map[string][]string // by condition key
}

// Fate is what becomes of a call. The zero Fate is to be answered.
type Fate struct {
	Fail        string        // the code of the error that it is answered with, if any
	Message     string        // of that error
	Status      int           // of that error; 0: what that code has
	Unreached   bool          // it takes no effect
	EffectAfter time.Duration // it takes effect so late, whether anybody still waits or not
	AnswerAfter time.Duration // it is answered so late
	Lost        bool          // it is not answered: the connection breaks
	Then        func()        // is called before it is answered
}

// FailsBefore is refused without any effect.
func FailsBefore(code string) Fate { return Fate{Fail: code, Unreached: true} }

// FailsAfter takes effect, and is refused.
func FailsAfter(code string) Fate { return Fate{Fail: code} }

// AnswersLate takes effect at once, and is answered later.
func AnswersLate(d time.Duration) Fate { return Fate{AnswerAfter: d} }

// LosesAnswer takes effect, and is not answered.
func LosesAnswer() Fate { return Fate{Lost: true} }

// LosesCall takes no effect, and is not answered.
func LosesCall() Fate { return Fate{Unreached: true, Lost: true} }

// ActsLate is not answered, and takes effect after a while.
func ActsLate(d time.Duration) Fate { return Fate{EffectAfter: d, Lost: true} }

func (f Fate) refusal() *Error {
	e := &Error{Status: f.Status, Code: f.Fail, Message: f.Message}
	if e.Message == "" {
		e.Message = f.Fail
	}
	if e.Status == 0 {
		e.Status = http.StatusBadRequest
		if slices.Contains([]string{"RequestLimitExceeded", "Unavailable", "ServiceUnavailable", "SlowDown"}, f.Fail) {
			e.Status = http.StatusServiceUnavailable
		}
		if slices.Contains([]string{"InternalError", "InternalFailure", "InternalServerError", "InternalServiceError", "ServiceException", "InsufficientInstanceCapacity"}, f.Fail) {
			e.Status = http.StatusInternalServerError
		}
	}
	return e
}

// rule is a fate of calls, for some times.
type rule struct {
	pattern string
	times   int // that are left; below 0: always
	fate    Fate
}

// On gives the next calls of an action a fate, like "ec2:StopInstances" or
// "ec2:*": so many times, or always if times is 0. What was said last counts.
func (c *Cloud) On(action string, times int, f Fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if times == 0 {
		times = -1
	}
	c.fates = append(c.fates, &rule{action, times, f})
}

// Judge lets a function decide about each call for which On says nothing; it may
// ask this Cloud.
func (c *Cloud) Judge(of func(Call) Fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judge = of
}

func (c *Cloud) fateOf(record Call) Fate {
	c.mu.Lock()
	for _, r := range slices.Backward(c.fates) {
		if r.times != 0 && policy.Like(r.pattern, record.Action) {
			r.times--
			c.mu.Unlock()
			return r.fate
		}
	}
	judge := c.judge
	c.mu.Unlock()
	if judge == nil {
		return Fate{}
	}
	return judge(record)
}

// Calls are those made so far whose action is like one of the patterns, or all.
func (c *Cloud) Calls(patterns ...string) (made []Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.calls {
		if len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return policy.Like(p, one.Action) }) {
			made = append(made, one)
		}
	}
	return made
}

// Beyond are the permissions, "action on resource", that calls needed and that the
// policies together do not allow.
func Beyond(calls []Call, policies ...string) (lacking []string) {
	for _, one := range calls {
		for _, n := range one.Needs {
			asks := policy.Request{Action: n.Action, Resource: n.Resource, Context: n.Context, Time: one.At}
			if what := n.Action + " on " + n.Resource; policy.Judge(asks, policies...) != policy.Allows && !slices.Contains(lacking, what) {
				lacking = append(lacking, what)
			}
		}
	}
	return lacking
}

// Forget empties the journal of calls.
func (c *Cloud) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = nil
}
