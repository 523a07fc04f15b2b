package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mishap/internal/awsfake/policy"
)

// Role is a role of an account; its place has no region.
const Role Kind = "arn:aws:iam::{account}:role/{id}"

func sts() Service {
	return Service{prefix: "sts", actions: map[string]action{
		"GetCallerIdentity": {free: true, do: func(k *call) (Doc, error) {
			return Doc{"Account": k.who.account, "Arn": k.who.arn, "UserId": "AIDAFAKE"}, nil
		}},
		"AssumeRole": {do: assumeRole, needs: func(k *call) []Need {
			return []Need{{Resource: k.in.Str("RoleArn"), Context: externalID(k)}}
		}},
	}}
}

func iam() Service {
	role := func(k *call) []Need {
		return []Need{{Resource: Role.ARN(Place{Account: k.Account}, k.in.Str("RoleName"))}}
	}
	return Service{prefix: "iam", actions: map[string]action{
		"ListRoles":                {do: listRoles},
		"GetRole":                  {do: getRole, needs: role},
		"ListRoleTags":             {do: listRoleTags, needs: role},
		"ListRolePolicies":         {do: listRolePolicies, needs: role},
		"ListAttachedRolePolicies": {do: listAttached, needs: role},
		"GetRolePolicy":            {do: getRolePolicy, needs: role},
		"PutRolePolicy":            {do: putRolePolicy, needs: role},
		"DeleteRolePolicy":         {do: deleteRolePolicy, needs: role},
		"SimulatePrincipalPolicy": {do: simulate, needs: func(k *call) []Need {
			return []Need{{Resource: k.in.Str("PolicySourceArn")}}
		}},
	}}
}

// AddRole seeds a role with inline policies by name. Who may assume it is in the
// trust policy; an empty one trusts everybody.
func (c *Cloud) AddRole(account, name, trust string, policies, tags map[string]string) (arn string) {
	defer c.lock()()
	if trust == "" {
		trust = `{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}`
	}
	p := Place{Account: account}
	return c.plant(p, Role, name, Doc{"RoleName": name, "RoleId": "AROAFAKE" + name, "Arn": Role.ARN(p, name), "Path": "/", "CreateDate": c.at,
		"MaxSessionDuration": 3600, "AssumeRolePolicyDocument": url.QueryEscape(trust), "_trust": trust, "_policies": maps.Clone(policies), "_tags": maps.Clone(tags)})
}

func externalID(k *call) map[string][]string {
	if id := k.in.Str("ExternalId"); id != "" {
		return map[string][]string{"sts:ExternalId": {id}, "sts:RoleSessionName": {k.in.Str("RoleSessionName")}}
	}
	return nil
}

func assumeRole(k *call) (Doc, error) {
	arn, session, seconds := k.in.Str("RoleArn"), k.in.Str("RoleSessionName"), k.in.Int("DurationSeconds", 3600)
	role := k.now(arn)
	asks := policy.Request{Action: "sts:AssumeRole", Resource: arn, Principals: k.who.names(), Context: k.context(arn, externalID(k)), Time: k.at}
	switch {
	case role == nil || policy.Judge(asks, role.Str("_trust")) != policy.Allows:
		return nil, &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", k.who.arn, arn)}
	case seconds > role.Int("MaxSessionDuration", 3600):
		return nil, &Error{Code: "ValidationError", Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	case seconds > 3600 && k.who.role != "":
		return nil, &Error{Code: "ValidationError", Message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"}
	}
	owner, name := strings.Split(arn, ":")[4], arn[strings.IndexByte(arn, '/')+1:]
	until := k.at.Add(time.Duration(seconds) * time.Second)
	key := k.key(owner, "role/"+name, session, until)
	return Doc{
		"Credentials":     Doc{"AccessKeyId": key, "SecretAccessKey": "secret", "SessionToken": "token", "Expiration": until},
		"AssumedRoleUser": Doc{"Arn": k.keys[key].arn, "AssumedRoleId": role.Str("RoleId") + ":" + session},
	}, nil
}

// role is the one that the call names.
func (k *call) role(seen bool) (Doc, error) {
	name := k.in.Str("RoleName")
	arn := Role.ARN(Place{Account: k.Account}, name)
	d := k.now(arn)
	if seen {
		d = k.seen(arn)
	}
	if d == nil {
		return nil, noEntity("The role with name " + name + " cannot be found.")
	}
	return d, nil
}

func noEntity(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "NoSuchEntity", Message: message}
}

func listRoles(k *call) (Doc, error) {
	found := []Doc{}
	for _, r := range k.list(Place{Account: k.Account}, Role, true) {
		if strings.HasPrefix(r.Str("Path"), k.in.Str("PathPrefix")) {
			found = append(found, r)
		}
	}
	page, next := k.paged(found, "Marker", "MaxItems")
	return Doc{"Roles": page, "Marker": next, "IsTruncated": next != nil}, nil
}

func getRole(k *call) (Doc, error) {
	r, err := k.role(true)
	if err != nil {
		return nil, err
	}
	shown := maps.Clone(r)
	shown["Tags"] = pairs(tags(r), "Key", "Value")
	return Doc{"Role": shown}, nil
}

func listRoleTags(k *call) (Doc, error) {
	r, err := k.role(true)
	if err != nil {
		return nil, err
	}
	return Doc{"Tags": pairs(tags(r), "Key", "Value"), "IsTruncated": false}, nil
}

func listRolePolicies(k *call) (Doc, error) {
	r, err := k.role(true)
	if err != nil {
		return nil, err
	}
	return Doc{"PolicyNames": slices.Sorted(maps.Keys(r.Map("_policies"))), "IsTruncated": false}, nil
}

func listAttached(k *call) (Doc, error) {
	r, err := k.role(true)
	if err != nil {
		return nil, err
	}
	all := []Doc{}
	for i := range r.Strs("_managed") {
		name := fmt.Sprintf("managed-%d", i+1)
		all = append(all, Doc{"PolicyName": name, "PolicyArn": "arn:aws:iam::" + k.Account + ":policy/" + name})
	}
	return Doc{"AttachedPolicies": all, "IsTruncated": false}, nil
}

func getRolePolicy(k *call) (Doc, error) {
	r, err := k.role(true)
	if err != nil {
		return nil, err
	}
	name := k.in.Str("PolicyName")
	text, there := r.Map("_policies")[name]
	if !there {
		return nil, noEntity("The role policy with name " + name + " cannot be found.")
	}
	return Doc{"RoleName": r["RoleName"], "PolicyName": name, "PolicyDocument": url.QueryEscape(text)}, nil
}

// changePolicies changes the inline policies of a role, which must not grow too
// large.
func changePolicies(k *call, change func(all map[string]string) error) (Doc, error) {
	r, err := k.role(false)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Str("Path"), "/aws-service-role/") {
		return nil, &Error{Code: "UnmodifiableEntity", Message: "Cannot perform the operation on the protected role '" + k.in.Str("RoleName") + "' - this role is only modifiable by AWS"}
	}
	all, size := r.Map("_policies"), 0
	if err := change(all); err != nil {
		return nil, err
	}
	for _, text := range all {
		size += len(strings.Join(strings.Fields(text), ""))
	}
	if size > 10240 {
		return nil, &Error{Status: http.StatusConflict, Code: "LimitExceeded", Message: "Maximum policy size of 10240 bytes exceeded for role " + k.in.Str("RoleName")}
	}
	k.edit(r.Str("_arn"), func(d Doc) { d["_policies"] = all })
	return nil, nil
}

