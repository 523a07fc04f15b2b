package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func ec2Stop() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "ec2-stop",
			symptom: mishap.SymptomGone,
			summary: "stops EC2 instances, and starts them again",
			doc: "Only running instances are taken. A stopped instance loses its memory, instance store and, without an Elastic IP, its public address. " +
				"An Auto Scaling group replaces a stopped instance; the plan says so. " +
				"Starting an instance whose volumes are encrypted with a key of your own also needs kms:CreateGrant on that key, which a dry run cannot show. " +
				"The keeper starts the instances when mishap is gone, as long as this machine lives.",
			example:  "injector: ec2-stop\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
			whenLost: "if this whole machine is lost, the instances stay stopped until `mishap revert` or `mishap sweep`, or until somebody starts them",
			settles:  ec2Settles, revertTakes: 15 * time.Minute, dryRuns: []string{"ec2:StopInstances", "ec2:StartInstances"},
			do:   []allow{reading("ec2:DescribeInstances", "ec2:DescribeInstanceAttribute"), acting("ec2:StopInstances")},
			undo: []allow{reading("ec2:DescribeInstances"), acting("ec2:StartInstances")},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "state", normal: "running", injecting: "stopping", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			all, err := findInstances(ctx, c, t, "running")
			for _, i := range all {
				one := instanceThing(i, stopLook(i))
				if one.unfit = cannotStop(i); one.is[inGroup] != "" {
					one.notes = []string{fmt.Sprintf("Auto Scaling group %s will see %s as unhealthy, terminate and replace it", one.is[inGroup], one.id)}
				}
				found = append(found, one)
			}
			return found, err
		},
		check: stopAndStart,
		inject: together(func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) error {
			_, err := newEC2(c).StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids(on)})
			return cloud.Failed("stop instances", err)
		}),
		revert: together(func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) error {
			_, err := newEC2(c).StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids(on)})
			if len(on) == 1 {
				return cloud.Failed("start instance "+on[0].id, err, "IncorrectInstanceState") // on its way elsewhere
			}
			return cloud.Failed("start instances", err)
		}),
		read: lookTogether(look{gone, "terminated"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			all, err := describeIDs(ctx, c, ids(on))
			looks := map[string]look{}
			for _, i := range all {
				looks[aws.ToString(i.InstanceId)] = stopLook(i)
			}
			return looks, err
		}),
	}
}

// stopLook is what an instance's state means where a stopped instance is the fault.
func stopLook(i types.Instance) look {
	means := map[types.InstanceStateName]status{
		types.InstanceStateNameRunning: normal, types.InstanceStateNamePending: changing,
		types.InstanceStateNameStopping: injecting, types.InstanceStateNameStopped: injected,
	}
	is := instanceState(i)
	if s, alive := means[is]; alive {
		return look{s, string(is)}
	}
	return look{gone, string(is)}
}

// cannotStop says what of an instance EC2 cannot stop and start again.
func cannotStop(i types.Instance) error {
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
func stopAndStart(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) (notes []string, err error) {
	some := someIDs(chosen)
	_, stop := newEC2(c).StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: some, DryRun: aws.Bool(true)})
	_, start := newEC2(c).StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: some, DryRun: aws.Bool(true)})
	if err := errors.Join(wouldWork("ec2:StopInstances", stop), wouldWork("ec2:StartInstances", start)); err != nil {
		return nil, err
	}
	return askProtected(ctx, c, chosen, types.InstanceAttributeNameDisableApiStop, "stopped and started", "stopping", "stop")
}
