// Package cloud gets AWS configuration and says whose it is.
package cloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"mishap"
)

// identityTimeout bounds everything that one Place may ask of the network:
// credentials from files, single sign-on or the machine's role, and STS.
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
// is empty, and asks AWS whose credentials these are. It takes at most 10 s,
// and remembers only answers. Errors carry a hint.
func (c *Cloud) Place(ctx context.Context, region string) (Place, error) {
	if p, ok := c.known(region); ok {
		return p, nil
	}
	// Without the lock: nobody waits here for somebody else's network.
	p, err := ask(ctx, region)
	if err != nil {
		return Place{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.regions[region], c.regions[p.Region] = p, p
	return p, nil
}

func (c *Cloud) known(region string) (Place, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.regions[region]
	return p, ok
}

func ask(ctx context.Context, region string) (Place, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	// What the SDK would log is in the error, or of no use to a person.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return Place{}, explainConfig(err)
	}
	if cfg.Region == "" {
		return Place{}, mishap.WithHint(errors.New("no AWS region is given"), "write targets: {region: …}, or set AWS_REGION")
	}
	if !plausible(cfg.Region) {
		return Place{}, mishap.WithHint(fmt.Errorf("%q is not the name of an AWS region", cfg.Region), "write it like eu-west-1")
	}
	// Before STS, so that no credentials and no answer are told apart.
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return Place{}, explainCredentials(err)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Place{}, explainIdentity(cfg.Region, err)
	}
	return Place{Config: cfg, Account: aws.ToString(identity.Account), Region: cfg.Region}, nil
}
