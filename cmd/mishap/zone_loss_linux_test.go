package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mishap/internal/awsfake"
)

// walk is somebody who follows docs/aws.md to a zone loss in two accounts, whose
// roles may do what their policies say and nothing else.
type walk struct {
	*stage
	cloud  *awsfake.Cloud
	env    []string
	places map[string]awsfake.Place // of groups
	blocks []string                 // of the page: trust policy, settings, experiment
}

// newWalk is in these two accounts instead of those of the page: what goes on beside
// it on this machine may not be about the same things.
func newWalk(t *testing.T, shop, payments string) *walk {
	t.Helper()
	page, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## A zone loss in two accounts\n")
	section, _, _ = strings.Cut(section, "\n## ")
	section = strings.NewReplacer("111122223333", shop, "444455556666", payments).Replace(section)
	w := &walk{stage: newStage(t), cloud: awsfake.New(awsfake.Settings{}), places: map[string]awsfake.Place{
		"shop": {Account: shop, Region: "eu-west-1"}, "payments": {Account: payments, Region: "eu-west-1"}}}
	for _, block := range regexp.MustCompile("(?s)   ```(?:json|yaml)\n(.*?)   ```\n").FindAllStringSubmatch(section, -1) {
		w.blocks = append(w.blocks, strings.ReplaceAll(block[1], "\n   ", "\n")[3:])
	}
	if len(w.blocks) != 3 {
		t.Fatalf("the page has %d blocks", len(w.blocks))
	}
	for group, place := range w.places {
		w.cloud.Enter(place)
		w.cloud.AddRole(place.Account, "mishap", w.blocks[0], nil, nil)
		for _, s := range w.cloud.All(place, awsfake.Subnet) {
			w.cloud.Edit(place, awsfake.Subnet, s.Str("subnetId"), func(d awsfake.Doc) {
				d["_tags"] = map[string]string{"mishap": "allow", "Tier": "web"}
			})
		}
		w.cloud.AddGroup(place, group, 1, 3, 6, map[string]string{"mishap": "allow"})
	}
	server := httptest.NewServer(w.cloud)
	t.Cleanup(server.Close)
	w.env = []string{"AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=" + w.cloud.Key("777788889999", "user/ann"), "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true"}
	w.write("mishap.yaml", w.blocks[1])
	website := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(website.Close)
	w.blocks[2] = strings.ReplaceAll(w.blocks[2], "https://shop.example", website.URL)
	w.write("zone-loss.yaml", w.blocks[2])
	return w
}

func (w *walk) mishap(args ...string) *started {
	c := w.stage.mishap(args...)
	c.Env = append(c.Env, w.env...)
	return c
}

