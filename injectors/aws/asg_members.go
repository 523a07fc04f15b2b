package aws

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"mishap/internal/cloud"
)

const inService = "in service and healthy"

// memberLooks are how members of groups are, where being unhealthy is the fault.
// Whom a group has let go of is none any more.
func memberLooks(ctx context.Context, c aws.Config, ids []string) (map[string]look, error) {
	looks := map[string]look{}
	for some := range slices.Chunk(ids, asgPerCall) {
		page, err := newAutoScaling(c).DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{InstanceIds: some})
		if err != nil {
			return nil, cloud.Failed("look at members of Auto Scaling groups", err)
		}
		for _, m := range page.AutoScalingInstances {
			life := aws.ToString(m.LifecycleState)
			now := look{foreign, strings.ToLower(life)}
			switch {
			case strings.HasPrefix(life, "Terminat"):
				now = look{ended, "being replaced"}
			case !strings.EqualFold(aws.ToString(m.HealthStatus), "Healthy"):
				now = look{injected, "unhealthy"}
			case life == "InService":
				now = look{normal, inService}
			}
			looks[aws.ToString(m.InstanceId)] = now
		}
	}
	return looks, nil
}

// groupsOf are the names of the groups that the things are in, once each.
func groupsOf(all []thing) (names []string) {
	for _, one := range all {
		if name := one.is[inGroup]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
