// Package cloud is the one way to AWS: whose the credentials are, where they may
// be used, how often and how a call is made, and what its errors say. All that
// calls AWS takes its clients' configuration from here.
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
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"mishap"
)

// identityTimeout bounds everything that one Place may ask of the network:
// credentials from files, single sign-on or the machine's role, and STS.
const identityTimeout = 10 * time.Second

// Cloud caches one configuration per account, region and role, and counts the
// calls that are made with them. It is safe for concurrent use.
type Cloud struct {
	mu     sync.Mutex
	places map[At]Place
	stands map[string]map[string]string // what instances stand on, see StandsOn
	rates  rates
}

// At is where calls go, and as whom. It is what a record needs to find the way
// back: no account is that of the credentials, no region that of the AWS
// configuration, no role the credentials as they are.
type At struct {
	Account    string `json:"account,omitempty"`
	Region     string `json:"region,omitempty"`
	Role       string `json:"role,omitempty"`       // ARN of the role to take on
	ExternalID string `json:"externalId,omitempty"` // that its trust policy asks for
}

// Place is an account in a region, with credentials.
type Place struct {
	At
	Config aws.Config
	Caller string // ARN of whoever the credentials are of
}

// New makes a Cloud that has asked nobody yet.
func New() *Cloud { return &Cloud{places: map[At]Place{}} }

// Place loads the configuration and asks AWS whose credentials these are. It takes
// at most 10 s, and remembers only answers. Credentials of another account are an
// error. Errors carry a hint.
func (c *Cloud) Place(ctx context.Context, at At) (Place, error) {
	if p, ok := c.known(at); ok {
		return p, nil
	}
	// Without the lock: nobody waits here for somebody else's network.
	p, err := c.ask(ctx, at)
	if err != nil {
		return Place{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.places[at], c.places[p.At] = p, p
	at.Region = p.Region
	c.places[at] = p
	return p, nil
}

func (c *Cloud) known(at At) (Place, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.places[at]
	return p, ok
}

func (c *Cloud) ask(ctx context.Context, at At) (Place, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	cfg, err := load(ctx, at.Region)
	if err != nil {
		return Place{}, err
	}
	at.Region = cfg.Region
	own := &renewable{region: at.Region, now: cfg.Credentials}
	cfg.Credentials = own
	// Before STS, so that no credentials and no answer are told apart.
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return Place{}, explainCredentials(err)
	}
	if at.Role != "" {
		if cfg, err = assume(ctx, cfg, at); err != nil {
			return Place{}, err
		}
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return Place{}, explainIdentity(cfg.Region, err)
	}
	account := aws.ToString(identity.Account)
	if at.Account != "" && at.Account != account {
		return Place{}, anotherAccount(at, account)
	}
	if at.Account = account; at.Role == "" {
		own.only(account)
	}
	return Place{At: at, Config: c.Calls(cfg, account), Caller: aws.ToString(identity.Arn)}, nil
}

// load reads the AWS configuration of this machine and user.
func load(ctx context.Context, region string) (aws.Config, error) {
	// What the SDK would log is in the error, or of no use to a person.
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil:
		return cfg, explainConfig(err)
	case cfg.Region == "":
		return cfg, mishap.WithHint(errors.New("no AWS region is given"), "write targets: {region: …}, or set AWS_REGION")
	case !plausible(cfg.Region):
		return cfg, mishap.WithHint(fmt.Errorf("%q is not the name of an AWS region", cfg.Region), "write it like eu-west-1")
	}
	return cfg, nil
}

func anotherAccount(at At, account string) error {
	if at.Role != "" {
		return mishap.WithHint(fmt.Errorf("role %s is of account %s, not %s", at.Role, account, at.Account),
			"correct `role` of account "+at.Account+" in the settings")
	}
	return mishap.WithHint(fmt.Errorf("the credentials are for account %s, not %s", account, at.Account),
		"use credentials for account "+at.Account+", or give it a `role` under `accounts` in the settings")
}

// Partition is the part of AWS that a region is in.
func Partition(region string) string {
	for prefix, p := range map[string]string{"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b", "eusc-": "aws-eusc"} {
		if strings.HasPrefix(region, prefix) {
			return p
		}
	}
	return "aws"
}
