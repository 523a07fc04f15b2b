package forward

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mishap/internal/slots"
)

// Arm is one of two like parts of the traffic, of which only the experiment gets faults.
type Arm uint8

// The arms. A request in neither is NoArm.
const (
	NoArm Arm = iota
	Control
	Experiment
)

// String is the arm in baggage: "control", "experiment", or "".
func (a Arm) String() string {
	switch a {
	case Control:
		return "control"
	case Experiment:
		return "experiment"
	}
	return ""
}

func parseArm(text string) Arm {
	switch text {
	case "control":
		return Control
	case "experiment":
		return Experiment
	}
	return NoArm
}

// MaxArmShare is the largest share of one arm, in millionths: both together are all.
const MaxArmShare = Whole / 2

// Arms makes a rule assign the units of its share to the arms of a run. The experiment gets the units numbered from 0 up,
// control those from the top down, each as many as the share says: a larger share only adds units to both, and none ever
// changes its arm. The request that goes upstream says in its baggage (https://www.w3.org/TR/baggage/) where it belongs:
//
//	baggage: mishap.run=RUN,mishap.arm=experiment,mishap.token=TOKEN,mishap.slot=37
//
// The slot is one of [slots.Labels] of the arm, for metrics of others that want to be told apart by more than the arm.
//
// With IDs it also says mishap.req=ID. A rule with Arms does nothing else to a request. A request is assigned when it comes, or not at all.
type Arms struct {
	Run        string  // of letters, digits and . _ : -
	Control    string  // the token of control; a token is made of the same characters
	Experiment string  // the token of the experiment; only requests that bear it are hit by its faults
	Book       Book    // is told of every request that the rule matches; may be nil
	Parts      []Match // of the requests, which the assignment says whether they are of; at most 16
	IDs        *IDs    // what gives each request an id, which goes upstream as mishap.req; nil: they have none. Needs a Book
	Look       *Look   // at answers to requests of both arms, besides their status; nil: at none

	tags [Experiment + 1][slots.Labels]string // the members that each slot of each arm gets
}

// Book counts what becomes of the requests that are assigned. Its methods are called from the goroutines that serve the
// requests, and must not hold them up.
type Book interface {
	// Skip is called for a request that is in neither arm.
	Skip(why Why)
	// Begin is called when a request has been assigned. Mark is the book's own.
	Begin(a *Assignment)
	// Answered is called when the head of the response has gone to the client.
	Answered(a *Assignment, x *Exchange)
	// End is called when the exchange is over.
	End(a *Assignment, x *Exchange)
}

// Why says why a request is in neither arm.
type Why uint8

// The reasons.
const (
	Outside    Why = iota // its unit is in no arm's share
	WithoutKey            // it lacks what makes a unit
	TooLong               // its baggage with ours would be beyond the limits of W3C Baggage, and lost on its way
	whys
)

// Whys is how many reasons there are.
const Whys = int(whys)

// Assignment is a request in an arm.
type Assignment struct {
	Arm       Arm
	Unit      uint64    // hash of what makes the unit
	At        time.Time // when the request came
	Malformed bool      // it has baggage that is malformed, with which ours may get lost
	Parts     uint32    // a bit for each of the arms' Parts that the request is of, the first is 1
	Mark      uint64    // the book's; no two requests have the same. NoMark: it is not counted

	arms *Arms
}

// token is the token of an arm.
func (a *Arms) token(arm Arm) string {
	switch arm {
	case Control:
		return a.Control
	case Experiment:
		return a.Experiment
	}
	return ""
}

// assign decides on a request that the rule of the arms matches.
func (a *Arms) assign(s Share, r request, at time.Time) Assignment {
	unit, ok := s.unit(r)
	if !ok {
		return a.skip(WithoutKey)
	}
	arm := armOf(numberOf(unit), s.Millionths)
	if arm == NoArm {
		return a.skip(Outside)
	}
	n, size, malformed := 0, 0, false
	if _, _, ok := r.field("Baggage", 0); ok {
		n, size, malformed = others(values(r, "Baggage"))
	}
	tags := a.tagsOf(arm, unit)
	room, more := len(tags), 1
	if a.IDs != nil {
		room, more = room+len(idMember)+MaxID, 2
	}
	if n+strings.Count(tags, ",")+more > maxMembers || size+room > maxBaggage {
		return a.skip(TooLong)
	}
	as := Assignment{Arm: arm, Unit: unit, At: at, Malformed: malformed, arms: a}
	for i := range a.Parts {
		if a.Parts[i].matches(r) {
			as.Parts |= 1 << i
		}
	}
	return as
}

// tagsOf are the members that a unit's requests get.
func (a *Arms) tagsOf(arm Arm, unit uint64) string { return a.tags[arm][slots.Of(unit, slots.Labels)] }

func (a *Arms) skip(why Why) Assignment {
	if a.Book != nil {
		a.Book.Skip(why)
	}
	return Assignment{}
}

// armOf is the arm of the unit with that number.
func armOf(number, share uint32) Arm {
	switch {
	case number < share:
		return Experiment
	case number >= Whole-share:
		return Control
	}
	return NoArm
}

// prepare checks the arms, and writes down what does not change.
func (a Arms) prepare() (*Arms, error) {
	var errs []error
	for what, text := range map[string]string{"run": a.Run, "token of control": a.Control, "token of the experiment": a.Experiment} {
		if !isPlain(text) {
			errs = append(errs, fmt.Errorf("%s %q must be letters, digits, or any of . _ : -", what, text))
		}
	}
	if a.IDs != nil && a.Book == nil {
		errs = append(errs, errors.New("ids are of marks, and without a book there are none"))
	}
	if a.Control == a.Experiment {
		errs = append(errs, errors.New("both arms have the same token"))
	}
	a.Parts = slices.Clone(a.Parts)
	for i := range a.Parts {
		errs = append(errs, a.Parts[i].prepare())
	}
	if a.Look != nil {
		l := *a.Look
		l.Header = slices.Clone(l.Header)
		for i, h := range l.Header {
			if !isToken([]byte(h.Name)) {
				errs = append(errs, fmt.Errorf("header %q is not a field name", h.Name))
			}
			l.Header[i].Name = http.CanonicalHeaderKey(h.Name)
		}
		a.Look = &l
	}
	a.tags[Control] = ownMembers(a.Run, Control, a.Control)
	a.tags[Experiment] = ownMembers(a.Run, Experiment, a.Experiment)
	if last := slots.Labels - 1; max(len(a.tags[Control][last]), len(a.tags[Experiment][last])) > maxBaggage/2 {
		errs = append(errs, errors.New("run and tokens are too long for baggage"))
	}
	return &a, errors.Join(errs...)
}

// isPlain says whether a text goes through baggage as it is, whatever the receiver encodes and decodes.
func isPlain(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") == ""
}