func putRolePolicy(k *call) (Doc, error) {
	return changePolicies(k, func(all map[string]string) error {
		text := k.in.Str("PolicyDocument")
		if _, err := policy.Parse(text); err != nil {
			return &Error{Code: "MalformedPolicyDocument", Message: err.Error()}
		}
		all[k.in.Str("PolicyName")] = text
		return nil
	})
}

func deleteRolePolicy(k *call) (Doc, error) {
	return changePolicies(k, func(all map[string]string) error {
		name := k.in.Str("PolicyName")
		if _, there := all[name]; !there {
			return noEntity("The role policy with name " + name + " cannot be found.")
		}
		delete(all, name)
		return nil
	})
}

// simulate knows only the context that it is told.
func simulate(k *call) (Doc, error) {
	arn := k.in.Str("PolicySourceArn")
	who := identity{account: strings.Split(arn+"::::", ":")[4], arn: arn}
	if strings.Contains(arn, ":role/") {
		if who.role = arn; k.now(arn) == nil {
			return nil, noEntity("The role with name " + arn[strings.LastIndexByte(arn, '/')+1:] + " cannot be found.")
		}
	}
	context, resources, results := map[string][]string{}, k.in.Strs("ResourceArns"), []Doc{}
	for _, e := range k.in.Docs("ContextEntries") {
		context[e.Str("ContextKeyName")] = e.Strs("ContextKeyValues")
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, name := range k.in.Strs("ActionNames") {
		results = append(results, k.simulated(who, name, resources, context))
	}
	page, next := k.paged(results, "Marker", "MaxItems")
	return Doc{"EvaluationResults": page, "Marker": next, "IsTruncated": next != nil}, nil
}

// simulated is of one action: the worst that is said of any resource, and of each
// by itself.
func (k *call) simulated(who identity, name string, resources []string, context map[string][]string) Doc {
	out, each := Doc{"EvalActionName": name, "EvalResourceName": "*", "EvalDecision": "allowed"}, []Doc{}
	organisation := true
	for _, resource := range resources {
		why, decision := k.why(who, false, Need{Action: name, Resource: resource, Context: context}), "implicitDeny"
		if why == "" {
			decision = "allowed"
		} else if strings.Contains(why, "explicit deny") {
			decision = "explicitDeny"
		}
		organisation = organisation && !strings.Contains(why, "service control policy")
		missing := policy.Missing(policy.Request{Action: name, Resource: resource, Principals: who.names(), Context: context}, k.policies(who.role)...)
		one := Doc{"EvalResourceName": resource, "EvalResourceDecision": decision, "MissingContextValues": missing,
			"PermissionsBoundaryDecisionDetail": Doc{"AllowedByPermissionsBoundary": !strings.Contains(why, "permissions boundary")}}
		if each = append(each, one); out.Str("EvalDecision") == "allowed" || decision == "explicitDeny" {
			out["EvalDecision"], out["PermissionsBoundaryDecisionDetail"] = decision, one["PermissionsBoundaryDecisionDetail"]
		}
		if resource == "*" {
			out["MissingContextValues"] = missing
		}
	}
	if out["OrganizationsDecisionDetail"] = (Doc{"AllowedByOrganizations": organisation}); resources[0] != "*" {
		out["ResourceSpecificResults"] = each
	}
	return out
}
