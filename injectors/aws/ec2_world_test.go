package aws_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/cloud"
	"mishap/internal/injectortest"
)

// memoryEC2World is a region with two instances that are meant, and one that is
// not.
func memoryEC2World() injectortest.World {
	var region *memoryRegion
	var server *httptest.Server
	place := func() cloud.Place {
		config := sdk.Config{Region: "eu-west-1", BaseEndpoint: sdk.String(server.URL),
			Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
				return sdk.Credentials{AccessKeyID: "id", SecretAccessKey: "key"}, nil
			})}
		return cloud.Place{Config: cloud.New().Calls(config, "123456789012"), At: cloud.At{Account: "123456789012", Region: "eu-west-1"}}
	}
	w := world(aws.Deps{
		Place:    func(context.Context, string, string) (cloud.Place, error) { return place(), nil },
		Recorded: func(context.Context, cloud.At) (cloud.Place, error) { return place(), nil },
	}, "ec2-stop")
	w.Fault = func(t *testing.T) mishap.Fault {
		region = &memoryRegion{state: map[string]string{"i-000000a1": "running", "i-000000a2": "running", "i-000000b1": "running"}}
		server = httptest.NewServer(region)
		t.Cleanup(server.Close)
		return fault("ec2-stop", `{"ids": ["i-000000a1", "i-000000a2"]}`, nil)
	}
	w.More = func(*testing.T) map[string]mishap.Fault { return moreEC2("i-000000a1") }
	w.Prompt = true
	w.Granted = func() mishap.Uses { return mishap.Uses{Hosts: []string{server.Listener.Addr().String()}} } // the settings list the place
	w.Empty = fault("ec2-stop", `{"ids": ["i-000000c1"]}`, nil)
	w.Snapshot = func(*testing.T) string { return region.String() }
	w.Remove = func(*testing.T) { region.set("terminated", "i-000000a1", "i-000000a2") }
	return w
}

// moreEC2 is faults on instances that have a tag, of which one is named.
func moreEC2(id string) map[string]mishap.Fault {
	all := map[string]mishap.Fault{}
	for name, targets := range map[string]string{
		"ids": `{"account": "123456789012", "region": "eu-west-1", "ids": ["` + id + `"]}`, "arns": `{"arns": ["arn:aws:ec2:eu-west-1:123456789012:instance/` + id + `"]}`,
		"pick": `{"tags": {"Role": "payments"}, "pick": 1, "seed": 1}`, "share": `{"tags": {"Role": "payments"}, "share": "50%"}`,
		"resourceGroup": `{"resourceGroup": "payments"}`,
		"names":         `{"names": ["pay"]}`, "stack": `{"stack": "shop"}`, "group": `{"group": "payments"}`, "vpc": `{"vpc": "vpc-1", "pick": 1, "perZone": true}`,
		"zones": `{"tags": {"Role": "payments"}, "zones": ["eu-west-1a"]}`, "filters": `{"tags": {"Role": "payments"}, "filters": {"instance-type": ["t3.micro"]}}`,
	} {
		all[name] = fault("ec2-stop", targets, nil)
	}
	return all
}

// memoryRegion answers the few calls of EC2's API that stop and start
// instances, which do so at once.
type memoryRegion struct {
	mu    sync.Mutex
	state map[string]string // by instance id
}

func (r *memoryRegion) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.state)
}

func (r *memoryRegion) set(state string, ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.state[id] = state
	}
}

// ServeHTTP answers in EC2's XML.
func (r *memoryRegion) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/list-group-resources" {
		fmt.Fprint(w, `{"Resources": [{"Identifier": {"ResourceArn": "arn:aws:ec2:eu-west-1:123456789012:instance/i-000000a1"}}]}`)
		return
	}
	_ = req.ParseForm()
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := slices.Sorted(maps.Keys(r.state))
	filters := filtersOf(req.Form)
	if named := filters["instance-id"]; named != nil {
		ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(named, id) })
	}
	if named := listOf(req.Form, "InstanceId"); named != nil {
		ids = named
	}
	for _, id := range ids {
		if r.state[id] == "" {
			refuse(w, "InvalidInstanceID.NotFound")
			return
		}
	}
	switch action := req.Form.Get("Action"); action {
	case "DescribeInstances":
		answer(w, action, "<reservationSet><item><instancesSet>"+r.describe(ids, filters["instance-state-name"])+"</instancesSet></item></reservationSet>")
	case "DescribeInstanceAttribute":
		answer(w, action, "<disableApiStop><value>false</value></disableApiStop>")
	case "StopInstances", "StartInstances":
		if req.Form.Get("DryRun") == "true" {
			refuse(w, "DryRunOperation")
			return
		}
		for _, id := range ids {
			r.state[id] = map[string]string{"StopInstances": "stopped", "StartInstances": "running"}[action]
		}
		answer(w, action, "<instancesSet/>")
	default:
		refuse(w, "InvalidAction")
	}
}

// filtersOf are the filters of a call.
func filtersOf(form url.Values) map[string][]string {
	all := map[string][]string{}
	for n := 1; form.Has(fmt.Sprintf("Filter.%d.Name", n)); n++ {
		all[form.Get(fmt.Sprintf("Filter.%d.Name", n))] = listOf(form, fmt.Sprintf("Filter.%d.Value", n))
	}
	return all
}

func listOf(form url.Values, name string) (all []string) {
	for n := 1; form.Has(fmt.Sprintf("%s.%d", name, n)); n++ {
		all = append(all, form.Get(fmt.Sprintf("%s.%d", name, n)))
	}
	return all
}

// describe lists the instances, in these states if any is given.
func (r *memoryRegion) describe(ids, states []string) string {
	var items strings.Builder
	for _, id := range ids {
		if states == nil || slices.Contains(states, r.state[id]) {
			fmt.Fprintf(&items, "<item><instanceId>%s</instanceId><instanceState><name>%s</name></instanceState><instanceType>t3.micro</instanceType>"+
				"<vpcId>vpc-1</vpcId><placement><availabilityZone>eu-west-1a</availabilityZone></placement><tagSet>", id, r.state[id])
			for key, value := range map[string]string{"Role": "payments", "Name": "pay", "aws:autoscaling:groupName": "payments", "aws:cloudformation:stack-name": "shop"} {
				fmt.Fprintf(&items, "<item><key>%s</key><value>%s</value></item>", key, value)
			}
			items.WriteString("</tagSet></item>")
		}
	}
	return items.String()
}

func answer(w http.ResponseWriter, action, body string) {
	fmt.Fprintf(w, `<%sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">%s</%[1]sResponse>`, action, body)
}

func refuse(w http.ResponseWriter, code string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%[1]s</Message></Error></Errors></Response>", code)
}
