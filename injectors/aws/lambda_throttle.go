package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mishap"
	"mishap/internal/cloud"
)

type throttleWith struct {
	Concurrency int32 `json:"concurrency,omitempty" jsonschema:"how many calls at once are left to each function; default none"`
}

func (w throttleWith) problems() []error {
	if w.Concurrency < 0 {
		return []error{&mishap.FieldError{Path: "with.concurrency", Msg: "must not be negative", Hint: "write 0 to throttle all calls"}}
	}
	return nil
}

func lambdaThrottle() fault[throttleWith] {
	is := about{
		name:    "lambda-throttle",
		symptom: mishap.SymptomWrong,
		summary: "throttles Lambda functions by what is reserved for them, and puts that back",
		doc: "Callers that wait get TooManyRequestsException (429). Asynchronous calls and events of queues and streams wait and are tried again, for up to six hours or until the source drops them. " +
			"It is of all versions and aliases of a function. A function that has this reservation already is not taken; if somebody reserves something else meanwhile, that stays.",
		example:  "injector: lambda-throttle\ntargets: {names: [payments]}\nwith: {concurrency: 0}\nfor: 5m",
		whenLost: "the functions stay throttled until `mishap revert` or `mishap sweep`, or until somebody changes their reserved concurrency",
		settles:  lambdaSettles,
		do:       []allow{reading(findingTagged, "lambda:GetAccountSettings"), acting("lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency")},
		undo:     []allow{acting("lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency")},
		noun:     "function", kind: "lambda-function", arn: "arn:{partition}:lambda:{region}:{account}:function:{id}",
		attribute: "concurrency", normal: "unthrottled", injecting: "throttled", id: like(functionName), idLike: "payments", byName: true,
	}
	return fault[throttleWith]{
		about: is,
		find: func(ctx context.Context, c aws.Config, t targets, with throttleWith) ([]thing, error) {
			found, err := is.tagged(ctx, c, t, "lambda:function")
			return lookedAt(found, err, func(one *thing) error {
				now, there, err := concurrency(ctx, c, one.id)
				one.before, one.now = now, throttleLook(now, there, now, with)
				if one.now.status == injected {
					one.now.status = foreign
				}
				return err
			})
		},
		check: leavesEnough,
		inject: each(func(ctx context.Context, c aws.Config, on recorded[throttleWith]) error {
			return reserve(ctx, c, on.id, on.with.Concurrency)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[throttleWith]) error {
			was, err := before[*int32](on)
			if err != nil {
				return err
			}
			if was != nil {
				return reserve(ctx, c, on.id, *was)
			}
			_, err = newLambda(c).DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: aws.String(on.id)})
			return cloud.Failed("take back what is reserved for function "+on.id, err, noFunction)
		}),
		read: lookEach(func(ctx context.Context, c aws.Config, on recorded[throttleWith]) (look, error) {
			was, err := before[*int32](on)
			if err != nil {
				return look{}, err
			}
			now, there, err := concurrency(ctx, c, on.id)
			return throttleLook(now, there, was, on.with), err
		}),
	}
}

// throttleLook compares what is reserved with what the fault reserves, and with
// what was before; nil is nothing.
func throttleLook(now *int32, there bool, was *int32, with throttleWith) look {
	same := now == was || now != nil && was != nil && *now == *was
	switch {
	case !there:
		return look{gone, "deleted"}
	case now != nil && *now == with.Concurrency:
		return look{injected, fmt.Sprintf("throttled to %d", *now)}
	case same:
		return look{normal, "unthrottled"}
	case now == nil:
		return look{foreign, "without a reservation"}
	}
	return look{foreign, fmt.Sprintf("reserved %d", *now)}
}
