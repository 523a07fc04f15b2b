package aws

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/target"
)

const endpointID = `^vpce-[0-9a-f]{8,17}$`

func vpcEndpointCut() fault[target.NoParams] {
	modifying := append(actingOn("ec2:ModifyVpcEndpoint", "security-group"), acting("ec2:ModifyVpcEndpoint"), reading("ec2:DescribeVpcEndpoints", "ec2:DescribeSecurityGroups"))
	return fault[target.NoParams]{
		about: about{
			name:    "vpc-endpoint-cut",
			symptom: mishap.SymptomUnreachable,
			summary: "cuts VPC endpoints: what is asked for through them gets no answer",
			doc: "Each interface endpoint gets a security group of its own that lets nothing pass, and afterwards those it had. " +
				"Open connections that EC2 tracks may go on until they pause. What others add to the endpoint meanwhile stays; if they delete a group that it had, it gets back the others. " +
				"Gateway endpoints, those of S3 and DynamoDB, have no security group: they are cut by s3-deny and dynamodb-deny. " +
				"Cut no endpoint that mishap itself reaches AWS through: it could not undo that.",
			example:  "injector: vpc-endpoint-cut\ntargets: {tags: {Tier: web}, filters: {service: [com.amazonaws.eu-west-1.sqs]}}\nfor: 5m",
			whenLost: "if this whole machine is lost, the endpoints stay cut until `mishap revert` or `mishap sweep`, or until somebody gives them their security groups back",
			settles:  ec2Settles, revertTakes: 5 * time.Minute, batch: 25, dryRuns: []string{"ec2:CreateSecurityGroup"},
			do:   slices.Concat([]allow{changingMarked("ec2:RevokeSecurityGroupEgress", "security-group")}, creating("ec2:CreateSecurityGroup", "security-group", "vpc"), modifying),
			undo: append(modifying, changingMarked("ec2:DeleteSecurityGroup", "security-group")),
			noun: "vpc-endpoint", kind: "vpc-endpoint", arn: "arn:{partition}:ec2:{region}:{account}:vpc-endpoint/{id}",
			attribute: "security-groups", normal: "available", injecting: "cut", id: like(endpointID), idLike: "vpce-0123456789abcdef0",
		},
		find: func(ctx context.Context, c aws.Config, t targets, _ target.NoParams) (found []thing, err error) {
			filters := append(meantBy(t), filter("vpc-endpoint-state", "available"))
			if len(t.IDs) > 0 {
				filters = append(filters, filter("vpc-endpoint-id", t.IDs...))
			}
			all, err := describeEndpoints(ctx, c, filters...)
			for _, e := range all {
				found = append(found, endpointThing(e))
			}
			return found, err
		},
		check: func(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
			_, err := newEC2(c).CreateSecurityGroup(ctx, newGroup("plan", chosen[0].is[inVPC], true))
			return nil, wouldWork("ec2:CreateSecurityGroup", err)
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			now, err := cuts(ctx, c, on)
			if err != nil {
				return err
			}
			s := now[on.id]
			group, err := s.ours.ensure(ctx, c, on.injection, s.vpc)
			if err != nil {
				return err
			}
			return modifyEndpoint(ctx, c, on.id, []string{group}, s.groups)
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			now, err := cuts(ctx, c, on)
			if err != nil {
				return err
			}
			return now[on.id].release(ctx, c, on.id)
		}),
		read: lookTogether(look{gone, "deleted"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			now, err := cuts(ctx, c, on...)
			looks := map[string]look{}
			for id, s := range now {
				looks[id] = s.look()
			}
			return looks, err
		}),
	}
}
