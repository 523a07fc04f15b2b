package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

// A whole fault, as one file: Lambda functions are throttled by what is reserved
// for them. Its client is in memory, with the calls of the SDK's.

type throttleWith struct {
	Concurrency int `json:"concurrency,omitempty" jsonschema:"how many calls at once are left; default none"`
}

func (w throttleWith) problems() []error {
	if w.Concurrency < 0 {
		return []error{&mishap.FieldError{Path: "with.concurrency", Msg: "must not be negative"}}
	}
	return nil
}

func lambdaThrottle(client *memoryLambda) fault[*memoryLambda, throttleWith] {
	return fault[*memoryLambda, throttleWith]{
		name: "lambda-throttle", summary: "throttles Lambda functions", doc: "What is reserved for a function is put back.",
		example:  "injector: lambda-throttle\ntargets: {ids: [checkout]}\nfor: 5m",
		whenLost: "the functions stay throttled until `mishap revert`",
		do:       []string{"lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"},
		undo:     []string{"lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"},
		noun:     "function", kind: "lambda-function", attribute: "concurrency", normal: "unthrottled", injecting: "throttled",
		id: regexp.MustCompile(`^[\w-]{1,64}$`), idLike: "checkout",
		connect: func(aws.Config) *memoryLambda { return client },
		find: func(_ context.Context, l *memoryLambda, t targets, with throttleWith) (found []thing, err error) {
			for _, name := range slices.Sorted(maps.Keys(l.reserved)) {
				if now := l.reserved[name]; len(t.IDs) == 0 || slices.Contains(t.IDs, name) {
					found = append(found, thing{id: name, tags: map[string]string{"Role": "shop"}, before: now, now: throttled(now, nil, with)})
				}
			}
			return found, nil
		},
		check: func(_ context.Context, l *memoryLambda, _ throttleWith, chosen []thing) error {
			if l.protected {
				return fmt.Errorf("function %s is protected", chosen[0].id)
			}
			return nil
		},
		inject: func(_ context.Context, l *memoryLambda, on recorded[throttleWith]) error {
			return l.put(on.id, fmt.Sprint(on.with.Concurrency))
		},
		revert: func(_ context.Context, l *memoryLambda, on recorded[throttleWith]) error {
			before, err := reservedBefore(on)
			if err != nil {
				return err
			}
			return l.put(on.id, before)
		},
		read: func(_ context.Context, l *memoryLambda, on recorded[throttleWith]) (look, error) {
			before, err := reservedBefore(on)
			now, there := l.reserved[on.id]
			if !there {
				return look{gone, "deleted"}, err
			}
			return throttled(now, &before, on.with), err
		},
	}
}

func reservedBefore(on recorded[throttleWith]) (before string, err error) {
	if err := json.Unmarshal(on.before, &before); err != nil {
		return "", fmt.Errorf("read what was reserved for function %s: %w", on.id, err)
	}
	return before, nil
}

// throttled compares what is reserved with what the fault reserves, and with
// what was before; nil: with nothing.
func throttled(now string, before *string, with throttleWith) look {
	switch {
	case now == fmt.Sprint(with.Concurrency):
		return look{injected, "throttled to " + now}
	case before == nil || *before == now:
		return look{normal, "unthrottled"}
	}
	return look{foreign, "throttled to " + now}
}

// memoryLambda has functions, and what is reserved for each; empty: nothing.
type memoryLambda struct {
	reserved  map[string]string
	protected bool
}

func (l *memoryLambda) put(name, reserved string) error {
	if _, there := l.reserved[name]; !there {
		return target.None("there is no function %s", name)
	}
	l.reserved[name] = reserved
	return nil
}
