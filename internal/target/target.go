// Package target is how faults say which targets they take, and how those are
// chosen: alike for a plan and its run, and with as many others left alone where
// arms are sampled.
package target

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"mishap"
)

// NoParams is the parameters of a fault that has none.
type NoParams struct{}

// Read reads the targets of a fault that has no parameters.
func Read(f mishap.Fault, targets any) error {
	return errors.Join(mishap.Decode("targets", f.Targets, targets), mishap.Decode("with", f.With, &NoParams{}))
}

// Selection picks some of what a fault's targets match.
type Selection struct {
	Pick  *int          `json:"pick,omitempty" jsonschema:"how many of the matched targets to take, 1 or more; default all"`
	Share *mishap.Share `json:"share,omitempty" jsonschema:"which part of the matched targets to take, above 0% to 100%, rounded down, at least one; default all"`
	Seed  *uint64       `json:"seed,omitempty" jsonschema:"seed of the random choice; the same seed takes the same targets"`
}

// CheckSelection names what is wrong with it. None is no number of targets, and
// never means all: that is said by leaving it out.
func (s Selection) CheckSelection() error {
	var problems []error
	if s.Pick != nil && *s.Pick < 1 {
		problems = append(problems, &mishap.FieldError{Path: "targets.pick", Msg: fmt.Sprintf("%d is not a number of targets", *s.Pick),
			Hint: "write 1 or more, or leave it out to take all"})
	}
	if s.Share != nil && *s.Share <= 0 {
		problems = append(problems, &mishap.FieldError{Path: "targets.share", Msg: fmt.Sprintf("%s is not a share of the targets", *s.Share),
			Hint: "write above 0% to 100%, or leave it out to take all"})
	}
	if s.Pick != nil && s.Share != nil {
		problems = append(problems, &mishap.FieldError{Path: "targets.pick", Msg: "pick and share exclude each other", Hint: "keep one of them"})
	}
	return errors.Join(problems...)
}

// Sample is what was chosen of what matched.
type Sample[T any] struct {
	Chosen  []T
	Control []T    // one for each Chosen: like it, and left alone; nil unless they were asked for
	Note    string // how it was done; empty if all were taken that were asked for
}

// Choose picks from what matched, which must be in a fixed order. The seed, if
// none was given, comes from the fault's name, so that plan and run agree.
func Choose[T any](s Selection, req mishap.Request, matched []T) (Sample[T], error) {
	n := len(matched)
	switch {
	case s.Pick != nil:
		n = min(n, max(1, *s.Pick))
	case s.Share != nil:
		n = max(1, int(float64(len(matched))*float64(*s.Share)+1e-9)) // 29% of 100 is 29, not 28.99…
	}
	if req.Sample && 2*n > len(matched) {
		return Sample[T]{}, mishap.WithHint(None("%q has %s: too few for two arms of %d each", req.Fault.Name, mishap.Plural(len(matched), "target"), n),
			"pick at most half of what fits")
	}
	if n >= len(matched) {
		return Sample[T]{Chosen: matched, Note: s.short(n)}, nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(req.Fault.Name))
	seed := h.Sum64() % 1_000_000
	if s.Seed != nil {
		seed = *s.Seed
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(matched))
	out := Sample[T]{Chosen: take(matched, order[:n]), Note: fmt.Sprintf("picked %d of %d with seed %d", n, len(matched), seed)}
	if req.Sample {
		out.Control = take(matched, order[n:2*n])
		out.Note += ", and as many others as control"
	}
	return out, nil
}

// short says that fewer were there than were asked for.
func (s Selection) short(n int) string {
	if s.Pick == nil || *s.Pick <= n {
		return ""
	}
	return fmt.Sprintf("%d of the %d asked for: no more fit", n, *s.Pick)
}

// ChooseOfEach picks as much of each part of what matched as [Choose] does of all.
func ChooseOfEach[T any](s Selection, req mishap.Request, matched []T, part func(T) string) (all Sample[T], err error) {
	parts := map[string][]T{}
	for _, one := range matched {
		parts[part(one)] = append(parts[part(one)], one)
	}
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		some, err := Choose(s, req, parts[name])
		if err != nil {
			return Sample[T]{}, err
		}
		all.Chosen, all.Control = append(all.Chosen, some.Chosen...), append(all.Control, some.Control...)
		if some.Note != "" {
			notes = append(notes, name+": "+some.Note)
		}
	}
	all.Note = strings.Join(notes, "; ")
	return all, nil
}

// take gives the items at these places, in the order of the places.
func take[T any](from []T, places []int) (out []T) {
	slices.Sort(places)
	for _, i := range places {
		out = append(out, from[i])
	}
	return out
}

// None is an error that says why nothing fits, and wraps [mishap.ErrNoTarget].
func None(format string, args ...any) error {
	return fmt.Errorf("%w: %s", mishap.ErrNoTarget, fmt.Sprintf(format, args...))
}
