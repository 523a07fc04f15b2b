package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
)

// What faults in Auto Scaling groups share.

const (
	asgSettles = 15 * time.Second
	asgPerCall = 50 // names that a call takes at most
	groupARN   = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{id}"
)

const groupName = `^[^:\x00-\x1f]{1,255}$`

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
	names := t.IDs
	if len(names) == 0 {
		names = t.Names
	}
	if len(names) == 0 && t.Group != "" {
		names = []string{t.Group}
	}
	if len(names) > 0 { // there is such a group, whether it fits or not
		return describeGroups(ctx, c, names)
	}
	var filters []types.Filter
	tags := map[string]string{}
	maps.Copy(tags, t.Tags)
	if t.Stack != "" {
		tags[stackTag] = t.Stack
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		filters = append(filters, types.Filter{Name: aws.String("tag:" + key), Values: []string{tags[key]}})
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

// findZoned lists the groups that may be meant, those in the zone as normal.
func findZoned(ctx context.Context, c aws.Config, t targets, with zoneWith) (found []thing, err error) {
	groups, err := findGroups(ctx, c, t)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, g := range groups {
		all = append(all, subnetsOf(g)...)
	}
	slices.Sort(all)
	zones := map[string]string{} // of subnets in the zone: its name
	subnets, err := describeSubnets(ctx, c, filter("subnet-id", slices.Compact(all)...))
	if err != nil {
		return nil, err
	}
	for _, s := range subnets {
		if name := aws.ToString(s.AvailabilityZone); with.Zone == name || with.Zone == aws.ToString(s.AvailabilityZoneId) {
			zones[aws.ToString(s.SubnetId)] = name
		}
	}
	for _, g := range groups {
		found = append(found, zoned(g, zones, with.Zone))
	}
	return found, nil
}

// zoned is a group that may lose the zone, if it is in it.
func zoned(g types.AutoScalingGroup, zones map[string]string, zone string) thing {
	was, one := zoneBefore{Subnets: subnetsOf(g)}, groupThing(g, look{foreign, "not in " + zone})
	for _, id := range was.Subnets {
		if zones[id] != "" {
			was.Zone, was.Lost = zones[id], append(was.Lost, id)
		}
	}
	switch {
	case len(was.Subnets) == 0 && slices.Contains(g.AvailabilityZones, zone):
		one.now = look{normal, "in " + zone}
		one.unfit = mishap.WithHint(fmt.Errorf("group %s names zones, and no subnets of them that could be taken away", one.id), "give it the subnets that it uses, or choose another group")
	case len(was.Lost) == 0:
		return one
	case len(was.Lost) == len(was.Subnets):
		one.unfit = mishap.WithHint(fmt.Errorf("group %s is in no other zone than %s", one.id, was.Zone), "choose a group that is in several")
	}
	one.now, one.before = was.look(was.Subnets, g.AvailabilityZones, nil), was
	there := 0
	for _, m := range g.Instances {
		if aws.ToString(m.AvailabilityZone) == was.Zone {
			there++
		}
	}
	note := "which it replaces in its other zones"
	if off := suspendedOf(g, []string{"AZRebalance", "Launch", "Terminate"}); len(off) > 0 {
		note = "which stay: " + off[0] + " is suspended"
	}
	one.notes = []string{fmt.Sprintf("group %s has %d of %s in %s, %s", one.id, there, mishap.Plural(len(g.Instances), "member"), was.Zone, note)}
	return one
}
