package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/target"
)

func ec2Stop() fault[*ec2.Client, target.NoParams] {
	return fault[*ec2.Client, target.NoParams]{
		name:    "ec2-stop",
		summary: "stops EC2 instances, and starts them again",
		doc: "Only running instances are taken. A stopped instance loses its memory, instance store and, without an Elastic IP, its public address. " +
			"An Auto Scaling group replaces a stopped instance; the plan says so. " +
			"Starting an instance whose volumes are encrypted with a key of your own also needs kms:CreateGrant on that key, which a dry run cannot show. " +
			"The keeper starts the instances when mishap is gone, as long as this machine lives.",
		example:  "injector: ec2-stop\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
		whenLost: "if this whole machine is lost, the instances stay stopped until `mishap revert`, or until somebody starts them",
		do:       []string{"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", "ec2:StopInstances"},
		undo:     []string{"ec2:DescribeInstances", "ec2:StartInstances"},
		noun:     "instance", kind: "ec2-instance", attribute: "state", normal: "running", injecting: "stopping",
		id: regexp.MustCompile(`^i-[0-9a-f]{8,17}$`), idLike: "i-0123456789abcdef0",
		connect: func(c aws.Config) *ec2.Client { return ec2.NewFromConfig(c) },
		find:    findRunning, check: stopAndStart,
		inject: func(ctx context.Context, client *ec2.Client, on recorded[target.NoParams]) error {
			_, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{on.id}})
			return failed("stop instance "+on.id, err)
		},
		revert: func(ctx context.Context, client *ec2.Client, on recorded[target.NoParams]) error {
			_, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{on.id}})
			return failed("start instance "+on.id, err, "IncorrectInstanceState") // on its way elsewhere
		},
		read: func(ctx context.Context, client *ec2.Client, on recorded[target.NoParams]) (look, error) {
			found, err := instances(ctx, client, &ec2.DescribeInstancesInput{InstanceIds: []string{on.id}})
			if len(found) > 0 {
				return instanceLook(found[0]), nil
			}
			return look{gone, "terminated"}, failed("describe instance "+on.id, err, "InvalidInstanceID.NotFound")
		},
	}
}

func findRunning(ctx context.Context, client *ec2.Client, t targets, _ target.NoParams) (found []thing, err error) {
	input := &ec2.DescribeInstancesInput{InstanceIds: t.IDs, Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}}}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		input.Filters = append(input.Filters, types.Filter{Name: aws.String("tag:" + key), Values: []string{t.Tags[key]}})
	}
	all, err := instances(ctx, client, input)
	if code := errorCode(err); code == "InvalidInstanceID.NotFound" || code == "InvalidInstanceID.Malformed" {
		return nil, target.None("%v", err)
	}
	for _, i := range all {
		one := thing{id: aws.ToString(i.InstanceId), tags: ec2Tags(i.Tags), now: instanceLook(i), unfit: unfit(i)}
		one.name = one.tags["Name"]
		if group := one.tags["aws:autoscaling:groupName"]; group != "" {
			one.notes = []string{fmt.Sprintf("Auto Scaling group %s will see %s as unhealthy, terminate and replace it", group, one.id)}
		}
		found = append(found, one)
	}
	return found, failed("describe instances", err)
}

// unfit says what of an instance EC2 cannot stop and start again.
func unfit(i types.Instance) error {
	id := aws.ToString(i.InstanceId)
	switch {
	case i.RootDeviceType == types.DeviceTypeInstanceStore:
		return mishap.WithHint(fmt.Errorf("instance %s has its root on instance store, and cannot be stopped", id), "choose instances with a root on EBS")
	case i.InstanceLifecycle == types.InstanceLifecycleTypeSpot:
		return mishap.WithHint(fmt.Errorf("instance %s is a spot instance, which may not start again", id), "choose instances on demand")
	}
	return nil
}

// stopAndStart asks EC2 whether it would do, and undo, without doing it.
func stopAndStart(ctx context.Context, client *ec2.Client, _ target.NoParams, chosen []thing) error {
	var ids []string
	for _, i := range chosen {
		protected, err := client.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: aws.String(i.id), Attribute: types.InstanceAttributeNameDisableApiStop})
		if err != nil {
			return failed("ask whether instance "+i.id+" is protected", err)
		}
		if protected.DisableApiStop != nil && aws.ToBool(protected.DisableApiStop.Value) {
			return mishap.WithHint(fmt.Errorf("instance %s is protected against stopping", i.id), "choose another, or turn its stop protection off")
		}
		ids = append(ids, i.id)
	}
	_, stop := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids, DryRun: aws.Bool(true)})
	_, start := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids, DryRun: aws.Bool(true)})
	return errors.Join(wouldWork("ec2:StopInstances", stop), wouldWork("ec2:StartInstances", start))
}
