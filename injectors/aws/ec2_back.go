package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
)

// giveBack gives a thing what it had. If others deleted some of it meanwhile, AWS
// refuses all: what there still is is given then. Where that is nothing, a person
// must choose.
func giveBack(of string, had []string, give func([]string) error, there func([]string) ([]string, error)) error {
	err := give(had)
	if !cloud.Refused(err) || cloud.Throttled(err) {
		return err
	}
	are, unread := there(had)
	left := without(had, without(had, are))
	switch {
	case unread != nil, len(left) == len(had):
		return errors.Join(err, unread)
	case len(left) == 0:
		return mishap.WithHint(fmt.Errorf("others deleted all that %s had, %s: %w", of, strings.Join(had, ", "), err),
			"give it others yourself, then `mishap revert` removes what is left")
	}
	return give(left)
}

// groupsThere are those of the security groups that there are.
func groupsThere(ctx context.Context, c aws.Config) func([]string) ([]string, error) {
	return func(groups []string) (all []string, err error) {
		found, err := describeSecurityGroups(ctx, c, filter("group-id", groups...))
		for _, g := range found {
			all = append(all, aws.ToString(g.GroupId))
		}
		return all, err
	}
}

func describeSecurityGroups(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.SecurityGroup, error) {
	return pages("security groups", filters, func(some []types.Filter, token *string) ([]types.SecurityGroup, *string, error) {
		out, err := newEC2(c).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.SecurityGroups, out.NextToken, nil
	})
}

// subnetsThere are those of the subnets that there are.
func subnetsThere(ctx context.Context, c aws.Config) func([]string) ([]string, error) {
	return func(subnets []string) (all []string, err error) {
		found, err := describeSubnets(ctx, c, filter("subnet-id", subnets...))
		for _, s := range found {
			all = append(all, aws.ToString(s.SubnetId))
		}
		return all, err
	}
}

// giveAnother is the next step for a person where something of before is missing.
const giveAnother = " (if somebody deleted that, give it another)"

// otherGroups says how security groups differ from those of before.
func otherGroups(was, now []string) string {
	text := "in other security groups than before"
	if less := without(was, now); len(less) > 0 {
		text += ": without " + strings.Join(less, ", ") + giveAnother
	}
	return text
}

// without is those that are not among others.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(others, one) })
}
