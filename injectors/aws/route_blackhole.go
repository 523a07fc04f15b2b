package aws

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"mishap"
	"mishap/internal/cloud"
)

type routeWith struct {
	Destination string `json:"destination" jsonschema:"destination of the route, as the table has it: a CIDR block such as 0.0.0.0/0, or a prefix list such as pl-0123456789abcdef0"`
}

const routeTableID = `^rtb-[0-9a-f]{8,17}$`

func (w routeWith) problems() []error {
	if prefix, err := netip.ParsePrefix(w.Destination); err == nil && prefix == prefix.Masked() || strings.HasPrefix(w.Destination, "pl-") {
		return nil
	}
	return []error{&mishap.FieldError{Path: "with.destination", Msg: fmt.Sprintf("%q is no destination of a route", w.Destination), Hint: "write a CIDR block such as 0.0.0.0/0, or a prefix list such as pl-0123456789abcdef0"}}
}

// replacing is the call that replaces the route of a table.
func (w routeWith) replacing(table string) *ec2.ReplaceRouteInput {
	call := &ec2.ReplaceRouteInput{RouteTableId: aws.String(table)}
	switch destination := aws.String(w.Destination); {
	case strings.HasPrefix(w.Destination, "pl-"):
		call.DestinationPrefixListId = destination
	case strings.Contains(w.Destination, ":"):
		call.DestinationIpv6CidrBlock = destination
	default:
		call.DestinationCidrBlock = destination
	}
	return call
}

func routeBlackhole() fault[routeWith] {
	reads := reading("ec2:DescribeRouteTables", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
	return fault[routeWith]{
		about: about{
			name:    "route-blackhole",
			symptom: mishap.SymptomUnreachable,
			summary: "lets a route end in a black hole",
			doc: "The route of each table goes to a network interface that is made for it and attached to nothing, and afterwards where it went. What more specific routes take is not affected. " +
				"Routes that are propagated, local or of a gateway endpoint cannot be changed. If others change the route meanwhile, that stays. " +
				"The interface takes an address of a subnet of the VPC.",
			example:  "injector: route-blackhole\ntargets: {tags: {Tier: web}}\nwith: {destination: 0.0.0.0/0}\nfor: 5m",
			whenLost: "if this whole machine is lost, the route stays a black hole until `mishap revert` or `mishap sweep`, or until somebody replaces it",
			settles:  ec2Settles, dryRuns: []string{"ec2:ReplaceRoute"},
			do:   append(creating("ec2:CreateNetworkInterface", "network-interface", "subnet", "security-group"), reads, acting("ec2:ReplaceRoute")),
			undo: []allow{reads, acting("ec2:ReplaceRoute"), changingMarked("ec2:DeleteNetworkInterface", "network-interface")},
			noun: "route-table", kind: "route-table", arn: "arn:{partition}:ec2:{region}:{account}:route-table/{id}",
			attribute: "routes", normal: "routing", injecting: "a black hole", id: like(routeTableID), idLike: "rtb-0123456789abcdef0",
		},
		find: findRoutes,
		check: func(ctx context.Context, c aws.Config, with routeWith, chosen []thing) ([]string, error) {
			was := chosen[0].before.(routeBefore)
			call := was.Target.in(with.replacing(chosen[0].id))
			call.DryRun = aws.Bool(true)
			_, err := newEC2(c).ReplaceRoute(ctx, call)
			return nil, wouldWork("ec2:ReplaceRoute", err)
		},
		inject: each(func(ctx context.Context, c aws.Config, on recorded[routeWith]) error {
			now, err := routes(ctx, c, on)
			s := now[on.id]
			if err == nil && len(s.ours) == 0 {
				s.ours, err = s.hole(ctx, c, on.injection)
			}
			if err != nil {
				return err
			}
			return s.to(ctx, c, on, routeTarget{"interface", s.ours[0]})
		}),
		revert: each(func(ctx context.Context, c aws.Config, on recorded[routeWith]) error {
			now, err := routes(ctx, c, on)
			s := now[on.id]
			if err == nil && (s.target == s.before.Target || s.inHole()) && len(s.ours) > 0 { // what is seen may be of before
				err = s.to(ctx, c, on, s.before.Target)
			}
			for n := 0; n < len(s.ours) && err == nil; n++ {
				_, err = newEC2(c).DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String(s.ours[n])})
				err = cloud.Failed("delete network interface "+s.ours[n], err, "InvalidNetworkInterfaceID.NotFound")
			}
			return err
		}),
		read: lookTogether(look{gone, "deleted"}, func(ctx context.Context, c aws.Config, on []recorded[routeWith]) (map[string]look, error) {
			now, err := routes(ctx, c, on...)
			looks := map[string]look{}
			for id, s := range now {
				looks[id] = s.look()
			}
			return looks, err
		}),
	}
}
