package safeguards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mishap"
)

type probeWith struct {
	Probe   string          `json:"probe" jsonschema:"a probe of the catalog"`
	With    json.RawMessage `json:"with,omitempty" jsonschema:"the probe's parameters"`
	Expect  json.RawMessage `json:"expect,omitempty" jsonschema:"the probe's expectations"`
	Timeout mishap.Duration `json:"timeout,omitzero" jsonschema:"of one observation, default 3s, at most 4s"`
}

const (
	probeTimeout = 3 * time.Second
	probeLongest = 4 * time.Second // a safeguard has 5 s to answer
)

func probeKind(d Deps) mishap.SafeguardKind {
	return mishap.SafeguardKind{
		Kind: mishap.Kind{
			Name:    "probe",
			Summary: "a probe that must be met before and all through the run",
			Doc: "Asked once before anything is touched and every second afterwards. Unmet and unknown both stop the run: a safeguard that cannot tell says no. " +
				"Use it for what is not the claim, such as an alarm, an error budget, or the health of a neighbour.",
			Params:  probeWith{},
			Example: "safeguard: probe\nwith:\n  probe: prometheus\n  with: {url: \"http://localhost:9090\", query: 'sum(ALERTS{alertstate=\"firing\"}) or vector(0)'}\n  expect: {value: \"= 0\"}\n",
		},
		New: func(with json.RawMessage) (mishap.Safeguard, error) {
			w, err := readProbe(with)
			if err != nil {
				return nil, err
			}
			if w.Timeout.Std() <= 0 || w.Timeout.Std() > probeLongest {
				return nil, &mishap.FieldError{Path: "with.timeout", Msg: fmt.Sprintf("%s is outside of 1ns to %s", w.Timeout, probeLongest)}
			}
			if d.Probe == nil {
				return nil, missing("what the probe says")
			}
			p, err := d.Probe(w.spec())
			return probeGuard{p, w}, below(err)
		},
		Uses: func(with json.RawMessage) (mishap.Uses, error) {
			w, err := readProbe(with)
			if err != nil {
				return mishap.Uses{}, err
			}
			if d.ProbeUses == nil {
				return mishap.Uses{}, missing("what the probe uses")
			}
			u, err := d.ProbeUses(w.spec())
			return u.And(mishap.UsesOf(w)), below(err)
		},
	}
}

func readProbe(with json.RawMessage) (probeWith, error) {
	w := probeWith{Timeout: mishap.Duration(probeTimeout)}
	err := mishap.Decode("with", with, &w)
	return w, err
}

// spec is the probe inside.
func (w probeWith) spec() mishap.ProbeSpec {
	return mishap.ProbeSpec{Name: "safeguard", Probe: w.Probe, With: w.With, Expect: w.Expect}
}

// below moves a probe's problems to where the safeguard holds the probe.
func below(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *mishap.FieldError:
		moved := *e
		moved.Path = "with." + e.Path
		return &moved
	case *mishap.Warning:
		moved := *e
		moved.Path = "with." + e.Path
		return &moved
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, below(one))
		}
		return errors.Join(all...)
	}
	return err
}

type probeGuard struct {
	mishap.Probe
	probeWith
}

// Check makes one observation.
func (p probeGuard) Check(ctx context.Context, _ mishap.Situation) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout.Std())
	defer cancel()
	switch o := p.Observe(ctx); o.Result {
	case mishap.Met:
		return nil
	case mishap.Unmet:
		return &mishap.Veto{Safeguard: "probe", Reason: fmt.Sprintf("%s is not met: %s", p.probeWith.Probe, o.Detail)}
	default:
		return fmt.Errorf("%s could not measure: %s", p.probeWith.Probe, o.Detail)
	}
}
