package aws

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap/internal/cloud"
	"mishap/internal/target"
)

// interfacesBefore is what undo has of an instance whose interfaces get another
// security group.
type interfacesBefore struct {
	VPC    string              `json:"vpc"`
	Groups map[string][]string `json:"groups"` // by interface
}

// enclosure is the interfaces of an instance, as they were and as they are, and the
// security groups that were made for its injection.
type enclosure struct {
	before interfacesBefore
	nics   []types.NetworkInterface
	ours   madeGroups
}

// enclosures asks for the interfaces that the instances had when they were found.
func enclosures(ctx context.Context, c aws.Config, on ...recorded[target.NoParams]) (map[string]enclosure, error) {
	now, of, all := map[string]enclosure{}, map[string]string{}, []string{}
	for _, one := range on {
		was, err := before[interfacesBefore](one)
		if err != nil {
			return nil, err
		}
		now[one.id] = enclosure{before: was}
		for nic := range was.Groups {
			of[nic], all = one.id, append(all, nic)
		}
	}
	nics, err := describeInterfaces(ctx, c, filter("network-interface-id", all...))
	made, unmade := groupsMade(ctx, c, injections(on))
	for _, one := range on {
		s := now[one.id]
		s.nics = slices.DeleteFunc(slices.Clone(nics), func(n types.NetworkInterface) bool { return of[aws.ToString(n.NetworkInterfaceId)] != one.id })
		s.ours = made.of(one.injection)
		now[one.id] = s
	}
	return now, errors.Join(err, unmade)
}

// isolate gives all interfaces a group that lets nothing pass, and no other.
func (s enclosure) isolate(ctx context.Context, c aws.Config, injection string) error {
	group, err := s.ours.ensure(ctx, c, injection, s.before.VPC)
	if err != nil {
		return err
	}
	for _, nic := range s.nics {
		if err := give(ctx, c, nic, []string{group}); err != nil {
			return err
		}
	}
	return nil
}

// releaseAll gives all interfaces back what they had: one that cannot must not keep
// the others.
func (s enclosure) releaseAll(ctx context.Context, c aws.Config) (err error) {
	for n := 0; n < len(s.nics) && !cloud.Throttled(err); n++ {
		err = errors.Join(err, s.release(ctx, c, s.nics[n]))
	}
	if err != nil {
		return err
	}
	return s.ours.delete(ctx, c)
}

// release gives an interface that has our group those back that it had, and leaves
// it what others gave it.
func (s enclosure) release(ctx context.Context, c aws.Config, nic types.NetworkInterface) error {
	has := groupIDs(nic.Groups)
	left := slices.DeleteFunc(slices.Clone(has), s.ours.has)
	if len(left) == len(has) {
		return nil
	}
	id := aws.ToString(nic.NetworkInterfaceId)
	return giveBack("interface "+id, slices.Concat(left, without(s.before.Groups[id], left)), func(some []string) error { return give(ctx, c, nic, some) }, groupsThere(ctx, c))
}

func (s enclosure) look() look {
	closed, other := 0, ""
	for _, nic := range s.nics {
		has := slices.Sorted(slices.Values(groupIDs(nic.Groups)))
		if len(has) == 1 && s.ours.has(has[0]) {
			closed++
		}
		if was := s.before.Groups[aws.ToString(nic.NetworkInterfaceId)]; !slices.Equal(has, slices.Sorted(slices.Values(was))) {
			other = otherGroups(was, has)
		}
	}
	switch {
	case closed == len(s.nics) && closed > 0 && !s.ours.edited():
		return look{injected, "closed off by security group " + aws.ToString(s.ours[0].GroupId)}
	case len(s.ours) > 0:
		return look{half, "not closed off by security group " + aws.ToString(s.ours[0].GroupId) + " alone, which is still there"}
	case len(s.nics) == 0:
		return look{gone, "gone, with all its interfaces"}
	case other != "":
		return look{foreign, other}
	}
	return look{normal, "in its security groups"}
}

func give(ctx context.Context, c aws.Config, nic types.NetworkInterface, groups []string) error {
	_, err := newEC2(c).ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: nic.NetworkInterfaceId, Groups: groups})
	return cloud.Failed("give interface "+aws.ToString(nic.NetworkInterfaceId)+" other security groups", err)
}

func describeInterfaces(ctx context.Context, c aws.Config, filters ...types.Filter) ([]types.NetworkInterface, error) {
	return pages("network interfaces", filters, func(some []types.Filter, token *string) ([]types.NetworkInterface, *string, error) {
		out, err := newEC2(c).DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: some, NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.NetworkInterfaces, out.NextToken, nil
	})
}

// madeGroups are security groups that were made for injections, to let nothing pass.
type madeGroups []types.SecurityGroup

// groupsMade asks for those that there are.
func groupsMade(ctx context.Context, c aws.Config, injections []string) (madeGroups, error) {
	return describeSecurityGroups(ctx, c, filter("tag:"+injectionTag, injections...))
}

// of are those of one injection.
func (m madeGroups) of(injection string) madeGroups {
	return slices.DeleteFunc(slices.Clone(m), func(g types.SecurityGroup) bool { return ec2Tags(g.Tags)[injectionTag] != injection })
}

func (m madeGroups) has(group string) bool {
	return slices.ContainsFunc(m, func(g types.SecurityGroup) bool { return aws.ToString(g.GroupId) == group })
}

// edited reports whether somebody lets something pass.
func (m madeGroups) edited() bool {
	return slices.ContainsFunc(m, func(g types.SecurityGroup) bool { return len(g.IpPermissions)+len(g.IpPermissionsEgress) > 0 })
}

// ensure makes one, unless there is one, and takes out the rules that EC2 puts into
// each: the second only where there is IPv6.
func (m madeGroups) ensure(ctx context.Context, c aws.Config, injection, vpc string) (group string, err error) {
	if len(m) > 0 {
		group = aws.ToString(m[0].GroupId)
	} else {
		out, err := newEC2(c).CreateSecurityGroup(ctx, newGroup(injection, vpc, false))
		if err != nil {
			return "", cloud.Failed("create a security group", err)
		}
		group = aws.ToString(out.GroupId)
	}
	four := types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}
	six := types.IpPermission{IpProtocol: aws.String("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}}
	for _, rule := range []types.IpPermission{four, six} {
		_, err := newEC2(c).RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: aws.String(group), IpPermissions: []types.IpPermission{rule}})
		if err := cloud.Failed("take the rules out of "+group, err, "InvalidPermission.NotFound"); err != nil {
			return "", err
		}
	}
	return group, nil
}

// delete deletes them; what uses them still keeps AWS from that.
func (m madeGroups) delete(ctx context.Context, c aws.Config) error {
	for _, g := range m {
		_, err := newEC2(c).DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: g.GroupId})
		if err := cloud.Failed("delete security group "+aws.ToString(g.GroupId), err, "InvalidGroup.NotFound"); err != nil {
			return err
		}
	}
	return nil
}

func newGroup(injection, vpc string, dry bool) *ec2.CreateSecurityGroupInput {
	return &ec2.CreateSecurityGroupInput{GroupName: aws.String("mishap-" + injection), Description: aws.String("lets nothing pass, for mishap " + injection),
		VpcId: aws.String(vpc), TagSpecifications: marked(types.ResourceTypeSecurityGroup, injection), DryRun: aws.Bool(dry)}
}

func groupIDs(groups []types.GroupIdentifier) (ids []string) {
	for _, g := range groups {
		ids = append(ids, aws.ToString(g.GroupId))
	}
	return ids
}
