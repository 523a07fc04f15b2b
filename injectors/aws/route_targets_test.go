package aws_test

import (
	"strings"
	"testing"

	"mishap"
	"mishap/internal/awsfake"
)

// TestARouteGoesBackToWhateverItWentTo: each target of a route has a field of its own
// in the call that replaces it, which is not always that which a table shows.
func TestARouteGoesBackToWhateverItWentTo(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	at := c.Enter(here)
	for field, id := range map[string]string{
		"gatewayId": "igw-00000001", "natGatewayId": "nat-00000001", "transitGatewayId": "tgw-00000001", "vpcPeeringConnectionId": "pcx-00000001",
		"egressOnlyInternetGatewayId": "eigw-00000001", "localGatewayId": "lgw-00000001", "carrierGatewayId": "cagw-00000001",
		"coreNetworkArn": "arn:aws:networkmanager::111111111111:core-network/core-network-1", "odbNetworkArn": "arn:aws:odb:eu-west-1:111111111111:odb-network/odbnet_1",
		"gatewayId of a load balancer": "vpce-00000001", // a Gateway Load Balancer's endpoint
	} {
		t.Run(field, func(t *testing.T) {
			shown, _, _ := strings.Cut(field, " ")
			table := c.All(at, awsfake.RouteTable)[0]
			table["routeSet"] = []awsfake.Doc{{"destinationCidrBlock": "0.0.0.0/0", shown: id, "state": "active", "origin": "CreateRoute"}}
			c.Put(at, awsfake.RouteTable, table.Str("routeTableId"), table)
			before := c.Snapshot()
			f := fault("route-blackhole", map[string]any{"ids": []string{table.Str("routeTableId")}}, `{"destination": "0.0.0.0/0"}`)
			f.For = mishap.Duration(60e9)
			injector, found, err := prepared(t, fakeDeps(c), f)
			if err != nil {
				t.Fatal(err)
			}
			found[0].ID = "run.1.1"
			if err := injector.Inject(t.Context(), found[0]); err != nil {
				t.Fatal(err)
			}
			if got, err := injector.Revert(t.Context(), found[0]); err != nil || got.State != mishap.InjectionReverted {
				t.Errorf("reverted: %+v, %v", got, err)
			}
			if after := c.Snapshot(); after != before {
				t.Errorf("before %s\nafter %s", before, after)
			}
		})
	}
}

// TestTheRouteOfAGatewayEndpointIsRefused: EC2 replaces none, and its table says of it
// what it says of any other.
func TestTheRouteOfAGatewayEndpointIsRefused(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	table := c.All(c.Enter(here), awsfake.RouteTable)[0]
	table["routeSet"] = []awsfake.Doc{{"destinationPrefixListId": "pl-00000001", "gatewayId": "vpce-00000001", "state": "active", "origin": "CreateRoute"}}
	c.Put(here, awsfake.RouteTable, table.Str("routeTableId"), table)
	_, _, err := prepared(t, fakeDeps(c), fault("route-blackhole", map[string]any{"ids": []string{table.Str("routeTableId")}}, `{"destination": "pl-00000001"}`))
	if err == nil || !strings.Contains(err.Error(), "cannot be replaced") {
		t.Errorf("prepared: %v", err)
	}
}