// grant gives both roles what mishap iam prints, but for an action. It returns all
// actions.
func (w *walk) grant(but string) (actions []string) {
	w.t.Helper()
	policies := map[string]string{}
	for _, only := range []string{"inject", "revert"} {
		c := w.mishap("iam", "--only", only, "zone-loss.yaml").begin()
		c.ends(0)
		var p policy
		if err := json.Unmarshal([]byte(c.out.String()), &p); err != nil {
			w.t.Fatalf("%v: %s", err, c.out.String())
		}
		for n := range p.Statement {
			actions = append(actions, p.Statement[n].Actions...)
			p.Statement[n].Actions = slices.DeleteFunc(p.Statement[n].Actions, func(a string) bool { return a == but })
		}
		p.Statement = slices.DeleteFunc(p.Statement, func(s statement) bool { return len(s.Actions) == 0 })
		text, err := json.Marshal(p)
		if err != nil {
			w.t.Fatal(err)
		}
		policies[only] = string(text)
	}
	for _, place := range w.places {
		w.cloud.Edit(awsfake.Place{Account: place.Account}, awsfake.Role, "mishap", func(d awsfake.Doc) { d["_policies"] = policies })
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// network is what the zone loss changes: the subnets of the groups, and behind which
// ACL each subnet is. What the vault has is beside it.
func (w *walk) network() string {
	all := w.cloud.Snapshot(awsfake.NetworkACL, awsfake.Subnet, awsfake.Parameter)
	for _, group := range slices.Sorted(maps.Keys(w.places)) {
		all += fmt.Sprintf("\n%s is in %s", group, w.cloud.Get(w.places[group], awsfake.Group, group)["VPCZoneIdentifier"])
	}
	return all
}

// lost reports whether the zone is, in both accounts.
func (w *walk) lost() bool {
	w.t.Helper()
	for group, place := range w.places {
		first := w.cloud.All(place, awsfake.Subnet)[0].Str("subnetId")
		acls := w.cloud.All(place, awsfake.NetworkACL)
		cut := slices.ContainsFunc(acls[1:], func(acl awsfake.Doc) bool {
			return slices.ContainsFunc(acl.Docs("associationSet"), func(a awsfake.Doc) bool { return a.Str("subnetId") == first })
		})
		if !cut || strings.Contains(w.cloud.Get(place, awsfake.Group, group).Str("VPCZoneIdentifier"), first) {
			return false
		}
	}
	return true
}

// granted is what was changed nowhere yet, with the policies that are printed.
func granted(t *testing.T, shop, payments string) (w *walk, network string) {
	t.Helper()
	w = newWalk(t, shop, payments)
	w.grant("")
	return w, w.network()
}

// restored wants the network as it was before, and all of it done by the roles,
// which lacked nothing.
func (w *walk) restored(before string) {
	w.t.Helper()
	if after := w.network(); after != before {
		w.t.Errorf("there is\n%s\nbefore there was\n%s", after, before)
	}
	for _, call := range w.cloud.Calls() {
		if !strings.HasPrefix(call.Action, "sts:") && !strings.Contains(call.Principal, ":assumed-role/mishap/") || strings.Contains(call.Error, "not authorized") {
			w.t.Errorf("%s called %s: %s", call.Principal, call.Action, call.Error)
		}
	}
}

// TestAZoneLossFollowedFromThePageNeedsNothingElse: in two accounts, whose roles have
// the policies that are printed.
func TestAZoneLossFollowedFromThePageNeedsNothingElse(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	t.Run("it ends with a verdict", func(t *testing.T) {
		t.Parallel()
		w, before := granted(t, "111122223333", "444455556666")
		w.mishap("plan", "zone-loss.yaml").begin().ends(0)
		w.write("short.yaml", strings.ReplaceAll(w.blocks[2], "15m}", "1s}"))
		run := w.runs(0, func() *started { return w.mishap("run", "short.yaml") })
		if said := unfolded(run); !strings.Contains(said, "HELD") {
			t.Errorf("it says %s", said)
		}
		w.restored(before)
	})
	t.Run("when run, keeper and state directory are gone it is swept from elsewhere", func(t *testing.T) {
		t.Parallel()
		w, before := granted(t, "111122223334", "444455556667")
		w.dies()
		elsewhere := &walk{stage: &stage{t: t, dir: t.TempDir()}, env: w.env}
		elsewhere.write("mishap.yaml", w.blocks[1])
		found := elsewhere.mishap("sweep", "--list", "-o", "json").sweeps(0)
		if len(found.Records) != 4 || !w.lost() {
			t.Fatalf("listed: %+v", found)
		}
		if swept := elsewhere.mishap("sweep", "-o", "json", found.Records[0].Run).sweeps(0); !swept.Clean {
			t.Errorf("swept: %+v", swept)
		}
		w.restored(before)
	})
}

// dies begins a run, and when the zone is lost kills it and its keeper, and takes the
// state directory away.
func (w *walk) dies() {
	w.t.Helper()
	run := w.mishap("run", "zone-loss.yaml").begin()
	await(w.t, "the zone is lost", func() bool { return w.lost() })
	w.killAll(run)
	if err := os.RemoveAll(filepath.Join(w.dir, "state")); err != nil {
		w.t.Fatal(err)
	}
}

// TestAPlanOfAZoneLossIsRefusedWithoutAnyOneOfItsPermissions: to do it, to undo it, or
// for the vault. Who we are everybody may ask, and without leave to simulate the plan
// says what was not asked.
func TestAPlanOfAZoneLossIsRefusedWithoutAnyOneOfItsPermissions(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	w := newWalk(t, "111122223333", "444455556666")
	all := w.grant("")
	if len(all) < 10 {
		t.Fatalf("the policies allow %s", all)
	}
	for _, but := range all {
		want, says := 5, but
		switch but {
		case "sts:GetCallerIdentity":
			continue
		case "iam:SimulatePrincipalPolicy":
			want, says = 0, "it was not asked whether"
		}
		w.grant(but)
		plan := w.mishap("plan", "zone-loss.yaml").begin()
		plan.ends(want)
		if said := unfolded(plan); !strings.Contains(said, says) {
			t.Errorf("without %s it says %s", but, said)
		}
	}
}
