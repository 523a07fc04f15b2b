package aws

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

// What faults in IAM roles share.

const (
	noEntity   = "NoSuchEntity"
	mostInline = 10240 // characters of a role's inline policies together, without blanks
)

func newIAM(c aws.Config) *iam.Client { return iam.NewFromConfig(c) }

// dataActions are the calls that use data, of services in which a role may be
// denied some.
func dataActions() []string {
	more := []string{
		"lambda:InvokeFunction", "sns:Publish", "events:PutEvents", "secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
		"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "firehose:PutRecord", "firehose:PutRecordBatch", "ses:SendEmail", "states:StartExecution",
	}
	return slices.Concat(sqsActions(), s3Actions(), dynamodbActions(), kinesisActions(), more)
}

// findRoles lists the roles that may be meant, with their tags.
func findRoles(ctx context.Context, c aws.Config, t targets) (found []thing, err error) {
	names := t.IDs
	if len(names) == 0 {
		names = t.Names
	}
	input := &iam.ListRolesInput{}
	for {
		page, err := newIAM(c).ListRoles(ctx, input)
		if err != nil {
			return nil, cloud.Failed("list roles", err)
		}
		for _, r := range page.Roles {
			one := thing{id: aws.ToString(r.RoleName), name: aws.ToString(r.RoleName), arn: aws.ToString(r.Arn), now: look{normal, "allowed"}}
			if strings.HasPrefix(aws.ToString(r.Path), "/aws-service-role/") {
				one.unfit = mishap.WithHint(target.None("role %s is AWS's own, and cannot be changed", one.id), "choose a role of yours")
			}
			if len(names) == 0 || slices.Contains(names, one.id) {
				found = append(found, one)
			}
		}
		if input.Marker = page.Marker; !page.IsTruncated {
			break
		}
	}
	return lookedAt(found, nil, func(one *thing) (err error) {
		one.tags, err = roleTags(ctx, c, one.id)
		return err
	})
}

func roleTags(ctx context.Context, c aws.Config, role string) (map[string]string, error) {
	out, err := newIAM(c).ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: aws.String(role)}) // a role has 50 at most, a page 100
	if err != nil {
		return nil, cloud.Failed("list the tags of role "+role, err, noEntity)
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}

// inlineNames are the names of a role's inline policies, if there is such a role.
func inlineNames(ctx context.Context, c aws.Config, role string) (names []string, there bool, err error) {
	input := &iam.ListRolePoliciesInput{RoleName: aws.String(role)}
	for {
		page, err := newIAM(c).ListRolePolicies(ctx, input)
		if err != nil {
			return nil, cloud.Code(err) != noEntity, cloud.Failed("list the policies of role "+role, err, noEntity)
		}
		names = append(names, page.PolicyNames...)
		if input.Marker = page.Marker; !page.IsTruncated {
			return names, true, nil
		}
	}
}

// inlineSize is how long they are together, as IAM counts.
func inlineSize(ctx context.Context, c aws.Config, role string) (size int, err error) {
	names, _, err := inlineNames(ctx, c, role)
	for _, name := range names {
		out, err := newIAM(c).GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(role), PolicyName: aws.String(name)})
		if err != nil {
			return 0, cloud.Failed("read a policy of role "+role, err)
		}
		text, err := url.QueryUnescape(aws.ToString(out.PolicyDocument))
		if err != nil {
			text = aws.ToString(out.PolicyDocument) // which is longer
		}
		size += len(strings.Join(strings.Fields(text), ""))
	}
	return size, err
}
