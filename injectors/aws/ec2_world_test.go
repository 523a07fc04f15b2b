package aws_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/injectortest"
)

// memoryEC2World is a region with two instances that are meant, and one that is
// not.
func memoryEC2World() injectortest.World {
	var region *memoryRegion
	var server *httptest.Server
	w := world(aws.Deps{Place: func(context.Context, string) (aws.Place, error) {
		config := sdk.Config{Region: "eu-west-1", BaseEndpoint: sdk.String(server.URL),
			Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
				return sdk.Credentials{AccessKeyID: "id", SecretAccessKey: "key"}, nil
			})}
		return aws.Place{Config: config, Account: "123456789012", Region: "eu-west-1"}, nil
	}}, "ec2-stop")
	w.Fault = func(t *testing.T) mishap.Fault {
		region = &memoryRegion{state: map[string]string{"i-000000a1": "running", "i-000000a2": "running", "i-000000b1": "running"}}
		server = httptest.NewServer(region)
		t.Cleanup(server.Close)
		return fault("ec2-stop", `{"ids": ["i-000000a1", "i-000000a2"]}`, nil)
	}
	w.More = func(*testing.T) map[string]mishap.Fault { return moreEC2("i-000000a1") }
	w.Granted = func() mishap.Uses { return mishap.Uses{Hosts: []string{server.Listener.Addr().String()}} } // the settings list the place
	w.Empty = fault("ec2-stop", `{"ids": ["i-000000c1"]}`, nil)
	w.Snapshot = func(*testing.T) string { return region.String() }
	w.Remove = func(*testing.T) { region.set("terminated", "i-000000a1", "i-000000a2") }
	return w
}

// moreEC2 is faults on instances that have a tag, of which one is named.
func moreEC2(id string) map[string]mishap.Fault {
	return map[string]mishap.Fault{
		"ids":   fault("ec2-stop", map[string]any{"region": "eu-west-1", "ids": []string{id}}, nil),
		"pick":  fault("ec2-stop", `{"tags": {"Role": "payments"}, "pick": 1, "seed": 1}`, nil),
		"share": fault("ec2-stop", `{"tags": {"Role": "payments"}, "share": "50%"}`, nil),
	}
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
	_ = req.ParseForm()
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := slices.Sorted(maps.Keys(r.state))
	if req.Form.Has("InstanceId.1") {
		ids = nil
	}
	for n := 1; req.Form.Has(fmt.Sprintf("InstanceId.%d", n)); n++ {
		ids = append(ids, req.Form.Get(fmt.Sprintf("InstanceId.%d", n)))
	}
	for _, id := range ids {
		if r.state[id] == "" {
			refuse(w, "InvalidInstanceID.NotFound")
			return
		}
	}
	switch action := req.Form.Get("Action"); action {
	case "DescribeInstances":
		answer(w, action, "<reservationSet><item><instancesSet>"+r.describe(ids, req.Form.Get("Filter.1.Value.1"))+"</instancesSet></item></reservationSet>")
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

// describe lists the instances, in that state if one is given.
func (r *memoryRegion) describe(ids []string, state string) string {
	var items strings.Builder
	for _, id := range ids {
		if state == "" || state == r.state[id] {
			fmt.Fprintf(&items, "<item><instanceId>%s</instanceId><instanceState><name>%s</name></instanceState><tagSet><item><key>Role</key><value>payments</value></item></tagSet></item>", id, r.state[id])
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
