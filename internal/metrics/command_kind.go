package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mishap"
	"mishap/internal/spawn"
)

// FromCommand is the name of the source that reads what a command prints.
const FromCommand = mishap.CommandSource

// commandParams has the names of the exec probe's.
type commandParams struct {
	Argv  []string                 `json:"argv" jsonschema:"the command and its arguments; there is no shell unless the first one is"`
	Env   map[string]mishap.Secret `json:"env,omitempty" jsonschema:"variables added to the environment"`
	Dir   string                   `json:"dir,omitempty" jsonschema:"folder to run in; default is the current one"`
	Delay mishap.Duration          `json:"delay,omitempty" jsonschema:"how long after its end a bucket is printed at the latest; default 1s"`
}

const commandDoc = "Runs a command for as long as the arms are compared, and reads buckets from its standard output, one JSON object a " +
	"line, flushed: `start` (RFC 3339), `width`, and `control` and `experiment` with what the metric reads: `requests` and " +
	"`successes`, `events`, `latency` (`bounds` in seconds, ascending, and `counts`, one more), `gauge`. Where a metric has `unit`, each arm also has " +
	"`units`: the same counts by unit (of users `mishap.slot`, \"0\" to \"63\"), which add up to those of the arm. A bucket is printed " +
	"when it is closed: it counts what started in it, and never changes. Metrics with the same parameters share one command.\n\n" +
	"A line that is wrong (another key, a number missing, more successes than requests, a bucket that overlaps the one " +
	"before, that is from the future, or later than `delay`) is refused by its number, and its time is missing. A line of " +
	"more than 256 KiB ends the command. It is not started again when it ends, and is killed with its process group at the end of the run."

const commandExample = `metric: success-rate
source: command
with: {argv: [./arms-from-logs, --every, 1s], delay: 2s}
# prints: {"start":"2026-05-04T12:00:00Z","width":"1s","control":{"requests":50,"successes":50},"experiment":{"requests":48,"successes":47}}
`

func commandKind(d Deps) Kind {
	kinds := []mishap.MetricKind{mishap.SuccessRate, mishap.EventRate, mishap.Latency, mishap.Gauge}
	shared := map[string]*command{} // by their parameters
	feeds := map[*command]*Feed{}
	return Kind{
		Kind: mishap.Kind{
			Name:    FromCommand,
			Summary: "a command prints what the arms did",
			Doc:     commandDoc,
			Params:  commandParams{},
			Example: commandExample,
		},
		Metrics: kinds,
		Uses: func(m mishap.CompareMetric) (mishap.Uses, error) {
			p, err := readCommand(m)
			u := mishap.UsesOf(p)
			if len(p.Argv) > 0 {
				u.Commands = append(u.Commands, mishap.Command{Program: p.Argv[0], Dir: p.Dir, Env: slices.Sorted(maps.Keys(p.Env))})
			}
			return u, err
		},
		New: func(m mishap.CompareMetric) (Source, error) {
			p, err := readCommand(m)
			if err == nil {
				err = p.check()
			}
			if err := errors.Join(fits(FromCommand, m, kinds), err); err != nil {
				return nil, err
			}
			c := shared[string(m.With)]
			if c == nil {
				c = newCommand(d, p)
				shared[string(m.With)], feeds[c] = c, NewFeed(c)
			}
			c.needs = append(c.needs, m.Metric)
			if c.units = c.units || m.Unit != ""; m.Unit != "" {
				return countUnits(d, feeds[c].Tap(), m), nil
			}
			return feeds[c].Tap(), nil
		},
	}
}

func readCommand(m mishap.CompareMetric) (commandParams, error) {
	p := commandParams{Delay: mishap.Duration(time.Second)}
	err := mishap.Decode("with", m.With, &p)
	return p, err
}

func (p commandParams) check() error {
	problems := []error{spawn.Check(p.Argv, p.Env, "[./arms-from-logs, --every, 1s]")}
	if p.Delay.Std() > longestDelay {
		problems = append(problems, &mishap.FieldError{Path: "with.delay", Msg: fmt.Sprintf("%s is too late for a comparison", p.Delay), Hint: fmt.Sprintf("at most %s", mishap.Duration(longestDelay))})
	}
	return errors.Join(problems...)
}
