package aws_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
)

// gated is moto behind a gate, at which another judge asks for the policies of a role.
type gated struct {
	*moto
	cloud *awsfake.Cloud
	judge *judge
	deps  aws.Deps

	mu     sync.Mutex
	policy string
}

func newGated(t *testing.T) *gated {
	t.Helper()
	g := &gated{moto: needMoto(t), cloud: awsfake.New(awsfake.Settings{}), judge: startJudge(t)}
	to, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsfake.Gate(g.cloud, httputil.NewSingleHostReverseProxy(to), func(c awsfake.Call, n awsfake.Need) string { return g.lacks(t, c, n) }))
	t.Cleanup(server.Close)
	key := g.cloud.Key(motoAccount, "role/chaos")
	config := cloud.New().Calls(sdk.Config{Region: motoRegion, BaseEndpoint: sdk.String(server.URL),
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, nil
		})}, motoAccount)
	g.deps = depsFor(cloud.Place{At: cloud.At{Account: motoAccount, Region: motoRegion}, Config: config, Caller: "arn:aws:sts::" + motoAccount + ":assumed-role/chaos/session"})
	return g
}

// may is what the role may do from now on.
func (g *gated) may(t *testing.T, all []mishap.Statement) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.policy = policyOf(t, all)
	g.cloud.Forget()
}

func (g *gated) lacks(t *testing.T, c awsfake.Call, n awsfake.Need) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := question{Account: c.Account, Role: "arn:aws:iam::" + c.Account + ":role/chaos", Policies: []json.RawMessage{json.RawMessage(g.policy)}, Action: n.Action, Resource: n.Resource, Context: n.Context}
	for key, value := range g.tags(t, n.Resource) {
		q.Context["aws:ResourceTag/"+key], q.Context["ec2:ResourceTag/"+key] = []string{value}, []string{value}
	}
	switch said := g.judge.ask(t, []question{q})[0]; said {
	case "Allowed":
		return ""
	case "ExplicitlyDenied":
		return "with an explicit deny in an identity-based policy"
	case "ImplicitlyDenied":
		return "because no identity-based policy allows the " + n.Action + " action"
	default:
		t.Errorf("the judge says of %s on %s: %s", n.Action, n.Resource, said)
		return said
	}
}

// tags are those of a resource of EC2.
func (g *gated) tags(t *testing.T, arn string) map[string]string {
	all := map[string]string{}
	if !strings.HasPrefix(arn, "arn:aws:ec2:") || strings.HasSuffix(arn, "*") {
		return all
	}
	out, err := g.ec2.DescribeTags(t.Context(), &ec2.DescribeTagsInput{Filters: []types.Filter{{Name: sdk.String("resource-id"), Values: []string{arn[strings.LastIndexByte(arn, '/')+1:]}}}})
	if err != nil {
		t.Errorf("describe tags: %v", err)
		return all
	}
	for _, tag := range out.Tags {
		all[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	return all
}

// life is a fault's, as far as it comes; what goes wrong on the way is its error.
func (g *gated) life(t *testing.T, f mishap.Fault) (notes string, err error) {
	t.Helper()
	k := kind(g.deps, f.Injector)
	injector, err := k.New(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: f})
	if err != nil {
		return "", err
	}
	for i := range k.Complete(all) {
		all[i].ID, all[i].Run, all[i].Fault = "run.1."+string(rune('1'+i)), "run", "f"
		notes += strings.Join(all[i].Notes, "; ")
	}
	for _, failed := range mishap.InjectAll(t.Context(), injector, all) {
		if failed != nil {
			err = failed
		}
	}
	for _, r := range mishap.RevertAll(t.Context(), injector, all) {
		if r.Err != nil {
			err = r.Err
		}
	}
	return notes, err
}

// TestBeforeAServerOfItsAPIsAGateLetsThroughWhatThePoliciesOfAFaultAllowAndNothingElse
// is about roles whose policies are those of `mishap iam`, and moto, which asks nobody.
func TestBeforeAServerOfItsAPIsAGateLetsThroughWhatThePoliciesOfAFaultAllowAndNothingElse(t *testing.T) {
	g := newGated(t)
	g.launch(t, 2, map[string]string{"Role": "payments", "mishap": "allow"})
	others := g.launch(t, 1, map[string]string{"Role": "payments"}) // which the policies do not mean
	f := fault("ec2-stop", `{"tags": {"Role": "payments", "mishap": "allow"}}`, nil)
	p, err := kind(g.deps, "ec2-stop").Needs(f, []mishap.Place{{Account: motoAccount, Region: motoRegion}}, map[string]string{"mishap": "allow"})
	if err != nil {
		t.Fatal(err)
	}
	all, before := slices.Concat(p.Inject, p.Revert), g.states(t)
	g.may(t, all)
	notes, err := g.life(t, f)
	var made []string // what is for groups is not asked of instances that are in none
	for _, c := range g.cloud.Calls() {
		if made = append(made, c.Action); c.Error != "" {
			t.Errorf("with all that is printed %s is refused: %s", c.Action, c.Error)
		}
	}
	if err != nil || !slices.Contains(made, "ec2:StopInstances") || !slices.Contains(made, "ec2:StartInstances") {
		t.Errorf("with all that is printed: %v; %s; it called %s", err, notes, made)
	}
	for _, action := range slices.Compact(slices.Sorted(slices.Values(made))) {
		g.may(t, without(all, action))
		switch notes, err := g.life(t, f); {
		case err == nil && !strings.Contains(notes, action), err != nil && !strings.Contains(err.Error(), action):
			t.Errorf("without %s: %v; %s", action, err, notes)
		}
	}
	if after := g.states(t); after != before {
		t.Errorf("the instances were\n%sand are\n%s", before, after)
	}
	g.may(t, p.Inject)
	_, err = g.life(t, fault("ec2-stop", `{"ids": ["`+others[0]+`"]}`, nil))
	if err == nil || !strings.Contains(err.Error(), "ec2:StopInstances") || !strings.Contains(err.Error(), "no identity-based policy allows") {
		t.Errorf("an instance without the tag: %v", err)
	}
}
