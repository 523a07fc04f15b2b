package aws_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"mishap/internal/awsfake"
)

// TestAsManyAsAreNamedAreFound though a call takes so many values, names or ARNs and
// no more: by id, by name, and both at once.
func TestAsManyAsAreNamedAreFound(t *testing.T) {
	const n = 450
	clone := func(kind awsfake.Kind, key string) func(c *awsfake.Cloud, id string, tags map[string]string) {
		return func(c *awsfake.Cloud, id string, tags map[string]string) {
			d := c.All(here, kind)[0].Clone()
			d[key], d["_id"], d["associationSet"], d["_tags"] = id, id, []awsfake.Doc{}, tags
			c.Put(here, kind, id, d)
		}
	}
	for name, row := range map[string]struct {
		id  string
		put func(c *awsfake.Cloud, id string, tags map[string]string)
	}{
		"subnet-isolate":  {"subnet-%08x", clone(awsfake.Subnet, "subnetId")},
		"route-blackhole": {"rtb-%08x", clone(awsfake.RouteTable, "routeTableId")},
		"ec2-stop":        {"", func(c *awsfake.Cloud, _ string, tags map[string]string) { c.Launch(here, 1, tags) }},
		"ec2-isolate":     {"", func(c *awsfake.Cloud, _ string, tags map[string]string) { c.Launch(here, 1, tags) }},
		"vpc-endpoint-cut": {"", func(c *awsfake.Cloud, _ string, tags map[string]string) {
			c.AddEndpoint(here, "sqs", "Interface", tags)
		}},
		"asg-suspend":     {"group-%d", func(c *awsfake.Cloud, id string, tags map[string]string) { c.AddGroup(here, id, 0, 0, 1, tags) }},
		"sqs-deny":        {"queue-%d", func(c *awsfake.Cloud, id string, tags map[string]string) { c.AddQueue(here, id, "", tags) }},
		"lambda-throttle": {"function-%d", func(c *awsfake.Cloud, id string, tags map[string]string) { c.AddFunction(here, id, tags) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := awsfake.New(awsfake.Settings{})
				c.Enter(here)
				var names []string
				for i := range n {
					id, tags := "", map[string]string{"Name": fmt.Sprint("thing-", i), "Fleet": "big"}
					if row.id != "" {
						id = fmt.Sprintf(row.id, i)
					}
					row.put(c, id, tags)
					if names = append(names, tags["Name"]); !strings.Contains(row.id, "%08x") && row.id != "" {
						names[i] = id // what it is called
					}
				}
				with := map[string]string{"route-blackhole": `{"destination": "0.0.0.0/0"}`, "asg-suspend": `{"processes": ["Launch"]}`}[name]
				_, tagged, err := prepared(t, fakeDeps(c), fault(name, `{"tags": {"Fleet": "big"}}`, with))
				if err != nil || len(tagged) != n {
					t.Fatalf("by tags %d found, %v", len(tagged), err)
				}
				var ids []string
				for _, in := range tagged {
					ids = append(ids, in.Target.ID[strings.LastIndexAny(in.Target.ID, "/:")+1:])
				}
				for what, targets := range map[string]any{
					"ids": map[string]any{"ids": ids}, "names": map[string]any{"names": names}, "both": map[string]any{"ids": ids, "names": names},
				} {
					text, err := json.Marshal(targets)
					if err != nil {
						t.Fatal(err)
					}
					if _, found, err := prepared(t, fakeDeps(c), fault(name, string(text), with)); err != nil || len(found) != n {
						t.Errorf("by %s %d found, %v", what, len(found), err)
					}
				}
			})
		})
	}
}
