package cloud

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
)

const (
	attempts       = 4                // of a call that may be repeated
	longestAttempt = 10 * time.Second // until an answer counts as lost
	longestBackoff = 3 * time.Second  // between two attempts
)

// Calls makes all clients of the configuration keep to AWS's rates, repeat what
// failed in passing, and say what to do about errors.
func (c *Cloud) Calls(cfg aws.Config, account string) aws.Config {
	layer := &calls{rates: &c.rates, account: account, credentials: cfg.Credentials, clock: &clock{}}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			// The buckets hold back calls; none is refused for what others failed.
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = attempts, longestBackoff, ratelimit.None
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(unlessFull)}, o.Retryables...)
		})
	}
	cfg.ConfigSources = append(append([]any{}, cfg.ConfigSources...), layer.clock)
	cfg.APIOptions = append(append([]func(*middleware.Stack) error{}, cfg.APIOptions...), layer.add)
	return cfg
}

// unlessFull says that there is no room for longer than retries take: who can do
// without some of what was asked for must hear of it.
func unlessFull(err error) aws.Ternary {
	if full(errorCode(err)) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// Once makes no retries: an injecting call that is repeated behind our back may act
// after its injection was reverted.
func Once(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

type leftKey struct{}

// Reverting marks calls that undo something: a part of each rate is kept for them.
func Reverting(ctx context.Context) context.Context {
	return context.WithValue(ctx, leftKey{}, 0.0)
}

// Looking marks calls that only look at what is in, and can wait for what goes in.
func Looking(ctx context.Context) context.Context {
	return context.WithValue(ctx, leftKey{}, keptLook)
}

// left is the part of a bucket that a call must leave.
func left(ctx context.Context) float64 {
	if part, is := ctx.Value(leftKey{}).(float64); is {
		return part
	}
	return kept
}

// calls is what lies between all clients of an account and AWS.
type calls struct {
	rates       *rates
	account     string
	credentials aws.CredentialsProvider
	clock       *clock
}

// add puts it where the operation's input is known, around all attempts; and
// around each attempt, before that is signed.
func (c *calls) add(stack *middleware.Stack) error {
	around := middleware.InitializeMiddlewareFunc("mishap/Explain", c.explained)
	if err := stack.Initialize.Add(around, middleware.After); err != nil {
		return err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("mishap/Rate", c.attempt), "Retry", middleware.After)
}

type inputKey struct{}

// explained says what to do about an error.
func (c *calls) explained(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, data, err := next.HandleInitialize(middleware.WithStackValue(ctx, inputKey{}, in.Parameters), in)
	if expired(errorCode(err)) {
		renew(ctx, c.credentials)
	}
	if err != nil {
		err = explainCall(call{awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), c.account, awsmiddleware.GetRegion(ctx)}, err)
	}
	return out, data, err
}

// attempt waits until AWS takes the call, and not for ever for its answer.
func (c *calls) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, data middleware.Metadata, err error) {
	var taken []*bucket
	for _, one := range charges(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), middleware.GetStackValue(ctx, inputKey{})) {
		b := c.rates.bucket(bucketKey{c.account, awsmiddleware.GetRegion(ctx), one.bucket}, one.rate)
		if err := b.take(ctx, one.tokens, left(ctx)); err != nil {
			return out, data, err
		}
		taken = append(taken, b)
	}
	within, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	out, data, err = next.HandleFinalize(within, in)
	c.clock.set(data)
	if Throttled(err) {
		for _, b := range taken {
			b.empty()
		}
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = lost{}
	}
	return out, data, err
}

// Throttled reports whether AWS refused a call for being one too many, and did
// nothing.
func Throttled(err error) bool {
	_, is := retry.DefaultThrottleErrorCodes[errorCode(err)]
	return is && errorCode(err) != "LimitExceededException"
}

// lost is an attempt whose answer did not come in time; the next may get one.
type lost struct{}

// Error says how long was waited.
func (lost) Error() string { return "no answer within " + longestAttempt.String() }

// RetryableError tells the SDK to ask again, where it may.
func (lost) RetryableError() bool { return true }
