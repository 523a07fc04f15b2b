package fault

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"time"

	"mishap/internal/forward"
)

// Arms assigns the requests of users to the two arms of a run, and says so in the baggage that goes upstream. It changes
// nothing else. The fault's Share is that of each arm, at most a half, and its Run names the arms. It counts what becomes
// of the requests of both; ArmsReport has it.
type Arms struct {
	// Key makes units of requests, which are in an arm together: header:NAME, cookie:NAME, source, connection or request.
	Key string `json:"key"`
	// Tokens go with the requests of each arm. A fault hits only requests that bear the one that it is given (Requests.Arm).
	Tokens ArmTokens `json:"tokens"`
	// Patience is how long a request may take before it is judged as it is then. Default 2s, at most 2m.
	Patience Duration `json:"patience,omitempty"`
	// Counts is what is counted of units; nil, as versions of mishap ask that know none: nothing.
	Counts *Counts `json:"counts,omitempty"`
}

// ArmTokens are secrets of a run that nobody can guess: letters, digits, or any of . _ : -
type ArmTokens struct {
	Control    string `json:"control"`
	Experiment string `json:"experiment"`
}

// Times of arms.
const (
	// ArmsDelay is how long after its end a bucket is closed at the latest, unless the arms say otherwise.
	ArmsDelay = 2 * time.Second
	ArmsWidth = 200 * time.Millisecond // of a bucket
)

// Limits of arms.
const (
	maxPatience = 2 * time.Minute
	minToken    = 16 // characters
)

// MaxMeeting is how many requests that met a fault can be told at once.
const MaxMeeting = 8192

// Kind is arms.
func (Arms) Kind() string { return "arms" }

func (a Arms) check(errs *Problems) {
	errs.Add(a.Key == "", "key is missing: what makes a user, such as cookie:session")
	errs.Add(a.Patience != 0 && (a.Patience < Duration(ArmsWidth) || a.Patience > Duration(maxPatience)),
		"patience %v must be from %v to %v", time.Duration(a.Patience), ArmsWidth, maxPatience)
	errs.Add(min(len(a.Tokens.Control), len(a.Tokens.Experiment)) < minToken, "tokens must have at least %d characters", minToken)
	a.Counts.check(errs)
}

// checkFault notes what is wrong with the arms as a whole.
func (a Arms) checkFault(f Fault, errs *Problems) {
	errs.Add(!ValidName(f.Run), "run %q must be 1 to %d letters, digits, or any of . _ : -: it names the arms", f.Run, MaxName)
	errs.Add(f.Share > .5, "share %v is that of each arm, and at most 0.5", f.Share)
	if f.Share > 0 && f.Share <= .5 && ValidName(f.Run) {
		rule, err := a.rule(f)
		_, wrong := forward.NewFault(rule)
		err = errors.Join(err, wrong)
		errs.Add(err != nil, "%w", err)
	}
}

func (a Arms) rule(f Fault) (forward.Rule, error) {
	r, err := Requests{Key: a.Key}.match(f)
	r.Arms = &forward.Arms{Run: f.Run, Control: a.Tokens.Control, Experiment: a.Tokens.Experiment}
	if c := a.Counts; c != nil {
		var wrong error
		r.Arms.Look = c.Success.look()
		r.Arms.Parts, wrong = c.parts()
		err = errors.Join(err, wrong)
	}
	return r, err
}

// JudgedAfter is how long a request may take before it is judged as it is then.
func (a Arms) JudgedAfter() time.Duration { return cmp.Or(time.Duration(a.Patience), ArmsDelay) }

// becomes says why a fault in force cannot be changed into another: units would change their arm.
func (a Arms) becomes(old, next Fault) error {
	b, ok := next.Effect.(Arms)
	switch {
	case !ok || !reflect.DeepEqual(a, b) || old.Seed != next.Seed:
		return fmt.Errorf("of arms only the share can be changed: else units would change their arm")
	case next.Share < old.Share:
		return fmt.Errorf("the share of arms cannot be lowered from %v to %v: units would leave their arm", old.Share, next.Share)
	}
	return nil
}

// hidden stands for a token in what the proxy tells.
const hidden = "hidden"

// WithoutTokens is the fault as it is told: the tokens of arms are for those who injected them.
func (f Fault) WithoutTokens() Fault {
	if f.Effect == nil {
		return f
	}
	if a, ok := f.Effect.(Arms); ok {
		a.Tokens = ArmTokens{hidden, hidden}
		f.Effect = a
		return f
	}
	effect := reflect.New(reflect.TypeOf(f.Effect)).Elem() // a copy, of whichever kind
	effect.Set(reflect.ValueOf(f.Effect))
	if arm := effect.FieldByName("Arm"); arm.IsValid() && arm.String() != "" { // of Requests, which is a part of it
		arm.SetString(hidden)
		f.Effect, _ = effect.Interface().(Effect)
	}
	return f
}
