package awsfake

import (
	"net/http"
	"time"

	"mishap/internal/awsfake/policy"
)

// Limit is a token bucket for calls whose action is like a pattern: one for each
// account, region and action.
type Limit struct {
	Actions string  // "ec2:Describe*"
	Size    float64 // of the bucket
	Refill  float64 // tokens a second
	Shared  bool    // by all these actions
	PerItem bool    // a token for each resource, beside that for the request
	Bare    bool    // only calls that neither filter nor ask for pages
}

// Documented are the limits that AWS writes of.
func Documented() []Limit {
	return []Limit{
		{Actions: "ec2:DescribeInstance*", Size: 50, Refill: 10, Bare: true},
		{Actions: "ec2:DescribeNetworkInterfaces", Size: 50, Refill: 10, Bare: true},
		{Actions: "ec2:DescribeSecurityGroups", Size: 50, Refill: 10, Bare: true},
		{Actions: "ec2:Describe*", Size: 100, Refill: 20},
		{Actions: "ec2:RunInstances", Size: 5, Refill: 2},
		{Actions: "ec2:RunInstances", Size: 1000, Refill: 2, PerItem: true},
		{Actions: "ec2:StartInstances", Size: 5, Refill: 2},
		{Actions: "ec2:StartInstances", Size: 1000, Refill: 2, PerItem: true},
		{Actions: "ec2:StopInstances", Size: 1000, Refill: 20, PerItem: true},
		{Actions: "ec2:TerminateInstances", Size: 100, Refill: 5},
		{Actions: "ec2:TerminateInstances", Size: 1000, Refill: 20, PerItem: true},
		{Actions: "ec2:CreateTags", Size: 100, Refill: 10},
		{Actions: "ec2:*", Size: 50, Refill: 5},
		{Actions: "ssm:PutParameter", Size: 3, Refill: 3},
		{Actions: "ssm:DeleteParameter*", Size: 3, Refill: 3, Shared: true},
		{Actions: "ssm:GetParameter*", Size: 40, Refill: 40, Shared: true},
	}
}

// bucket is how many tokens there were at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

// throttled takes the tokens for a call, or refuses it as its service does.
func (c *Cloud) throttled(s Service, record Call) error {
	for _, perItem := range []bool{false, true} {
		if !c.take(record, perItem) {
			return limited(s.prefix)
		}
	}
	return nil
}

func (c *Cloud) take(record Call, perItem bool) bool {
	for _, l := range c.Limits {
		if l.PerItem != perItem || l.Bare && !bare(record.In) || !policy.Like(l.Actions, record.Action) {
			continue
		}
		key, cost := record.Account+record.Region+record.Action, 1.0
		if l.Bare {
			key += " bare"
		}
		if l.Shared {
			key = record.Account + record.Region + l.Actions
		}
		if perItem {
			key, cost = key+" items", float64(len(record.Needs))
		}
		b := c.buckets[key]
		if b == nil {
			b = &bucket{l.Size, c.at}
			c.buckets[key] = b
		}
		b.tokens = min(l.Size, b.tokens+l.Refill*c.at.Sub(b.at).Seconds())
		b.at = c.at
		if b.tokens < cost {
			return false
		}
		b.tokens -= cost
		return true
	}
	return true
}

// bare says whether a call says nothing about what it wants.
func bare(in Doc) bool {
	for key := range in {
		if key != "Action" && key != "Version" && key != "DryRun" {
			return false
		}
	}
	return true
}

func limited(service string) *Error {
	switch service {
	case "ec2":
		return &Error{Status: http.StatusServiceUnavailable, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
	case "autoscaling", "iam", "sts", "cloudformation":
		return &Error{Code: "Throttling", Message: "Rate exceeded"}
	case "lambda":
		return &Error{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate exceeded"}
	case "s3":
		return &Error{Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate."}
	}
	return &Error{Code: "ThrottlingException", Message: "Rate exceeded"}
}
