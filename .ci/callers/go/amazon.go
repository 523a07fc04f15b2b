package main

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// amazon are the two retry modes of the AWS SDK for Go v2, with their own backoff. Their quota of retries is raised, because
// with it most requests of a run would not be tried again.
func amazon() map[string]client {
	standard := func(attempts int) func(*retry.StandardOptions) {
		return func(o *retry.StandardOptions) { o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None }
	}
	return map[string]client{
		"aws-standard": asked(func(attempts int) aws.Retryer { return retry.NewStandard(standard(attempts)) }),
		"aws-adaptive": asked(func(attempts int) aws.Retryer {
			return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
				o.StandardOptions = append(o.StandardOptions, standard(attempts))
			})
		}),
	}
}

func asked(mode func(attempts int) aws.Retryer) client {
	return func(c *http.Client, url string, attempts int, _ time.Time) {
		client := sts.New(sts.Options{
			BaseEndpoint: aws.String(url), Region: "eu-west-1", HTTPClient: c, Retryer: mode(attempts),
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
			}),
		})
		_, _ = client.GetCallerIdentity(context.Background(), nil)
	}
}
