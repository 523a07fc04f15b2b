package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mishap"
)

// sourceProxy is the name of the source that reads the proxy of the arms.
const sourceProxy = "proxy"

// armsSpec is the arms of an experiment with what the proxy counts of them. It
// is recorded as the parameters of their injection; arms of earlier versions
// count nothing.
type armsSpec struct {
	mishap.Arms
	Patience mishap.Duration `json:"patience,omitzero"`
	Counts   *armsCounts     `json:"counts,omitempty"`
}

// armsCounts is what the proxy reads of what it counts.
type armsCounts struct {
	Success *armsSuccess `json:"success,omitempty"`
	Rows    []armsRow    `json:"rows"`
	Exposed bool         `json:"exposed,omitempty"` // rows are of the requests that met the fault
}

// armsSuccess is [mishap.Success] as the proxy reads it.
type armsSuccess struct {
	Status [][2]int        `json:"status,omitempty"`
	Not    *mishap.Failing `json:"not,omitempty"`
}

// armsRow is one row, and the part of the traffic that it is confined to.
type armsRow struct {
	Name   string          `json:"name"`
	Of     mishap.Counting `json:"of"`
	Path   string          `json:"path,omitempty"`
	Method string          `json:"method,omitempty"`
}

// specOf is what a comparison asks of the proxy.
func specOf(c mishap.Compare) armsSpec {
	spec := armsSpec{Arms: c.Arms, Patience: c.Patience, Counts: &armsCounts{}}
	if c.Success != nil {
		success := &armsSuccess{Not: c.Success.Not}
		for _, r := range c.Success.Status {
			success.Status = append(success.Status, [2]int{r.Low, r.High})
		}
		spec.Counts.Success = success
	}
	for _, m := range c.Metrics {
		if m.Source != sourceProxy {
			continue
		}
		for _, r := range m.CountedRows() {
			spec.Counts.Rows = append(spec.Counts.Rows, armsRow{r.Name, r.Of, m.Path, m.Method})
		}
	}
	if len(spec.Counts.Rows) == 0 {
		spec.Counts = nil // nobody would read them
		return spec
	}
	for _, r := range c.Unweighed() {
		spec.Counts.Rows = append(spec.Counts.Rows, armsRow{r.Name, r.Of, r.Path, r.Method})
	}
	return spec
}

// with is what the proxy reads.
func (s armsSpec) with(undo armsUndo) (json.RawMessage, error) {
	all := map[string]any{
		"key": s.Key, "tokens": map[string]string{"control": undo.Untouched, "experiment": undo.Experiment},
	}
	if s.Patience > 0 {
		all["patience"] = s.Patience
	}
	if s.Counts != nil {
		all["counts"] = s.Counts
	}
	with, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("write arms: %w", err)
	}
	return with, nil
}

// orOlder puts arms into proxies of earlier versions too, without what they do
// not know.
type orOlder struct{ Control }

// Put injects the arms, or renews them.
func (o orOlder) Put(ctx context.Context, f Fault) error {
	err := o.Control.Put(ctx, f)
	if !errors.Is(err, ErrOlder) {
		return err
	}
	var known map[string]json.RawMessage
	if err := json.Unmarshal(f.With, &known); err != nil {
		return fmt.Errorf("read arms of %s: %w", f.ID, err)
	}
	delete(known, "counts")
	if f.With, err = json.Marshal(known); err != nil {
		return fmt.Errorf("write arms of %s: %w", f.ID, err)
	}
	return o.Control.Put(ctx, f)
}

// Exposure is which requests of both arms meet the faults of an experiment, or
// would have met them.
type Exposure struct {
	// Faults say which they are, each at its proxy. They are the same as what is
	// injected, but for the arm: whoever is hit there is so by these.
	Faults []Fault
	// Unknown is why that cannot be told, if it cannot; empty also where nobody
	// could expect it.
	Unknown string
	// Path is the parameter that keeps it from being known, in the experiment; empty
	// if it is none.
	Path string
}

// Known reports whether it can be told.
func (x Exposure) Known() bool { return len(x.Faults) > 0 }

// Proxies are the proxies of the faults, in their order.
func (x Exposure) Proxies() (names []string) {
	for _, f := range x.Faults {
		if !slices.Contains(names, f.Proxy) {
			names = append(names, f.Proxy)
		}
	}
	return names
}

// note says in a plan which requests count.
func (x Exposure) note() string {
	switch {
	case x.Known():
		return "only requests count that meet the fault at " + strings.Join(x.Proxies(), ", ") + ", or in control would have; those of all users stop the run beside them"
	case x.Unknown != "":
		return "all requests count, whether they meet the fault or not: " + x.Unknown
	}
	return "all requests count, whether they meet the fault or not"
}
