package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// What faults in EC2 share.

// instances lists all pages. The SDK's own way takes the client as an interface,
// and so links all of its methods.
func instances(ctx context.Context, client *ec2.Client, input *ec2.DescribeInstancesInput) (all []types.Instance, err error) {
	for {
		page, err := client.DescribeInstances(ctx, input)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			all = append(all, r.Instances...)
		}
		if input.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" {
			return all, nil
		}
	}
}

// instanceLook is what its state means where a stopped instance is the fault.
func instanceLook(i types.Instance) look {
	is := types.InstanceStateNameTerminated
	if i.State != nil {
		is = i.State.Name
	}
	means := map[types.InstanceStateName]status{
		types.InstanceStateNameRunning: normal, types.InstanceStateNamePending: changing,
		types.InstanceStateNameStopping: injecting, types.InstanceStateNameStopped: injected,
	}
	if s, alive := means[is]; alive {
		return look{s, string(is)}
	}
	return look{gone, string(is)}
}

func ec2Tags(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// wouldWork reads the answer to a dry run.
func wouldWork(permission string, err error) error {
	const yes = "DryRunOperation"
	if err == nil {
		return fmt.Errorf("dry run of %s: it was answered as if it were none", permission)
	}
	return failed("dry run of "+permission, err, yes)
}
