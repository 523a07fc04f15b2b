package aws

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap/internal/cloud"
)

// What faults in Auto Scaling groups share.

const (
	asgSettles = 15 * time.Second
	asgPerCall = 50 // names that a call takes at most
	groupARN   = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{id}"
)

var groupName = regexp.MustCompile(`^[^:\x00-\x1f]{1,255}$`)

func newAutoScaling(c aws.Config) *autoscaling.Client { return autoscaling.NewFromConfig(c) }

// describeGroups lists the groups with these names, as far as there are any; all
// that pass the filters if there are no names.
func describeGroups(ctx context.Context, c aws.Config, names []string, filters ...types.Filter) (all []types.AutoScalingGroup, err error) {
	inputs := []*autoscaling.DescribeAutoScalingGroupsInput{{Filters: filters}}
	if len(names) > 0 {
		inputs = nil
		for some := range slices.Chunk(names, asgPerCall) {
			inputs = append(inputs, &autoscaling.DescribeAutoScalingGroupsInput{Filters: filters, AutoScalingGroupNames: some})
		}
	}
	for _, input := range inputs {
		for {
			page, err := newAutoScaling(c).DescribeAutoScalingGroups(ctx, input)
			if err != nil {
				return nil, cloud.Failed("describe Auto Scaling groups", err)
			}
			all = append(all, page.AutoScalingGroups...)
			if input.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
				break
			}
		}
	}
	return all, nil
}

// findGroups lists the groups that may be meant.
func findGroups(ctx context.Context, c aws.Config, t targets) ([]types.AutoScalingGroup, error) {
	var filters []types.Filter
	tags := map[string]string{}
	maps.Copy(tags, t.Tags)
	if t.Stack != "" {
		tags[stackTag] = t.Stack
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		filters = append(filters, types.Filter{Name: aws.String("tag:" + key), Values: []string{tags[key]}})
	}
	names := t.IDs
	if len(names) == 0 {
		names = t.Names
	}
	if len(names) == 0 && t.Group != "" {
		names = []string{t.Group}
	}
	return describeGroups(ctx, c, names, filters...)
}

// groupThing is a group as targets see it. It counts as in itself.
func groupThing(g types.AutoScalingGroup, now look) thing {
	one := thing{id: aws.ToString(g.AutoScalingGroupName), arn: aws.ToString(g.AutoScalingGroupARN), tags: map[string]string{}, now: now}
	for _, t := range g.Tags {
		one.tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	one.name, one.is = one.id, map[string]string{inGroup: one.id}
	return one
}

// lookGroups looks at groups by name. Those that are not mentioned were deleted.
func lookGroups[With any](see func(g types.AutoScalingGroup, on recorded[With]) (look, error)) func(context.Context, aws.Config, []recorded[With]) (map[string]look, error) {
	return func(ctx context.Context, c aws.Config, on []recorded[With]) (map[string]look, error) {
		all, err := describeGroups(ctx, c, ids(on))
		looks := map[string]look{}
		for _, g := range all {
			at := slices.IndexFunc(on, func(one recorded[With]) bool { return one.id == aws.ToString(g.AutoScalingGroupName) })
			if at < 0 || err != nil {
				continue
			}
			looks[on[at].id], err = see(g, on[at])
		}
		return looks, err
	}
}
