package aws

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

// A whole fault, as one file: Lambda functions are throttled by what is reserved
// for them. Its client is in memory, with the calls of the SDK's.

type trialWith struct {
	Concurrency int `json:"concurrency,omitempty" jsonschema:"how many calls at once are left; default none"`
}

func (w trialWith) problems() []error {
	if w.Concurrency < 0 {
		return []error{&mishap.FieldError{Path: "with.concurrency", Msg: "must not be negative"}}
	}
	return nil
}

func trialThrottle(l *memoryLambda) fault[trialWith] {
	return fault[trialWith]{
		about: about{
			name: "lambda-throttle", summary: "throttles Lambda functions", doc: "What is reserved for a function is put back.",
			example:  "injector: lambda-throttle\ntargets: {ids: [checkout]}\nfor: 5m",
			whenLost: "the functions stay throttled until `mishap revert`",
			do:       []allow{acting("lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency")},
			undo:     []allow{acting("lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency")},
			noun:     "function", kind: "lambda-function", arn: "arn:{partition}:lambda:{region}:{account}:function:{id}",
			attribute: "concurrency", normal: "unthrottled", injecting: "throttled",
			id: regexp.MustCompile(`^[\w-]{1,64}$`), idLike: "checkout",
		},
		find: func(_ context.Context, _ aws.Config, t targets, with trialWith) (found []thing, err error) {
			for _, name := range slices.Sorted(maps.Keys(l.reserved)) {
				if now := l.reserved[name]; len(t.IDs) == 0 || slices.Contains(t.IDs, name) {
					found = append(found, thing{id: name, name: name, before: now, now: trialLook(now, nil, with),
						tags: map[string]string{"Role": "shop", stackTag: "shop"},
						is:   map[string]string{inVPC: "vpc-1", inGroup: "shop", inZone: "eu-west-1a", "runtime": "go"}})
				}
			}
			return found, nil
		},
		check: func(_ context.Context, _ aws.Config, _ trialWith, chosen []thing) ([]string, error) {
			if l.protected {
				return nil, fmt.Errorf("function %s is protected", chosen[0].id)
			}
			return nil, nil
		},
		inject: each(func(_ context.Context, _ aws.Config, on recorded[trialWith]) error {
			return l.put(on.id, fmt.Sprint(on.with.Concurrency))
		}),
		revert: each(func(_ context.Context, _ aws.Config, on recorded[trialWith]) error {
			was, err := before[string](on)
			if err != nil {
				return err
			}
			return l.put(on.id, was)
		}),
		read: lookEach(func(_ context.Context, _ aws.Config, on recorded[trialWith]) (look, error) {
			was, err := before[string](on)
			now, there := l.get(on.id)
			if !there {
				return look{gone, "deleted"}, err
			}
			return trialLook(now, &was, on.with), err
		}),
	}
}

// trialLook compares what is reserved with what the fault reserves, and with
// what was before; nil: with nothing.
func trialLook(now string, before *string, with trialWith) look {
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
	mu        sync.Mutex
	reserved  map[string]string
	protected bool
}

func (l *memoryLambda) get(name string) (reserved string, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reserved, there = l.reserved[name]
	return reserved, there
}

func (l *memoryLambda) put(name, reserved string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.reserved[name]; !there {
		return target.None("there is no function %s", name)
	}
	l.reserved[name] = reserved
	return nil
}
