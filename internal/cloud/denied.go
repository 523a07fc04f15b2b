package cloud

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mishap"
)

// call is what was called where.
type call struct{ service, operation, account, region string }

// api is what IAM calls it.
func (c call) api() string { return strings.ToLower(strings.ReplaceAll(c.service, " ", "")) }

// permission is what IAM calls it.
func (c call) permission() string { return c.api() + ":" + c.operation }

func (c call) String() string {
	if c.region == "" {
		return c.permission()
	}
	return c.permission() + " in " + c.account + " " + c.region
}

// failure is a call that failed, in AWS's words as a person reads them.
type failure struct {
	text  string
	cause error
}

func (f failure) Error() string { return f.text }

func (f failure) Unwrap() error { return f.cause }

// explainCall says what to do about a call that failed. The text has what AWS said
// of it, the error all that the SDK knows.
func explainCall(c call, err error) error {
	f := failure{fmt.Sprintf("%s: %s", c, said(err)), err}
	if hint := c.hint(err); hint != "" {
		return mishap.WithHint(f, hint)
	}
	return f
}

func (c call) hint(err error) string {
	code := errorCode(err)
	var lookup *net.DNSError
	var behind *smithy.OperationError
	switch {
	case denied(code) && c.service != sts.ServiceID && errors.As(err, &behind) && behind.ServiceID == sts.ServiceID:
		return "the role can no longer be taken on: its trust policy must name the credentials that mishap has, and their policies must allow sts:AssumeRole on it"
	case denied(code) && strings.Contains(said(err), "BlockPublicPolicy"):
		return "Block Public Access takes no policy that makes a bucket public, also none that has done so before: take out of the policy what does"
	case denied(code) && c.service == s3Service && !policy.MatchString(said(err)):
		return "the bucket must belong to account " + c.account + "; " + deniedHint(c.permission(), said(err))
	case denied(code):
		return deniedHint(c.permission(), said(err))
	case expired(code):
		return "the credentials have expired: log in again, for example with `aws sso login`"
	case code == "AuthFailure", code == "UnrecognizedClientException", code == "InvalidClientTokenId", code == "OptInRequired":
		return "check the credentials, and that region " + c.region + " is enabled for account " + c.account
	case code == "SignatureDoesNotMatch", code == "RequestTimeTooSkewed":
		return "check the secret access key, and this machine's clock"
	case code == "PermanentRedirect", code == "AuthorizationHeaderMalformed":
		return "the bucket is in another region: name that, and list it for the account in the settings"
	case slices.Contains([]string{"ec2", "autoscaling"}, c.api()) && !reads(c.operation) && strings.Contains(said(err), "does not exist"):
		return "somebody has deleted it since: what had it needs another, which no undo has. Give it one by hand, and say so to mishap"
	case full(code):
		return "AWS has no room for it there at the moment, which only time or a reservation of capacity changes; it is asked again while reverting may take"
	case Throttled(err):
		return "something else calls this API as often as the account may: find it in CloudTrail, or ask AWS for a higher limit"
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return noSuchRegion(c.region)
	}
	return ""
}

// said is what AWS said, without what the SDK puts around it and without the blob
// that only sts:DecodeAuthorizationMessage reads.
func said(err error) string {
	var api smithy.APIError
	var op *smithy.OperationError
	switch {
	case errors.As(err, &api):
		message, _, _ := strings.Cut(api.ErrorMessage(), "Encoded authorization failure message")
		if message = strings.TrimSpace(message); message == "" {
			return api.ErrorCode()
		}
		return api.ErrorCode() + ": " + message
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

func denied(code string) bool {
	return slices.Contains([]string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedException"}, code)
}

// policy finds in AWS's words which kind of policy denied a call: by saying no, or
// by not saying yes.
var policy = regexp.MustCompile(`\b(explicit deny in|no)(?: an?| the)? ((?:service control|resource control|identity-based|resource-based|session|VPC endpoint) polic|permissions boundar)`)

// deniedHint says who can change what denied the call. A grant helps only where
// nothing but a grant is missing.
func deniedHint(permission, words string) string {
	found := policy.FindStringSubmatch(words)
	if found == nil {
		return "if no policy allows " + permission + " on it, grant that; if one denies it, a grant does not help"
	}
	explicit, kind := found[1] == "explicit deny in", found[2]
	switch kind {
	case "service control polic", "resource control polic":
		return "a policy of the organisation denies it, which no grant in the account changes: ask whoever manages the organisation, or choose another account"
	case "permissions boundar":
		return "the permissions boundary of the credentials' role or user denies it, which no grant changes: widen the boundary, or use another role"
	case "session polic":
		return "the policy of this session denies it: take on the role without a session policy"
	case "VPC endpoint polic":
		return "the policy of the VPC endpoint that the call went through denies it: change that, or call from elsewhere"
	case "resource-based polic":
		if explicit {
			return "the policy of the resource itself denies it: take that statement out, or choose other targets"
		}
		return "allow " + permission + " in the policy of the resource"
	}
	if explicit {
		return "a policy of the credentials denies " + permission + ", which no grant changes: take that statement out, or choose other targets"
	}
	return "grant " + permission + " on the targets"
}

// Failed says what was called for. Codes that are fine are no error.
func Failed(what string, err error, fine ...string) error {
	if err == nil || slices.Contains(fine, errorCode(err)) {
		return nil
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		err = op.Err // its text is what the SDK calls the call
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Code is AWS's code of an error; empty if it did not answer with one.
func Code(err error) string { return errorCode(err) }

// Refused reports whether AWS has answered that it did not do what was asked. Of
// all other errors nobody knows.
func Refused(err error) bool {
	var api smithy.APIError
	var answer interface{ HTTPStatusCode() int }
	return errors.As(err, &api) && (Throttled(err) || full(api.ErrorCode()) || errors.As(err, &answer) && answer.HTTPStatusCode() < 500)
}

// full reports whether a code is EC2's for having no room for what is to run, which
// it answers with the status of a server that failed.
func full(code string) bool {
	return strings.HasPrefix(code, "Insufficient") && strings.Contains(code, "Capacity")
}

// Denied reports whether a policy denied the call.
func Denied(err error) bool { return denied(errorCode(err)) }
