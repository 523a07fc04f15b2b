// Package cloud gets AWS configuration and says whose it is.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mishap"
)

const identityTimeout = 10 * time.Second

// Cloud caches one configuration per region. It is safe for concurrent use.
type Cloud struct {
	mu      sync.Mutex
	regions map[string]Place
}

// Place is an account in a region, with credentials.
type Place struct {
	Config          aws.Config
	Account, Region string
}

// New makes a Cloud that has asked nobody yet.
func New() *Cloud { return &Cloud{regions: map[string]Place{}} }

// Place loads the configuration for a region, or for the default region if it
// is empty, and asks AWS whose credentials these are. Errors carry a hint.
func (c *Cloud) Place(ctx context.Context, region string) (Place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.regions[region]; ok {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	options := []func(*config.LoadOptions) error{config.WithEC2IMDSClientEnableState(imds.ClientDefaultEnableState)}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return Place{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return Place{}, mishap.WithHint(errors.New("no AWS region is given"), "write targets: {region: …}, or set AWS_REGION")
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Place{}, explain(cfg.Region, err)
	}
	p := Place{Config: cfg, Account: aws.ToString(identity.Account), Region: cfg.Region}
	c.regions[region] = p
	return p, nil
}

// explain says what to do about the usual reasons.
func explain(region string, err error) error {
	err = fmt.Errorf("ask AWS in %s whose credentials these are: %w", region, err)
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	text := err.Error()
	switch {
	case strings.Contains(code, "Expired"):
		return mishap.WithHint(err, "the credentials have expired: log in again, for example with `aws sso login`")
	case code == "InvalidClientTokenId", code == "SignatureDoesNotMatch", code == "AccessDenied":
		return mishap.WithHint(err, "the credentials are wrong: check AWS_PROFILE or AWS_ACCESS_KEY_ID")
	case strings.Contains(text, "no such host"):
		return mishap.WithHint(err, "there may be no region "+region+": check its name, and the network")
	case strings.Contains(text, "get credentials"), strings.Contains(text, "retrieve credentials"), strings.Contains(text, "get identity"):
		return mishap.WithHint(err, "there are no credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give the machine a role")
	}
	return mishap.WithHint(err, "check the network and AWS_ENDPOINT_URL")
}
