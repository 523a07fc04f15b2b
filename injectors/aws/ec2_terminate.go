package aws

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

func ec2Terminate() fault[target.NoParams] {
	return fault[target.NoParams]{
		about: about{
			name:    "ec2-terminate",
			symptom: mishap.SymptomGone,
			summary: "terminates EC2 instances, for good; there is no undo",
			doc: "Only running instances are taken. A terminated instance is gone, with its instance store and with those of its volumes that are deleted with it; the plan names them. " +
				"Its Auto Scaling group starts another in its place; without one nobody does. " +
				"mishap cannot undo this, so that a plan needs the safeguard irreversible with allow: true.",
			example:  "injector: ec2-terminate\ntargets: {group: payments, pick: 1, seed: 42}\nfor: 5m",
			whenLost: "nothing: the instances are gone already",
			class:    mishap.Irreversible, settles: ec2Settles, dryRuns: []string{"ec2:TerminateInstances"},
			do:   []allow{reading("ec2:DescribeInstances", "ec2:DescribeInstanceAttribute"), acting("ec2:TerminateInstances")},
			undo: []allow{reading("ec2:DescribeInstances")},
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "state", normal: "running", injecting: "shutting-down", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			all, err := findInstances(ctx, c, t, "running")
			for _, i := range all {
				one := instanceThing(i, terminateLook(i))
				one.notes = notesOfTermination(i, one)
				found = append(found, one)
			}
			return found, err
		},
		check: func(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
			_, err := newEC2(c).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: someIDs(chosen), DryRun: aws.Bool(true)})
			if err := wouldWork("ec2:TerminateInstances", err); err != nil {
				return nil, err
			}
			return askProtected(ctx, c, chosen, types.InstanceAttributeNameDisableApiTermination, "terminated", "termination", "termination")
		},
		inject: together(func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) error {
			_, err := newEC2(c).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids(on)})
			return cloud.Failed("terminate instances", err)
		}),
		// EC2 forgets an instance an hour after it was terminated.
		read: lookTogether(look{ended, "terminated"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			all, err := describeIDs(ctx, c, ids(on))
			looks := map[string]look{}
			for _, i := range all {
				looks[aws.ToString(i.InstanceId)] = terminateLook(i)
			}
			return looks, err
		}),
	}
}

// terminateLook is what an instance's state means where termination is the fault.
func terminateLook(i types.Instance) look {
	is := instanceState(i)
	switch is {
	case types.InstanceStateNameRunning:
		return look{normal, string(is)}
	case types.InstanceStateNamePending:
		return look{changing, string(is)}
	case types.InstanceStateNameShuttingDown, types.InstanceStateNameTerminated:
		return look{ended, string(is)}
	case types.InstanceStateNameStopping, types.InstanceStateNameStopped:
	}
	return look{foreign, string(is)}
}

// notesOfTermination say what goes with an instance, and what comes instead.
func notesOfTermination(i types.Instance, one thing) (notes []string) {
	var volumes []string
	for _, b := range i.BlockDeviceMappings {
		if b.Ebs != nil && aws.ToBool(b.Ebs.DeleteOnTermination) {
			volumes = append(volumes, aws.ToString(b.Ebs.VolumeId))
		}
	}
	if volumes != nil {
		notes = append(notes, fmt.Sprintf("with %s its volumes are deleted: %s", one.id, strings.Join(volumes, ", ")))
	}
	if group := one.is[inGroup]; group != "" {
		return append(notes, fmt.Sprintf("Auto Scaling group %s will start another in place of %s", group, one.id))
	}
	return append(notes, fmt.Sprintf("%s is in no Auto Scaling group: nobody starts another in its place", one.id))
}
