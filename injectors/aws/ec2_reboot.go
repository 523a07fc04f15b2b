package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func ec2Reboot() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "ec2-reboot",
			symptom: mishap.SymptomGone,
			summary: "reboots EC2 instances, which come back by themselves",
			doc: "Only running instances whose status checks are ok are taken. An instance keeps its volumes, instance store and addresses, and loses its memory. " +
				"EC2 does not number boots: that one happened is seen by its console output, which is posted anew after each. " +
				"An instance of which that is not seen within two minutes counts as not hit, and the run is inconclusive; so does one whose console is never posted, " +
				"as of some machine images. The run waits until the status checks are ok again.",
			example:  "injector: ec2-reboot\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
			whenLost: "nothing: the instances come back by themselves",
			class:    mishap.SelfRecovering, settles: 2 * time.Minute, revertTakes: 15 * time.Minute, dryRuns: []string{"ec2:RebootInstances"},
			do:   []allow{reading("ec2:DescribeInstances", "ec2:DescribeInstanceStatus"), acting("ec2:RebootInstances", "ec2:GetConsoleOutput")},
			undo: []allow{reading("ec2:DescribeInstances", "ec2:DescribeInstanceStatus"), acting("ec2:GetConsoleOutput")},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "state", normal: "running and ok", injecting: "rebooting", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			all, err := findInstances(ctx, c, t, "running")
			checks, now, checked := statusChecks(ctx, c, all)
			for _, i := range all {
				one := instanceThing(i, look{normal, "running and ok"})
				if is := checks[one.id]; is != types.SummaryStatusOk {
					one.now = look{changing, "running, and its status checks are " + string(is)}
				}
				one.before = now
				found = append(found, one)
			}
			return found, errors.Join(err, checked)
		},
		check: func(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
			_, err := newEC2(c).RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: someIDs(chosen), DryRun: aws.Bool(true)})
			if err := wouldWork("ec2:RebootInstances", err); err != nil {
				return nil, err
			}
			return asking("whether they may be rebooted", chosen, func(thing) error { return nil })
		},
		inject: together(func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) error {
			_, err := newEC2(c).RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: ids(on)})
			return cloud.Failed("reboot instances", err)
		}),
		read: func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) []mishap.Reply[look] {
			all, err := describeIDs(ctx, c, ids(on))
			checks, _, checked := statusChecks(ctx, c, all)
			if err = errors.Join(err, checked); err != nil {
				return mishap.Same[look](len(on), err)
			}
			return lookEach(func(ctx context.Context, c aws.Config, one recorded[target.NoParams]) (look, error) {
				at := slices.IndexFunc(all, func(i types.Instance) bool { return aws.ToString(i.InstanceId) == one.id })
				if at < 0 {
					return look{gone, "terminated"}, nil
				}
				return bootLook(ctx, c, one, instanceState(all[at]), checks[one.id])
			})(ctx, c, on)
		},
	}
}

// bootLook is what an instance is, by when its console output was posted.
func bootLook(ctx context.Context, c aws.Config, on recorded[target.NoParams], state types.InstanceStateName, check types.SummaryStatus) (look, error) {
	switch state {
	case types.InstanceStateNameRunning:
	case types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated:
		return look{gone, string(state)}, nil
	default:
		return look{foreign, string(state)}, nil
	}
	planned, err := before[time.Time](on)
	if err != nil {
		return look{}, err
	}
	out, err := newEC2(c).GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: aws.String(on.id)})
	if err != nil {
		return look{}, cloud.Failed("ask when instance "+on.id+" booted", err)
	}
	ok := check == types.SummaryStatusOk
	switch booted := out.Timestamp != nil && !out.Timestamp.Before(planned); {
	case booted && ok:
		return look{ended, "running and ok, and has booted"}, nil
	case booted:
		return look{injected, fmt.Sprintf("running, has booted, and its status checks are %s", check)}, nil
	case ok:
		return look{normal, "running and ok, and was not seen to boot"}, nil
	}
	return look{changing, fmt.Sprintf("running, and its status checks are %s", check)}, nil
}
