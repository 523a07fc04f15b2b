package cloud

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mishap"
)

// assume takes on the role, and checks at once that it may be.
func assume(ctx context.Context, cfg aws.Config, at At) (aws.Config, error) {
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), at.Role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "mishap"
		if at.ExternalID != "" {
			o.ExternalID = aws.String(at.ExternalID)
		}
	})
	cfg.Credentials = assumed{aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = time.Minute }), cfg.Credentials}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, explainRole(at, err)
	}
	return cfg, nil
}

// explainRole says what to do about a role that cannot be taken on.
func explainRole(at At, err error) error {
	wrapped := fmt.Errorf("take on role %s: %s", at.Role, said(err))
	switch code := errorCode(err); {
	case denied(code) && at.ExternalID == "":
		return mishap.WithHint(wrapped, "its trust policy must name these credentials, their policies must allow sts:AssumeRole on it, and `externalId` in the settings be what the trust policy asks for, if it does")
	case denied(code):
		return mishap.WithHint(wrapped, "its trust policy must name these credentials and the `externalId` of the settings, and their policies must allow sts:AssumeRole on it")
	case code == "ValidationError":
		return mishap.WithHint(wrapped, "write it like arn:aws:iam::123456789012:role/mishap")
	}
	return withCause(explainIdentity(at.Region, err), wrapped)
}

// withCause has the text of one error, and the hint of another.
func withCause(hinted, text error) error {
	var h *mishap.Hinted
	if errors.As(hinted, &h) {
		return mishap.WithHint(text, h.Hint)
	}
	return text
}

// Outlasts says whether the credentials are good until then. Those that renew
// themselves are; when a session's end, only its environment can tell.
func (p Place) Outlasts(ctx context.Context, until time.Time) error {
	if p.Config.Credentials == nil {
		return nil
	}
	now, err := p.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return explainCredentials(err)
	}
	ends := now.Expires
	if text, ok := os.LookupEnv("AWS_CREDENTIAL_EXPIRATION"); ok && !now.CanExpire && p.Role == "" {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			ends = at
		}
	}
	if renews(now.Source) || ends.IsZero() || !ends.Before(until) {
		return nil
	}
	return mishap.WithHint(fmt.Errorf("the credentials expire at %s, before the last revert may be over (%s)", ends.UTC().Format(time.TimeOnly), until.UTC().Format(time.TimeOnly)),
		"log in again, or give the account a `role` in the settings, which is renewed")
}

// renews reports whether credentials from there are replaced before they expire.
func renews(source string) bool {
	switch source {
	case stscreds.ProviderName, stscreds.WebIdentityProviderName, "EC2RoleProvider", "CredentialsEndpointProvider":
		return true
	}
	return false
}
