package aws

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

func ec2Isolate() fault[target.NoParams] {
	modifying := slices.Concat(actingOn("ec2:ModifyNetworkInterfaceAttribute", "network-interface", "security-group"), []allow{reading("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups")})
	return fault[target.NoParams]{
		about: about{
			name:    "ec2-isolate",
			symptom: mishap.SymptomUnreachable,
			summary: "isolates EC2 instances: nothing gets in or out",
			doc: "All network interfaces of an instance get a security group of its own that lets nothing pass, and afterwards those they had. " +
				"EC2 lets open connections that it tracks go on until they pause: to cut those as well, isolate the subnet. " +
				"What others add to an interface meanwhile stays; if they delete a group that it had, it gets back the others. An Auto Scaling group whose health checks fail replaces the instance.",
			example:  "injector: ec2-isolate\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
			whenLost: "if this whole machine is lost, the instances stay isolated until `mishap revert` or `mishap sweep`, or until somebody gives them their security groups back",
			batch:    25, settles: ec2Settles, dryRuns: []string{"ec2:CreateSecurityGroup"},
			do: slices.Concat([]allow{reading("ec2:DescribeInstances"), changingMarked("ec2:RevokeSecurityGroupEgress", "security-group")},
				creating("ec2:CreateSecurityGroup", "security-group", "vpc"), modifying),
			undo: slices.Concat([]allow{changingMarked("ec2:DeleteSecurityGroup", "security-group")}, modifying),
			noun: "instance", kind: instanceKind, arn: "arn:{partition}:ec2:{region}:{account}:instance/{id}",
			attribute: "security-groups", normal: "running", injecting: "isolated", id: like(instanceID), idLike: "i-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			all, err := findInstances(ctx, c, t, "running")
			for _, i := range all {
				one, groups := instanceThing(i, look{normal, "running"}), map[string][]string{}
				for _, n := range i.NetworkInterfaces {
					groups[aws.ToString(n.NetworkInterfaceId)] = groupIDs(n.Groups)
					if aws.ToString(n.VpcId) != one.is[inVPC] || n.Operator != nil && aws.ToBool(n.Operator.Managed) {
						one.unfit = mishap.WithHint(fmt.Errorf("instance %s has interface %s, which is in another VPC or managed by an AWS service", one.id, aws.ToString(n.NetworkInterfaceId)), "choose another instance")
					}
				}
				one.before = interfacesBefore{one.is[inVPC], groups}
				found = append(found, one)
			}
			return found, err
		},
		check: func(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
			_, err := newEC2(c).CreateSecurityGroup(ctx, newGroup("plan", chosen[0].is[inVPC], true))
			return nil, wouldWork("ec2:CreateSecurityGroup", err)
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			now, err := enclosures(ctx, c, on)
			if err != nil {
				return err
			}
			return now[on.id].isolate(ctx, c, on.injection)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			now, err := enclosures(ctx, c, on)
			if err != nil {
				return err
			}
			return now[on.id].releaseAll(ctx, c)
		}),
		read: lookTogether(look{gone, "terminated"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			now, err := enclosures(ctx, c, on...)
			looks := map[string]look{}
			for id, s := range now {
				looks[id] = s.look()
			}
			return looks, err
		}),
	}
}
