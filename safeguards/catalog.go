package safeguards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"mishap"
	"mishap/internal/outside"
)

// Deps is what the safeguards need to know of the settings and of the world.
// Whatever is left out denies: a list without entries allows nothing, and a
// function that is nil makes its safeguard answer that it could not tell.
type Deps struct {
	Accounts   map[string][]string // AWS accounts that may be touched, and the regions of each, compared exactly
	Hosts      []string            // other machines that may be touched, likewise
	OptInTag   string              // key=value that a target outside this machine must carry; default "mishap=allow"
	Protected  []string            // patterns on "kind/id" and "kind/name" that are never touched
	LongestRun time.Duration       // the longest that faults may be in; default 1h

	// Irreversible reports whether the named injector has no undo.
	Irreversible func(injector string) bool
	// Halted reports whether everything is halted, and whose that is: "by bob at …: incident".
	Halted func(ctx context.Context) (whose string, halted bool, err error)
	// Others says of the other active runs of the plan's things, experiment or group
	// that they are in the way, and by what, without the run that asks.
	Others func(ctx context.Context, p mishap.Plan) ([]string, error)
	// Self says what mishap itself stands on, as of now.
	Self func(ctx context.Context) (Self, error)
	// Probe makes a probe from the catalog of probes. Its problems are
	// [*mishap.FieldError] values with paths from the spec.
	Probe func(spec mishap.ProbeSpec) (mishap.Probe, error)
	// Dial connects to the feed of a calendar; nil: a [net.Dialer] does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Secret looks a secret up.
	Secret func(mishap.Secret) (string, error)
	// Files are those that may be read; nil: all.
	Files *outside.Files
	// ProbeUses is what such a probe starts, reads and reaches.
	ProbeUses func(spec mishap.ProbeSpec) (mishap.Uses, error)
}

// Self is what mishap itself stands on and must not take from under itself.
type Self struct {
	PIDs     []int    // its process, its keeper, and all ancestors of both
	Proxies  []string // names of proxies that it reaches its ledger, targets or credentials through
	Instance string   // the EC2 instance it runs on; empty elsewhere
	Roles    []string // ARNs of the roles that it calls AWS as
	Keys     []string // ids or ARNs of the keys that its vault is encrypted with
	// StandsOn is what the instance needs to reach AWS, as what each, by ARN; nil: it
	// is none that could be a target. It is asked only where a target may be that.
	StandsOn func(ctx context.Context) (map[string]string, error)
}

// Catalog lists all safeguards; those that are always on come first, in the
// order in which they are asked.
func Catalog(d Deps) []mishap.SafeguardKind {
	if d.OptInTag == "" {
		d.OptInTag = "mishap=allow"
	}
	if d.LongestRun <= 0 {
		d.LongestRun = time.Hour
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	return []mishap.SafeguardKind{
		haltKind(d),
		exclusiveKind(d),
		blastRadiusKind(),
		placeKind(d),
		selfKind(d),
		protectedKind(d),
		irreversibleKind(d),
		durationKind(d),
		windowKind(),
		calendarKind(d),
		probeKind(d),
	}
}

// none is the parameters of a safeguard that has none.
type none struct{}

// checkFunc is a safeguard that is only a function.
type checkFunc func(ctx context.Context, s mishap.Situation) error

// Check calls the function.
func (f checkFunc) Check(ctx context.Context, s mishap.Situation) error { return f(ctx, s) }

// noneUses is what a safeguard without parameters uses.
func noneUses(with json.RawMessage) (mishap.Uses, error) {
	return mishap.Uses{}, mishap.Decode("with", with, &none{})
}

// plain makes the New of a safeguard that takes no parameters.
func plain(check checkFunc) func(json.RawMessage) (mishap.Safeguard, error) {
	return func(with json.RawMessage) (mishap.Safeguard, error) {
		if err := mishap.Decode("with", with, &none{}); err != nil {
			return nil, err
		}
		return check, nil
	}
}

// missing is the answer of a safeguard that nobody gave what it needs.
func missing(what string) error { return errors.New("nobody here can say " + what) }

// some lists words for a person, at most three of them.
func some(words []string) string {
	const most = 3
	if len(words) <= most {
		return strings.Join(words, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(words[:most], "; "), len(words)-most)
}
