package awsfake_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"mishap/internal/awsfake"
)

var (
	one   = awsfake.Place{Account: "111111111111", Region: "eu-west-1"}
	other = awsfake.Place{Account: "222222222222", Region: "eu-west-1"}
)

// in is a fake in a bubble, whose time is its own.
func in(t *testing.T, s awsfake.Settings, test func(t *testing.T, c *awsfake.Cloud)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(s)
		c.Enter(one)
		test(t, c)
	})
}

// admin may do all in the account, and its client does not try again.
func admin(c *awsfake.Cloud, p awsfake.Place) aws.Config { return once(c.Config(p.Account, p.Region)) }

func once(config aws.Config) aws.Config {
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return config
}

// got is what a call answered, which must not fail.
func got[T any](t *testing.T) func(out T, err error) T {
	t.Helper()
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused wants the call to be refused with a code.
func refused(t *testing.T, code string, err error) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func wants[T comparable](t *testing.T, what string, is, want T) {
	t.Helper()
	if is != want {
		t.Errorf("%s: %v, want %v", what, is, want)
	}
}

func same[T any](t *testing.T, what string, is, want []T) {
	t.Helper()
	if !slices.EqualFunc(is, want, func(a, b T) bool { return any(a) == any(b) }) {
		t.Errorf("%s: %v, want %v", what, is, want)
	}
}

var _ = []any{context.Background, http.StatusOK, time.Second}
