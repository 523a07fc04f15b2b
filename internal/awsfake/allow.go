package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mishap/internal/awsfake/policy"
	"mishap/internal/awsfake/wire"
)

// key makes an access key.
func (c *Cloud) key(account, principal, session string, expires time.Time) string {
	c.ids++
	id := fmt.Sprintf("AKIAFAKE%012d", c.ids)
	who := identity{account: account, arn: "arn:aws:iam::" + account + ":" + principal, expires: expires}
	if role, is := strings.CutPrefix(principal, "role/"); is {
		who.role = who.arn
		who.arn = "arn:aws:sts::" + account + ":assumed-role/" + role[strings.LastIndex(role, "/")+1:] + "/" + session
	}
	c.keys[id] = who
	return id
}

// who is asking, or why we cannot know.
func (c *Cloud) who(q wire.Request) (identity, error) {
	who, known := c.keys[q.Key]
	if !known && len(q.Key) == 12 && strings.Trim(q.Key, "0123456789") == "" {
		who, known = identity{account: q.Key, arn: "arn:aws:iam::" + q.Key + ":user/admin"}, true
	}
	expired := known && !who.expires.IsZero() && !c.at.Before(who.expires)
	unknown := !known || c.off[Place{who.account, q.Region}]
	switch {
	case expired && q.Protocol == wire.EC2:
		return who, &Error{Code: "RequestExpired", Message: "Request has expired."}
	case expired && (q.Protocol == wire.JSON || q.Protocol == wire.RESTJSON):
		return who, &Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	case expired:
		return who, &Error{Status: http.StatusForbidden, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
	case unknown && q.Protocol == wire.EC2:
		return who, &Error{Status: http.StatusUnauthorized, Code: "AuthFailure", Message: "AWS was not able to validate the provided access credentials"}
	case unknown && q.Protocol == wire.Query:
		return who, &Error{Status: http.StatusForbidden, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
	case unknown && q.Protocol == wire.RESTXML:
		return who, &Error{Status: http.StatusForbidden, Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records."}
	case unknown:
		return who, &Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}
	}
	return who, nil
}

// record is the call for the journal, with what it must be allowed.
func (k *call) record(s Service, a action) Call {
	r := Call{At: k.at, Account: k.Account, Region: k.Region, Principal: k.who.arn, Action: s.prefix + ":" + k.name, In: k.in, DryRun: k.in.Bool("DryRun")}
	if a.free {
		return r
	}
	if a.needs != nil {
		r.Needs = a.needs(k)
	}
	if len(r.Needs) == 0 {
		r.Needs = []Need{{Resource: "*"}}
	}
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Action == "" {
			n.Action = r.Action
		}
		n.Context = k.context(n.Resource, n.Context)
	}
	r.Action = r.Needs[0].Action // that some services call otherwise than their API does
	return r
}

// context adds what is known of every call, and of its resource.
func (k *call) context(resource string, with map[string][]string) map[string][]string {
	all := map[string][]string{"aws:RequestedRegion": {k.Region}, "aws:PrincipalAccount": {k.who.account}, "aws:PrincipalArn": {k.who.names()[0]}}
	maps.Copy(all, with)
	service := strings.Split(resource+":::", ":")[2]
	for key, value := range tags(k.now(resource)) {
		all["aws:ResourceTag/"+key] = []string{value}
		all[service+":ResourceTag/"+key] = []string{value}
	}
	return all
}

// names of who asks: policies name the role more often than its session.
func (who identity) names() []string {
	names := []string{who.arn, who.account, "arn:aws:iam::" + who.account + ":root"}
	if who.role != "" {
		names = append([]string{who.role}, names...)
	}
	return names
}

// denied says that a call is, and which policy did it, as AWS does.
func (k *call) denied(s Service, a action, record Call) error {
	for _, n := range record.Needs {
		if why := k.why(k.who, s.policied, n); why != "" {
			return s.denial(k.who.arn, n, why)
		}
	}
	return nil
}

// denial is how a service says that somebody lacks a permission, and why.
func (s Service) denial(who string, n Need, why string) *Error {
	message := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", who, n.Action, n.Resource, why)
	switch s.prefix {
	case "ec2":
		return &Error{Status: http.StatusForbidden, Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation. " + message + ". Encoded authorization failure message: fake"}
	case "autoscaling", "iam", "sts", "cloudformation", "s3":
		return &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: message}
	case "lambda":
		return &Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: message}
	}
	return &Error{Code: "AccessDeniedException", Message: message, Query: map[string]string{"sqs": "AccessDenied"}[s.prefix]}
}

// why somebody lacks a permission, in AWS's words; empty if it is not lacking. The
// policies of resources may count too.
func (c *Cloud) why(who identity, policied bool, n Need) string {
	r := policy.Request{Action: n.Action, Resource: n.Resource, Principals: who.names(), Context: n.Context, Time: c.at}
	for _, g := range c.guards[who.account] {
		if policy.Judge(r, g.text) == policy.Denies {
			return "with an explicit deny in a service control policy: " + g.arn
		}
	}
	by := policy.Silent
	if text := c.holder(n.Resource).Str("_policy"); policied && text != "" {
		by = policy.Judge(r, text)
	}
	switch is := policy.Judge(r, c.policies(who.role)...); {
	case by == policy.Denies:
		return "with an explicit deny in a resource-based policy"
	case who.role == "":
		return ""
	case is == policy.Denies:
		return "with an explicit deny in an identity-based policy"
	case is == policy.Silent && by != policy.Allows:
		return "because no identity-based policy allows the " + n.Action + " action"
	}
	if bound := c.seen(who.role).Str("_boundary"); bound != "" && policy.Judge(r, bound) != policy.Allows {
		return "because no permissions boundary allows the " + n.Action + " action"
	}
	return ""
}

// holder is what has the policy for an ARN: itself, or what it is in.
func (c *Cloud) holder(arn string) Doc {
	for arn != "" && c.docs[arn] == nil {
		arn = arn[:max(0, strings.LastIndexByte(arn, '/'))]
	}
	return c.seen(arn)
}

// policies of a role. One that nobody made may do all.
func (c *Cloud) policies(role string) []string {
	d := c.seen(role)
	if d == nil {
		return []string{`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`}
	}
	inline := d.Map("_policies")
	all := d.Strs("_managed")
	for _, name := range slices.Sorted(maps.Keys(inline)) {
		all = append(all, inline[name])
	}
	return all
}

// on is the permission for each resource that the call names.
func on(kind Kind, key string, with ...func(k *call) []Need) func(k *call) []Need {
	return func(k *call) (all []Need) {
		names := k.in.Strs(key)
		if one := k.in.Str(key); one != "" {
			names = []string{one}
		}
		for _, name := range names {
			all = append(all, Need{Resource: kind.ARN(k.Place, name)})
		}
		for _, more := range with {
			all = append(all, more(k)...)
		}
		return all
	}
}
