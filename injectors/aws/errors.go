package aws

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"mishap"
)

// failed says what was called for, and which permission a call lacked: EC2's own
// text for that is an encoded blob. Codes that are fine are no error.
func failed(what string, err error, fine ...string) error {
	if err == nil || slices.Contains(fine, errorCode(err)) {
		return nil
	}
	permission := permissionOf(err)
	switch errorCode(err) {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		return mishap.WithHint(fmt.Errorf("%s: the credentials lack %s", what, permission), "grant "+permission+" on the targets")
	case "RequestExpired", "ExpiredToken", "ExpiredTokenException":
		return mishap.WithHint(fmt.Errorf("%s: %w", what, err), "the credentials have expired: log in again")
	case "AuthFailure", "UnrecognizedClientException":
		return mishap.WithHint(fmt.Errorf("%s: %w", what, err), "check the credentials, and that the region is enabled for the account")
	}
	return fmt.Errorf("%s: %w", what, err)
}

// permissionOf is the permission of the call that failed. IAM calls those of
// these APIs as their operations.
func permissionOf(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return "a permission"
	}
	return strings.ToLower(strings.ReplaceAll(call.ServiceID, " ", "")) + ":" + call.OperationName
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
