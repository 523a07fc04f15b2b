package aws_test

import (
	"strings"
	"testing"

	"mishap"
	"mishap/injectors/aws"
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
	c.AddQueue(here, "mail", "", nil)
	c.Launch(here, 1, map[string]string{"Name": "web"})
	for _, test := range []struct{ injector, targets, want string }{
		{"sqs-deny", `{"names": ["orders", "nosuch", "nosuch"]}`, "queue nosuch is not taken: there is no queue nosuch in 111111111111 eu-west-1"},
		{"sqs-deny", `{"ids": ["orders", "nosuch"]}`, "queue nosuch is not taken: there is no queue nosuch in 111111111111 eu-west-1"},
		{"sqs-deny", `{"names": ["orders", "mail"], "tags": {"Role": "shop"}}`, "queue mail is not taken: it is not open, or does not fit the rest of the targets"},
		{"ec2-stop", `{"names": ["web", "db"]}`, "instance db is not taken: there is no running instance db in 111111111111 eu-west-1"},
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

// TestWhereNothingFitsItIsSaidWhatOfThatThereIsNone of every kind, by whatever it is
// named.
func TestWhereNothingFitsItIsSaidWhatOfThatThereIsNone(t *testing.T) {
	for _, k := range aws.Catalog(aws.Deps{}) {
		c := awsfake.New(awsfake.Settings{})
		_, with := trials()[k.Name].put(c, c.Enter(here))
		id := map[string]string{"instance": "i-0123456789abcdef0", "subnet": "subnet-0123456789abcdef0", "route": "rtb-0123456789abcdef0", "vpc": "vpce-0123456789abcdef0",
			"event": "14e0db71-5d35-4eb5-b481-8945cf9d10c2", "": "nosuch"}
		named := id[""]
		switch first, _, _ := strings.Cut(k.Name, "-"); {
		case first == "ec2" || k.Name == "asg-standby" || k.Name == "asg-unhealthy":
			named = id["instance"]
		case id[first] != "":
			named = id[first]
		}
		for _, targets := range []string{`{"ids": ["` + named + `"]}`, `{"names": ["` + named + `"]}`, `{"names": ["` + named + `"], "tags": {"Role": "payments"}}`} {
			_, _, err := prepared(t, fakeDeps(c), fault(k.Name, targets, with))
			if err == nil || !strings.Contains(err.Error(), "there is no ") || !strings.Contains(err.Error(), named+" in 111111111111 eu-west-1") {
				t.Errorf("%s of %s: %v", k.Name, targets, err)
			}
		}
	}
}

// TestTheARNOfSomethingElseIsRefused: what is part of a thing, or in it, ends with a
// name that another thing may have.
func TestTheARNOfSomethingElseIsRefused(t *testing.T) {
	c := awsfake.New(awsfake.Settings{})
	for _, group := range []string{"web", "prod/web"} {
		c.AddGroup(here, group, 1, 2, 3, nil)
	}
	const place = ":eu-west-1:111111111111:"
	for _, test := range []struct{ injector, arn, with, want string }{
		{"lambda-throttle", "arn:aws:lambda" + place + "function:payments:live", "", ""},
		{"lambda-throttle", "arn:aws:lambda" + place + "function:payments", "", "payments"},
		{"dynamodb-deny", "arn:aws:dynamodb" + place + "table/orders/index/mail", "", ""},
		{"dynamodb-deny", "arn:aws:dynamodb" + place + "table/orders/stream/2026-01-01T00:00:00.000", "", ""},
		{"kinesis-deny", "arn:aws:kinesis" + place + "stream/clicks/consumer/orders:1700000000", "", ""},
		{"s3-deny", "arn:aws:s3:::photos/orders", "", ""},
		{"sqs-deny", "arn:aws:sqs" + place + "orders:mail", "", ""},
		{"ec2-stop", "arn:aws:ec2" + place + "instance/x/i-0123456789abcdef0", "", ""},
		{"iam-deny", "arn:aws:iam::111111111111:role/shop/eu/orders", `{"actions": ["s3:GetObject"]}`, "orders"},
		{"asg-suspend", "arn:aws:autoscaling" + place + "autoScalingGroup:1f:autoScalingGroupName/prod/web", `{"processes": ["Launch"]}`, "prod/web"},
	} {
		injector, err := kind(fakeDeps(c), test.injector).New(fault(test.injector, `{"arns": ["`+test.arn+`"]}`, test.with))
		switch {
		case test.want == "":
			if err == nil || !strings.Contains(err.Error(), "is not the ARN of") {
				t.Errorf("%s of %s: %v", test.injector, test.arn, err)
			}
		case err != nil:
			t.Errorf("%s of %s: %v", test.injector, test.arn, err)
		case test.injector == "asg-suspend":
			found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: fault(test.injector, `{"arns": ["`+test.arn+`"]}`, test.with)})
			if err != nil || len(found) != 1 || found[0].Target.Name != test.want {
				t.Errorf("%s of %s: %+v, %v", test.injector, test.arn, found, err)
			}
		}
	}
}
