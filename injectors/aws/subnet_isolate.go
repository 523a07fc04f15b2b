package aws

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/target"
)

const subnetID = `^subnet-[0-9a-f]{8,17}$`

func subnetIsolate() fault[target.NoParams] {
	associating := append(actingOn("ec2:ReplaceNetworkAclAssociation", "network-acl"), acting("ec2:ReplaceNetworkAclAssociation"))
	return fault[target.NoParams]{
		about: about{
			name:    "subnet-isolate",
			symptom: mishap.SymptomUnreachable,
			summary: "isolates subnets: nothing gets in or out",
			doc: "Each subnet gets a network ACL of its own that lets nothing pass, and afterwards the one it had. Open connections are cut as well. " +
				"What stays within the subnet passes, as do DHCP, the VPC's DNS resolver and the instance metadata. " +
				"If others give the subnet another ACL meanwhile, that stays; if they delete the one it had, it gets the VPC's default, as AWS does without one. A VPC has 200 of them unless AWS gave you more.",
			example:  "injector: subnet-isolate\ntargets: {tags: {Tier: web}, zones: [eu-west-1a]}\nfor: 5m",
			whenLost: "if this whole machine is lost, the subnets stay isolated until `mishap revert` or `mishap sweep`, or until somebody gives them their ACLs back",
			settles:  ec2Settles, dryRuns: []string{"ec2:CreateNetworkAcl"},
			do: slices.Concat([]allow{reading("ec2:DescribeSubnets", "ec2:DescribeNetworkAcls")},
				creating("ec2:CreateNetworkAcl", "network-acl", "vpc"), associating),
			undo: slices.Concat([]allow{reading("ec2:DescribeSubnets", "ec2:DescribeNetworkAcls"), changingMarked("ec2:DeleteNetworkAcl", "network-acl")}, associating),
			noun: "subnet", kind: "subnet", arn: "arn:{partition}:ec2:{region}:{account}:subnet/{id}",
			attribute: "network-acl", normal: "available", injecting: "isolated", id: like(subnetID), idLike: "subnet-0123456789abcdef0",
		},
		find: findSubnets,
		check: func(ctx context.Context, c aws.Config, _ target.NoParams, chosen []thing) ([]string, error) {
			_, err := newEC2(c).CreateNetworkAcl(ctx, &ec2.CreateNetworkAclInput{VpcId: aws.String(chosen[0].is[inVPC]), TagSpecifications: marked(types.ResourceTypeNetworkAcl, "plan"), DryRun: aws.Bool(true)})
			return nil, wouldWork("ec2:CreateNetworkAcl", err)
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			now, err := isolations(ctx, c, on)
			s := now[on.id]
			switch {
			case err != nil:
				return err
			case len(s.ours) > 0:
				return associate(ctx, c, s, aws.ToString(s.ours[0].NetworkAclId))
			}
			out, err := newEC2(c).CreateNetworkAcl(ctx, &ec2.CreateNetworkAclInput{VpcId: s.acl.VpcId, ClientToken: aws.String(on.injection), TagSpecifications: marked(types.ResourceTypeNetworkAcl, on.injection)})
			if err != nil {
				return cloud.Failed("create a network ACL for "+on.id, err)
			}
			return associate(ctx, c, s, aws.ToString(out.NetworkAcl.NetworkAclId))
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[target.NoParams]) error {
			was, err := before[string](on)
			now, seen := isolations(ctx, c, on)
			s, err := now[on.id], errors.Join(err, seen)
			if err == nil && s.isolated {
				err = s.release(ctx, c, was)
			}
			for n := 0; n < len(s.ours) && err == nil; n++ {
				_, err = newEC2(c).DeleteNetworkAcl(ctx, &ec2.DeleteNetworkAclInput{NetworkAclId: s.ours[n].NetworkAclId})
				err = cloud.Failed("delete network ACL "+aws.ToString(s.ours[n].NetworkAclId), err, "InvalidNetworkAclID.NotFound")
			}
			return err
		}),
		read: lookTogether(look{gone, "deleted"}, func(ctx context.Context, c aws.Config, on []recorded[target.NoParams]) (map[string]look, error) {
			now, err := isolations(ctx, c, on...)
			looks := map[string]look{}
			for _, one := range on {
				was, unread := before[string](one)
				looks[one.id], err = now[one.id].look(was), errors.Join(err, unread)
			}
			return looks, err
		}),
	}
}

// isolation is which ACL a subnet has, and which were made for its injection.
type isolation struct {
	acl         types.NetworkAcl
	association *string // nil: there is no such subnet
	ours        []types.NetworkAcl
	isolated    bool // behind one of them
}

func isolations(ctx context.Context, c aws.Config, on ...recorded[target.NoParams]) (map[string]isolation, error) {
	theirs, err := describeACLs(ctx, c, filter("association.subnet-id", ids(on)...))
	made, unmade := describeACLs(ctx, c, filter("tag:"+injectionTag, injections(on)...))
	now := map[string]isolation{}
	for _, one := range on {
		acl, association := associated(theirs, one.id)
		ours := slices.DeleteFunc(slices.Clone(made), func(m types.NetworkAcl) bool { return ec2Tags(m.Tags)[injectionTag] != one.injection })
		now[one.id] = isolation{acl, association, ours, slices.ContainsFunc(ours, func(o types.NetworkAcl) bool { return aws.ToString(o.NetworkAclId) == aws.ToString(acl.NetworkAclId) })}
	}
	return now, errors.Join(err, unmade)
}

func (s isolation) look(was string) look {
	acl := aws.ToString(s.acl.NetworkAclId)
	switch {
	case s.isolated && slices.ContainsFunc(s.acl.Entries, func(e types.NetworkAclEntry) bool { return e.RuleAction == types.RuleActionAllow }):
		return look{half, "behind network ACL " + acl + ", which somebody edited to let something pass"}
	case s.isolated:
		return look{injected, "behind network ACL " + acl}
	case len(s.ours) > 0:
		return look{half, "not behind network ACL " + aws.ToString(s.ours[0].NetworkAclId) + ", which is still there"}
	case s.association == nil:
		return look{gone, "deleted"}
	case acl != was && aws.ToBool(s.acl.IsDefault):
		return look{foreign, "behind the VPC's default network ACL " + acl + ", not " + was + giveAnother}
	case acl != was:
		return look{foreign, "behind network ACL " + acl + ", not " + was}
	}
	return look{normal, "behind its network ACL " + acl}
}

// release gives the subnet its ACL back; if others deleted that, the VPC's default,
// as AWS does where a subnet has none of its own.
func (s isolation) release(ctx context.Context, c aws.Config, was string) error {
	err := associate(ctx, c, s, was)
	if !cloud.Refused(err) || cloud.Throttled(err) {
		return err
	}
	all, unread := describeACLs(ctx, c, filter("vpc-id", aws.ToString(s.acl.VpcId)))
	for _, acl := range all {
		if aws.ToString(acl.NetworkAclId) == was {
			return err
		}
	}
	if at := slices.IndexFunc(all, func(a types.NetworkAcl) bool { return aws.ToBool(a.IsDefault) }); at >= 0 {
		return associate(ctx, c, s, aws.ToString(all[at].NetworkAclId))
	}
	return errors.Join(err, unread)
}

func associate(ctx context.Context, c aws.Config, s isolation, acl string) error {
	_, err := newEC2(c).ReplaceNetworkAclAssociation(ctx, &ec2.ReplaceNetworkAclAssociationInput{AssociationId: s.association, NetworkAclId: aws.String(acl)})
	return cloud.Failed("give the subnet network ACL "+acl, err)
}
