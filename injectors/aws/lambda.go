package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mishap"
	"mishap/internal/cloud"
)

// What faults in Lambda share.

const (
	lambdaSettles   = 15 * time.Second
	noFunction      = "ResourceNotFoundException" // and no event source mapping
	leastUnreserved = 100                         // concurrent calls that Lambda leaves to functions without a reservation
)

const functionName = `^[\w-]{1,64}$`

func newLambda(c aws.Config) *lambda.Client { return lambda.NewFromConfig(c) }

func concurrency(ctx context.Context, c aws.Config, function string) (reserved *int32, there bool, err error) {
	out, err := newLambda(c).GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String(function)})
	if err != nil {
		return nil, cloud.Code(err) != noFunction, cloud.Failed("ask what is reserved for function "+function, err, noFunction)
	}
	return out.ReservedConcurrentExecutions, true, nil
}

func reserve(ctx context.Context, c aws.Config, function string, n int32) error {
	_, err := newLambda(c).PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String(function), ReservedConcurrentExecutions: aws.Int32(n)})
	return cloud.Failed("reserve concurrency for function "+function, err)
}

// leavesEnough asks whether the account has as much to reserve.
func leavesEnough(ctx context.Context, c aws.Config, with throttleWith, chosen []thing) ([]string, error) {
	if with.Concurrency == 0 {
		return nil, nil
	}
	out, err := newLambda(c).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return nil, cloud.Failed("ask what may be reserved", err)
	}
	left := aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions)
	for _, one := range chosen {
		was, _ := one.before.(*int32)
		left += aws.ToInt32(was) - with.Concurrency
	}
	if left < leastUnreserved {
		return nil, mishap.WithHint(fmt.Errorf("that leaves %d concurrent calls to functions without a reservation, and Lambda leaves no less than %d", left, leastUnreserved),
			"give a lower `concurrency`, or take fewer functions")
	}
	return nil, nil
}
