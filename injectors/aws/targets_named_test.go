package aws_test

import (
	"strings"
	"testing"

	"mishap/internal/awsfake"
)

// TestWhatIsNamedTwiceCountsOnce: the blast radius, and the share that it is, are of
// different things.
func TestWhatIsNamedTwiceCountsOnce(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	tags := map[string]string{"Role": "shop"}
	c.AddQueue(here, "orders", "", tags)
	c.AddQueue(here, "mail", "", tags)
	c.AddRole(here.Account, "orders", "", nil, tags)
	instance := c.Launch(here, 1, tags)[0]
	const queue = "arn:aws:sqs:eu-west-1:111111111111:orders"
	role := "arn:aws:iam::111111111111:role/"
	for _, test := range []struct {
		injector, targets string
		want              int
	}{
		{"sqs-deny", `{"names": ["orders", "orders"]}`, 1},
		{"sqs-deny", `{"ids": ["orders", "orders"]}`, 1},
		{"sqs-deny", `{"arns": ["` + queue + `", "` + queue + `"]}`, 1},
		{"sqs-deny", `{"names": ["orders", "mail", "orders"]}`, 2},
		{"iam-deny", `{"arns": ["` + role + `orders", "` + role + `shop/orders"]}`, 1},
		{"ec2-stop", `{"ids": ["` + instance + `", "` + instance + `"]}`, 1},
	} {
		with := ""
		if test.injector == "iam-deny" {
			with = `{"actions": ["s3:GetObject"]}`
		}
		_, found, err := prepared(t, fakeDeps(c), fault(test.injector, test.targets, with))
		if err != nil || len(found) != test.want || found[0].Matched != test.want {
			t.Errorf("%s of %s: %d injections, want %d: %v", test.injector, test.targets, len(found), test.want, err)
		}
	}
}

// TestWhatIsAskedForAndNotTakenIsSaid: by id or by name, once each.
func TestWhatIsAskedForAndNotTakenIsSaid(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	c.AddQueue(here, "orders", "", map[string]string{"Role": "shop"})
	c.Launch(here, 1, map[string]string{"Name": "web"})
	for _, test := range []struct{ injector, targets, want string }{
		{"sqs-deny", `{"names": ["orders", "nosuch", "nosuch"]}`, "queue nosuch is not taken: it is not open, or does not fit the rest of the targets"},
		{"sqs-deny", `{"ids": ["orders", "nosuch"]}`, "queue nosuch is not taken: it is not open, or does not fit the rest of the targets"},
		{"ec2-stop", `{"names": ["web", "db"]}`, "instance db is not taken: it is not running, or does not fit the rest of the targets"},
		{"sqs-deny", `{"names": ["orders"], "pick": 9}`, "1 of the 9 asked for"},
	} {
		_, found, err := prepared(t, fakeDeps(c), fault(test.injector, test.targets, nil))
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %d found, %v", test.targets, len(found), err)
			continue
		}
		notes := strings.Join(found[0].Notes, "\n")
		if strings.Count(notes, test.want) != 1 || strings.Contains(notes, "orders is not") || strings.Contains(notes, "web is not") {
			t.Errorf("%s: notes %s", test.targets, notes)
		}
	}
}
