// Package awsfake is an AWS in memory, for tests alone: an http.Handler, and a
// client without any socket, that speak the wire protocols of the SDK. What an
// AWS in earnest does and moto does not is settable: states that take their
// time, reads that show the past, groups that heal, request limits, calls that
// fail before or after they took effect, and answers that are late or lost.
//
// A test makes one, puts something there, and makes clients of its Config:
//
//	c := awsfake.New(awsfake.Slow())
//	p := c.Enter(awsfake.Place{Account: "111111111111", Region: "eu-west-1"})
//	ids := c.Launch(p, 2, map[string]string{"Role": "payments"})
//	c.On("ec2:StopInstances", 1, awsfake.LosesAnswer())
//	client := ec2.NewFromConfig(c.Config(p.Account, p.Region))
//
// Its time is time.Now, so that of a synctest bubble if it is used in one; what
// is due happens when it is next asked. What is found by Get, All and Snapshot is
// the truth, not what a reader would see. No signature is checked: an access key
// only says who asks.
package awsfake

import (
	"sync"
	"time"

	"mishap/internal/awsfake/policy"
	"mishap/internal/awsfake/wire"
)

// Doc is a document: what a call says, what it answers, or what a resource is,
// with the keys that its service writes. What it does not write so is at keys that
// begin with "_":
//
//	_tags        map[string]string, of all kinds
//	_policy      the policy of a bucket, queue, table or stream
//	_policies    map[string]string, the inline policies of a role; _managed: []string
//	_boundary    the text of a role's permissions boundary
//	_attributes  a Doc of an instance: disableApiStop, disableApiTermination
//	_group, _nic the ARN of an instance's group, the id of its network interface
//	_boots       how often an instance was rebooted
//	_hooks       []Doc, the lifecycle hooks of a group
//	_concurrency what a function has reserved
//	_members     []string, the ARNs in a stack or resource group
type Doc = wire.Doc

// Error is a refusal, in AWS's words.
type Error = wire.Error

// Settings are how an AWS behaves. Without any, all happens at once.
type Settings struct {
	Now func() time.Time // of the server; none: time.Now

	Stop, Start, Terminate time.Duration // how long an instance is on its way
	Boot                   time.Duration // how long its status checks initialize after it started or rebooted
	Heal                   time.Duration // until a group looks at its members after one changed
	Standby                time.Duration // how long a member enters or leaves standby
	Mapping                time.Duration // how long an event source mapping is on its way
	Endpoint               time.Duration // how long a VPC endpoint is pending after a change
	Stale                  time.Duration // how long reads show the past, unless SetStale says otherwise

	Page   int     // the most items of a page; 0: 1,000
	Limits []Limit // of requests; none: no limits
}

// Slow is an AWS as slow as EC2 is said to be, with the documented limits.
func Slow() Settings {
	return Settings{
		Stop: 40 * time.Second, Start: 20 * time.Second, Terminate: 40 * time.Second, Boot: 60 * time.Second, Heal: 60 * time.Second,
		Standby: 10 * time.Second, Mapping: 15 * time.Second, Endpoint: 15 * time.Second, Stale: 2 * time.Second, Limits: Documented(),
	}
}

// Cloud is an AWS: accounts, regions and what is in them.
type Cloud struct {
	Settings

	services map[string]Service
	noticed  func(arn string) // that somebody changed it behind the back of all services

	mu      sync.Mutex
	at      time.Time // that it is for what happens now
	due     []event
	docs    map[string]*history // by ARN
	places  map[Place]bool      // that have a network of their own
	ids     int
	stale   []staleRule
	buckets map[string]*bucket
	fates   []*rule
	judge   func(Call) Fate
	calls   []Call
	keys    map[string]identity
	guards  map[string][]guardrail // service control policies, by account
	off     map[Place]bool
	looking map[string]bool // groups that will soon look at their members
}

// Place is a region of an account.
type Place struct{ Account, Region string }

// identity is who an access key belongs to.
type identity struct {
	account, arn, role string // role: its ARN, if one was assumed
	expires            time.Time
}

// guardrail is a service control policy.
type guardrail struct{ arn, text string }

// Enter knows a place, which thereby has what each service puts there for
// everybody: the default network.
func (c *Cloud) Enter(p Place) Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(p)
	return p
}

func (c *Cloud) enter(p Place) {
	if c.places[p] {
		return
	}
	c.places[p] = true
	for _, s := range c.services {
		if s.settle != nil {
			s.settle(c, p)
		}
	}
}

// Set changes how it behaves from now on.
func (c *Cloud) Set(change func(*Settings)) {
	defer c.lock()()
	change(&c.Settings)
}

// Key makes an access key of a principal of the account, like "user/ann" or
// "role/app". A role's policies are judged; a user may do all that no service
// control policy and no resource denies. The account's number is a key too, of
// its user "admin".
func (c *Cloud) Key(account, principal string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key(account, principal, "session", time.Time{})
}

// Guard puts a service control policy on an account.
func (c *Cloud) Guard(account, name, text string) error {
	if _, err := policy.Parse(text); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guards[account] = append(c.guards[account], guardrail{"arn:aws:organizations::" + account + ":policy/o-fake/service_control_policy/" + name, text})
	return nil
}

// TurnOff makes a region one that the account has not enabled.
func (c *Cloud) TurnOff(p Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off[p] = true
}
