package aws

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroups"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

// finding is the fault with what finding these targets needs to be allowed.
func (f fault[With]) finding(t targets) fault[With] {
	if t.ResourceGroup != "" { // what a group is made of, tags or a stack, is looked up as whoever asks
		f.do = append(slices.Clip(f.do), reading("resource-groups:ListGroupResources", "tag:GetResources", "cloudformation:DescribeStacks", "cloudformation:ListStackResources"))
	}
	return f
}

// grouped names the things of a resource group, those of this fault's kind, by
// their ids. A group may hold anything.
func (a about) grouped(ctx context.Context, c aws.Config, t targets) (targets, error) {
	if t.ResourceGroup == "" {
		return t, nil
	}
	arns, err := resourceGroup(ctx, c, t.ResourceGroup)
	if err != nil {
		return t, err
	}
	var ids []string
	for _, text := range arns {
		id, _, _, ok := a.named(text)
		if ok && (len(t.IDs) == 0 || slices.Contains(t.IDs, id)) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return t, target.None("resource group %s has %s, and no %s that is meant", t.ResourceGroup, mishap.Plural(len(arns), "member"), a.noun)
	}
	t.IDs = ids
	return t, nil
}

// resourceGroup lists the ARNs of a group of AWS Resource Groups, page by page.
func resourceGroup(ctx context.Context, c aws.Config, name string) (arns []string, err error) {
	input := &resourcegroups.ListGroupResourcesInput{Group: aws.String(name)}
	for {
		page, err := resourcegroups.NewFromConfig(c).ListGroupResources(ctx, input)
		if err != nil {
			return nil, cloud.Failed("list resource group "+name, err)
		}
		for _, member := range page.Resources {
			if member.Identifier != nil {
				arns = append(arns, aws.ToString(member.Identifier.ResourceArn))
			}
		}
		if input.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			return arns, nil
		}
	}
}
