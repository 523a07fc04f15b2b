package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"mishap"
	"mishap/internal/cloud"
)

type suspendWith struct {
	Processes []string `json:"processes" jsonschema:"what the group no longer does: Launch, Terminate, AddToLoadBalancer, AlarmNotification, AZRebalance, HealthCheck, InstanceRefresh, ReplaceUnhealthy, ScheduledActions"`
}

func (w suspendWith) problems() (all []error) {
	known := []string{"Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions"}
	if len(w.Processes) == 0 {
		all = append(all, &mishap.FieldError{Path: "with.processes", Msg: "name no process", Hint: "give some of " + strings.Join(known, ", ")})
	}
	for i, p := range w.Processes {
		if !slices.Contains(known, p) {
			all = append(all, &mishap.FieldError{Path: fmt.Sprintf("with.processes[%d]", i), Msg: fmt.Sprintf("%q is no process of Auto Scaling", p), Hint: mishap.Suggest(p, known)})
		}
	}
	return all
}

func asgSuspend() fault[suspendWith] {
	return fault[suspendWith]{
		about: about{
			name:    "asg-suspend",
			symptom: mishap.SymptomOther,
			summary: "suspends processes of Auto Scaling groups, and resumes them",
			doc: "A group with Launch suspended starts nothing, so that what fails or is too little stays so; with Terminate it ends nothing; with HealthCheck and ReplaceUnhealthy it does not heal; " +
				"with AlarmNotification and ScheduledActions it does not scale. " +
				"Processes that were suspended before stay so, and a group in which all of them were is not taken. When Launch and Terminate go on, the group makes up for what it missed.",
			example:  "injector: asg-suspend\ntargets: {names: [payments]}\nwith: {processes: [Launch, ReplaceUnhealthy]}\nfor: 10m",
			whenLost: "the processes stay suspended until `mishap revert` or `mishap sweep`, or until somebody resumes them",
			settles:  asgSettles,
			do:       []allow{reading("autoscaling:DescribeAutoScalingGroups"), acting("autoscaling:SuspendProcesses")},
			undo:     []allow{reading("autoscaling:DescribeAutoScalingGroups"), acting("autoscaling:ResumeProcesses")},
			noun:     "group", kind: "auto-scaling-group", arn: groupARN,
			attribute: "processes", normal: "running", injecting: "suspended", id: like(groupName), idLike: "payments", byName: true,
		},
		find: func(ctx context.Context, c aws.Config, t targets, with suspendWith) (found []thing, err error) {
			all, err := findGroups(ctx, c, t)
			for _, g := range all {
				were, now := suspendedOf(g, with.Processes), look{normal, "running"}
				if len(were) == len(with.Processes) {
					now = look{foreign, "suspended"}
				}
				one := groupThing(g, now)
				one.before = were
				found = append(found, one)
			}
			return found, err
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[suspendWith]) error {
			ours, err := ourProcesses(on)
			if err != nil {
				return err
			}
			_, err = newAutoScaling(c).SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String(on.id), ScalingProcesses: ours})
			return cloud.Failed("suspend processes of Auto Scaling group "+on.id, err)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[suspendWith]) error {
			ours, err := ourProcesses(on)
			if err != nil {
				return err
			}
			_, err = newAutoScaling(c).ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String(on.id), ScalingProcesses: ours})
			return cloud.Failed("resume processes of Auto Scaling group "+on.id, err)
		}),
		read: lookTogether(look{gone, "deleted"}, lookGroups(func(g types.AutoScalingGroup, on recorded[suspendWith]) (look, error) {
			ours, err := ourProcesses(on)
			if still := suspendedOf(g, ours); len(still) > 0 {
				return look{injected, "without " + strings.Join(still, ", ")}, err
			}
			return look{normal, "running"}, err
		})),
	}
}

// ourProcesses are those that were not suspended before.
func ourProcesses(on recorded[suspendWith]) ([]string, error) {
	were, err := before[[]string](on)
	return slices.DeleteFunc(slices.Clone(on.with.Processes), func(p string) bool { return slices.Contains(were, p) }), err
}

// suspendedOf are those of the processes that a group has suspended.
func suspendedOf(g types.AutoScalingGroup, processes []string) []string {
	return slices.DeleteFunc(slices.Clone(processes), func(p string) bool {
		return !slices.ContainsFunc(g.SuspendedProcesses, func(s types.SuspendedProcess) bool { return aws.ToString(s.ProcessName) == p })
	})
}
