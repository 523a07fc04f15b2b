package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"mishap"
	"mishap/internal/cloud"
)

// roleDenyWith says what a role may not do.
type roleDenyWith struct {
	Actions   []string `json:"actions" jsonschema:"what the role may no longer do, as IAM names it: calls that use data, such as s3:GetObject"`
	Resources []string `json:"resources,omitempty" jsonschema:"on what: ARNs, in which * is any text; default on all"`
}

const roleName = `^[\w+=,.@-]{1,64}$`

func (w roleDenyWith) problems() []error {
	all := notAmong(w.Actions, dataActions())
	if len(w.Actions) == 0 {
		all = append(all, &mishap.FieldError{Path: "with.actions", Msg: "name no action", Hint: "give some such as s3:GetObject"})
	}
	all = append(all, empty("with.resources", w.Resources)...)
	for i, r := range w.Resources {
		if !like(resourceARN).MatchString(r) {
			all = append(all, &mishap.FieldError{Path: fmt.Sprintf("with.resources[%d]", i), Msg: fmt.Sprintf("%q is not the ARN of a resource", r),
				Hint: "write it like arn:aws:s3:::photos/*; leave resources out for all"})
		}
	}
	return all
}

func iamDeny() fault[roleDenyWith] {
	is := about{
		name:    "iam-deny",
		symptom: mishap.SymptomWrong,
		summary: "denies a role what it does with data, and allows it again",
		doc: "The role gets an inline policy that denies until the fault must be over, so that by AWS's own clock it ends though nobody reverts it. It is named after the injection, " +
			"and nothing else of the role changes. Only calls that use data can be denied, none that manage anything. IAM may take half a minute until all of AWS knows.",
		example:  "injector: iam-deny\ntargets: {names: [checkout]}\nwith: {actions: [\"secretsmanager:GetSecretValue\"]}\nfor: 5m",
		whenLost: "from the time at which the fault must be over AWS no longer denies anything; the inline policy, which then says nothing, stays with the role until `mishap revert` or `mishap sweep`",
		class:    mishap.Expiring, settles: 30 * time.Second, revertTakes: 2 * time.Minute, batch: someEach,
		do:   []allow{reading("iam:ListRoles", "iam:ListRoleTags"), acting("iam:ListRolePolicies", "iam:GetRolePolicy", "iam:PutRolePolicy")},
		undo: []allow{acting("iam:GetRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies")},
		noun: "iam-role", kind: "iam-role", arn: "arn:{partition}:iam::{account}:role/{id}",
		attribute: "policies", normal: "allowed", injecting: "denied", id: like(roleName), idLike: "checkout", byName: true, paths: true,
	}
	return fault[roleDenyWith]{
		about: is,
		find: func(ctx context.Context, c aws.Config, t targets, _ roleDenyWith) ([]thing, error) {
			return findRoles(ctx, c, t)
		},
		check: func(ctx context.Context, c aws.Config, with roleDenyWith, chosen []thing) ([]string, error) {
			return asking("whether their inline policies leave room for one more", chosen, func(one thing) error {
				size, err := inlineSize(ctx, c, one.id)
				more, _ := roleDenial(c, recorded[roleDenyWith]{injection: "xxxxxxxx.10.10", with: with})
				if err == nil && size+len(more) > mostInline {
					return mishap.WithHint(fmt.Errorf("the inline policies of role %s have %d characters, and with one more %d: at most %d are allowed", one.id, size, size+len(more), mostInline),
						"make managed policies of some, name fewer `actions`, or choose another role")
				}
				return err
			})
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[roleDenyWith]) error {
			text, err := roleDenial(c, on)
			if err != nil {
				return err
			}
			_, err = newIAM(c).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(on.id), PolicyName: aws.String(sidOf(on.injection)), PolicyDocument: aws.String(text)})
			return cloud.Failed("put a policy into role "+on.id, err)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[roleDenyWith]) error {
			_, err := newIAM(c).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String(on.id), PolicyName: aws.String(sidOf(on.injection))})
			return cloud.Failed("take a policy out of role "+on.id, err, noEntity)
		}),
		read: lookEach(func(ctx context.Context, c aws.Config, on recorded[roleDenyWith]) (look, error) {
			_, err := newIAM(c).GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(on.id), PolicyName: aws.String(sidOf(on.injection))})
			if cloud.Code(err) != noEntity {
				return look{injected, is.injecting}, cloud.Failed("read a policy of role "+on.id, err)
			}
			_, there, err := inlineNames(ctx, c, on.id)
			if !there {
				return look{gone, "deleted"}, err
			}
			return look{normal, is.normal}, err
		}),
	}
}

// roleDenial is the inline policy of an injection.
func roleDenial(c aws.Config, on recorded[roleDenyWith]) (string, error) {
	resources := on.with.Resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17",
		"Statement": []statement{denies(on.injection, cloud.Now(c).Add(on.lasts), on.with.Actions, resources, nil)}})
	if err != nil {
		return "", fmt.Errorf("write policy: %w", err)
	}
	return string(text), nil
}
