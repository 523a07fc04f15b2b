package cloud_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

func TestWhatAnInstanceStandsOnIsFoundOnce(t *testing.T) {
	fake := awsfake.New(awsfake.Settings{})
	fake.Enter(home)
	id := fake.Launch(home, 1, map[string]string{"aws:autoscaling:groupName": "ops"})[0]
	endpoint := fake.AddEndpoint(home, "com.amazonaws.eu-west-1.sts", "Interface", nil)
	c := cloud.New()
	place := cloud.Place{At: cloud.At{Account: home.Account, Region: home.Region}, Config: c.Calls(fake.Config(home.Account, home.Region), home.Account)}
	i := fake.Get(home, awsfake.Instance, id)
	const ec2 = "arn:aws:ec2:eu-west-1:111111111111:"
	want := map[string]string{
		ec2 + "subnet/" + i.Str("subnetId"): "the subnet that mishap runs in",
		ec2 + "vpc-endpoint/" + endpoint:    "an endpoint of the VPC that mishap runs in",
		"arn:aws:autoscaling:eu-west-1:111111111111:autoScalingGroup::autoScalingGroupName/ops": "the Auto Scaling group that mishap runs in",
	}
	for _, acl := range fake.All(home, awsfake.NetworkACL) {
		want[ec2+"network-acl/"+acl.Str("networkAclId")] = "the network ACL of mishap's subnet"
	}
	for _, table := range fake.All(home, awsfake.RouteTable) {
		want[ec2+"route-table/"+table.Str("routeTableId")] = "the route table of mishap's subnet"
	}
	for _, nic := range fake.All(home, awsfake.NetworkInterface) {
		if nic.Str("attachment.instanceId") == id {
			want[ec2+"network-interface/"+nic.Str("networkInterfaceId")] = "a network interface of the machine that mishap runs on"
			for _, g := range nic.Docs("groupSet") {
				want[ec2+"security-group/"+g.Str("groupId")] = "a security group of the machine that mishap runs on"
			}
		}
	}
	for range 2 {
		got, err := c.StandsOn(t.Context(), place, id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if n := len(fake.Calls()); n > 5 {
		t.Errorf("%d calls", n)
	}
}

func TestTheRoleOfASessionIsKnown(t *testing.T) {
	_, role := serve(t)
	c := cloud.New()
	if _, err := c.Place(t.Context(), cloud.At{Account: other, Region: "us-east-1", Role: role, ExternalID: "chaos"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"arn:aws:iam::222222222222:role/mishap"}, c.Roles()); diff != "" {
		t.Error(diff)
	}
}

func TestTheMachineSaysWhereItsInstanceIs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"accountId": "111111111111", "region": "eu-west-1", "instanceId": "i-1"}`)
			return
		}
		fmt.Fprint(w, "token")
	}))
	t.Cleanup(server.Close)
	alone(t, map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL, "AWS_EC2_METADATA_DISABLED": "false"})
	account, region, err := cloud.New().Instance(t.Context())
	if err != nil || account != home.Account || region != home.Region {
		t.Errorf("%s %s %v", account, region, err)
	}
}

func TestThePrincipalIsWhosePoliciesCount(t *testing.T) {
	for caller, want := range map[string]string{
		"arn:aws:sts::111111111111:assumed-role/mishap/i-1": "arn:aws:iam::111111111111:role/mishap",
		"arn:aws:iam::111111111111:user/ops/ann":            "arn:aws:iam::111111111111:user/ops/ann",
		"arn:aws:iam::111111111111:root":                    "",
		"arn:aws:sts::111111111111:federated-user/ann":      "",
	} {
		if got := (cloud.Place{Caller: caller}).Principal(); got != want {
			t.Errorf("%s: %q, want %q", caller, got, want)
		}
	}
	taken := cloud.Place{At: cloud.At{Role: "arn:aws:iam::111111111111:role/ops/mishap"}, Caller: "arn:aws:sts::111111111111:assumed-role/mishap/mishap"}
	if got := taken.Principal(); got != taken.Role {
		t.Errorf("a role with a path that was taken on is %s", got)
	}
}
