package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// Decision is what IAM says of an action on a resource.
type Decision struct {
	Action, Resource string
	Denied           string   // AWS's words, and which policy it is; empty: it is allowed
	Ungranted        bool     // it is denied for want of a grant alone
	Missing          []string // condition keys that it may depend on, and that were not told
}

// Hint says who can change what denies it.
func (d Decision) Hint() string { return deniedHint(d.Action, d.Denied) }

// Principal is whose policies count for the credentials, a role or a user. It is
// empty where IAM has none: for an account's root user, and federated ones. Of a
// role that was taken on elsewhere its path is not known.
func (p Place) Principal() string {
	switch role := roleOf(p.Caller); {
	case p.Role != "":
		return p.Role
	case role != "":
		return role
	case strings.Contains(p.Caller, ":user/"):
		return p.Caller
	}
	return ""
}

// ErrCalls is that a check may make no more calls.
var ErrCalls = errors.New("a plan asks IAM no more often")

// Allowed asks IAM of each of the actions on each of the resources, in a call with
// these condition keys. It takes the calls that it makes from those that are left.
func (p Place) Allowed(ctx context.Context, left *int, actions, resources []string, keys map[string]string) (all []Decision, err error) {
	in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(p.Principal()), ActionNames: actions, ResourceArns: resources, MaxItems: aws.Int32(1000)}
	for key, value := range keys {
		in.ContextEntries = append(in.ContextEntries, types.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: types.ContextKeyTypeEnumString, ContextKeyValues: []string{value}})
	}
	if p.Principal() == "" {
		return nil, fmt.Errorf("IAM knows no policies of the credentials (%s)", p.Caller)
	}
	client := iam.NewFromConfig(Once(p.Config)) // what cannot be asked is noted, and holds up no plan
	for ; *left > 0; *left-- {
		out, err := simulate(ctx, client, in)
		if err != nil {
			return nil, Failed("ask IAM", err)
		}
		for _, r := range out.EvaluationResults {
			all = append(all, decisions(r)...)
		}
		if in.Marker = out.Marker; !out.IsTruncated {
			*left--
			return all, nil
		}
	}
	return nil, ErrCalls
}

// simulateWithin is how long one question may take.
const simulateWithin = 5 * time.Second

func simulate(ctx context.Context, client *iam.Client, in *iam.SimulatePrincipalPolicyInput) (*iam.SimulatePrincipalPolicyOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, simulateWithin)
	defer cancel()
	return client.SimulatePrincipalPolicy(ctx, in)
}

// decisions are those of an action on each resource. Where there is but "*", IAM
// says it of the action alone.
func decisions(r types.EvaluationResult) (all []Decision) {
	each := r.ResourceSpecificResults
	if len(each) == 0 {
		each = []types.ResourceSpecificResult{{EvalResourceName: aws.String("*"), EvalResourceDecision: r.EvalDecision, MatchedStatements: r.MatchedStatements,
			MissingContextValues: r.MissingContextValues, PermissionsBoundaryDecisionDetail: r.PermissionsBoundaryDecisionDetail}}
	}
	for _, one := range each {
		d := Decision{Action: aws.ToString(r.EvalActionName), Resource: aws.ToString(one.EvalResourceName), Missing: one.MissingContextValues}
		if one.EvalResourceDecision != types.PolicyEvaluationDecisionTypeAllowed {
			d.Denied, d.Ungranted = denial(r.OrganizationsDecisionDetail, one)
		}
		all = append(all, d)
	}
	return all
}

// denial is AWS's decision, and which policy made it in the words that AWS has for
// calls that it denies.
func denial(by *types.OrganizationsDecisionDetail, r types.ResourceSpecificResult) (words string, ungranted bool) {
	kind := "identity-based policy"
	switch {
	case by != nil && !by.AllowedByOrganizations:
		kind = "service control policy"
	case r.PermissionsBoundaryDecisionDetail != nil && !r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary:
		kind = "permissions boundary"
	default:
		ungranted = r.EvalResourceDecision == types.PolicyEvaluationDecisionTypeImplicitDeny
	}
	if r.EvalResourceDecision == types.PolicyEvaluationDecisionTypeImplicitDeny {
		return fmt.Sprintf("%s, because no %s allows it", r.EvalResourceDecision, kind), ungranted
	}
	words = fmt.Sprintf("%s, with an explicit deny in a %s", r.EvalResourceDecision, kind)
	for _, s := range r.MatchedStatements {
		words += " " + aws.ToString(s.SourcePolicyId)
	}
	return strings.Replace(words, "a identity", "an identity", 1), ungranted
}
