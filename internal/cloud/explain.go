package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"mishap"
)

// regionName is what names of regions look like. A region becomes part of a
// host name that signed requests go to.
var regionName = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)

func plausible(region string) bool { return regionName.MatchString(region) }

// explainConfig says what to do about a configuration that cannot be loaded.
func explainConfig(err error) error {
	wrapped := fmt.Errorf("load AWS configuration: %w", err)
	var profile config.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		return mishap.WithHint(wrapped, "set AWS_PROFILE to a profile of ~/.aws/config, or unset it")
	}
	return mishap.WithHint(wrapped, "check ~/.aws/config and the AWS_ variables of the environment")
}

// explainCredentials says what to do when there are no credentials to use.
func explainCredentials(err error) error {
	wrapped := fmt.Errorf("get AWS credentials: %w", err)
	text := strings.ToLower(err.Error())
	if code := errorCode(err); expired(code) || strings.Contains(text, "sso") || code == "InvalidGrantException" {
		return mishap.WithHint(wrapped, "the login has expired: log in again, for example with `aws sso login`")
	}
	return mishap.WithHint(wrapped, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role")
}

// explainIdentity says what to do about the usual reasons why AWS does not say
// whose credentials these are.
func explainIdentity(region string, err error) error {
	wrapped := fmt.Errorf("ask AWS in %s whose credentials these are: %w", region, failure{said(err), err})
	var lookup *net.DNSError
	code := errorCode(err)
	switch {
	case expired(code):
		return mishap.WithHint(wrapped, "the credentials have expired: log in again, for example with `aws sso login`")
	case code == "InvalidClientTokenId":
		return mishap.WithHint(wrapped, "the credentials are not known there: check AWS_PROFILE or AWS_ACCESS_KEY_ID, and that region "+region+" is enabled for the account")
	case code == "SignatureDoesNotMatch", code == "IncompleteSignature":
		return mishap.WithHint(wrapped, "check the secret access key, and this machine's clock")
	case denied(code):
		return mishap.WithHint(wrapped, "a policy denies sts:GetCallerIdentity to these credentials")
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return mishap.WithHint(wrapped, noSuchRegion(region))
	case errors.Is(err, context.DeadlineExceeded):
		return mishap.WithHint(wrapped, fmt.Sprintf("nothing answered within %s: check the network and AWS_ENDPOINT_URL", mishap.Duration(identityTimeout)))
	}
	return mishap.WithHint(wrapped, "check the network and AWS_ENDPOINT_URL")
}

// noSuchRegion is what to do where a region's host does not exist.
func noSuchRegion(region string) string {
	hint := "there may be no region " + region + ": check its name, then the network"
	if meant := nearly(region, regions()); meant != "" {
		hint += "; " + meant
	}
	return hint
}

// nearly asks whether the one among the known was meant that is written almost so;
// nothing if none is, or the region is one.
func nearly(region string, known []string) string {
	if slices.Contains(regions(), region) {
		return ""
	}
	return mishap.Nearest(region, known)
}

// regions are those that AWS has opened until today, to tell what was meant.
func regions() []string {
	return strings.Fields(`af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
		ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1
		ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3
		il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2`)
}

func expired(code string) bool {
	return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "RequestExpired"
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
