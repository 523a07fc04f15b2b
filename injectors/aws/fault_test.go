package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/injectortest"
)

// trial is a region with two functions that are meant, and others.
func trial() (*memoryLambda, mishap.InjectorKind) {
	client := &memoryLambda{}
	config := aws.Config{Region: "eu-west-1", HTTPClient: group("arn:aws:lambda:eu-west-1:123456789012:function:cart"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key"}, nil
		})}
	return client, trialThrottle(client).injectorKind(placed(config, cloud.At{Account: "123456789012", Region: "eu-west-1"}))
}

// placed is one place, whatever is asked for, without limits.
func placed(config aws.Config, at cloud.At) Deps {
	place := cloud.Place{At: at, Config: config}
	return Deps{
		Place:    func(context.Context, string, string) (cloud.Place, error) { return place, nil },
		Recorded: func(context.Context, cloud.At) (cloud.Place, error) { return place, nil },
	}
}

// group answers as Resource Groups does, of a group with one member.
type group string

// Do answers one call of the SDK.
func (g group) Do(*http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"Resources": [{"Identifier": {"ResourceArn": %q}}]}`, string(g))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (l *memoryLambda) fill() {
	l.reserved = map[string]string{"cart": "", "checkout": "100", "idle": "0", "mail": "5"}
}

func throttle(targets string) mishap.Fault {
	return injectortest.Fault("lambda-throttle", targets, `{"concurrency": 0}`)
}

// TestANewFaultIsOneFileAndConforms: nothing but its file makes it conform.
func TestANewFaultIsOneFileAndConforms(t *testing.T) {
	client, kind := trial()
	injectortest.Conform(t, injectortest.World{
		Kind: kind, Fake: true, Empty: throttle(`{"ids": ["nobody"]}`),
		Fault: func(*testing.T) mishap.Fault {
			client.fill()
			return throttle(`{"ids": ["cart", "checkout"]}`)
		},
		More: func(*testing.T) map[string]mishap.Fault {
			return moreThrottled()
		},
		Snapshot: func(*testing.T) string { return fmt.Sprint(client.reserved) },
		Remove:   func(*testing.T) { delete(client.reserved, "cart"); delete(client.reserved, "checkout") },
	})
}

// moreThrottled has each word of targets once.
func moreThrottled() map[string]mishap.Fault {
	all := map[string]mishap.Fault{}
	for name, targets := range map[string]string{
		"region": `{"ids": ["cart"], "account": "123456789012", "region": "eu-west-1"}`, "arns": `{"arns": ["arn:aws:lambda:eu-west-1:123456789012:function:cart"]}`,
		"pick": `{"tags": {"Role": "shop"}, "pick": 1, "seed": 1}`, "share": `{"tags": {"Role": "shop"}, "share": "50%"}`,
		"resourceGroup": `{"resourceGroup": "shop"}`,
		"names":         `{"names": ["cart"]}`, "stack": `{"stack": "shop"}`, "group": `{"group": "shop"}`, "vpc": `{"vpc": "vpc-1", "pick": 1, "perZone": true}`,
		"zones": `{"tags": {"Role": "shop"}, "zones": ["eu-west-1a"]}`, "filters": `{"tags": {"Role": "shop"}, "filters": {"runtime": ["go"]}}`,
	} {
		all[name] = throttle(targets)
	}
	return all
}

func prepareTrial(t *testing.T, kind mishap.InjectorKind, targets string) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	return injectortest.Prepared(t, kind, throttle(targets))
}

func TestWhatIsNotNormalIsNotTakenAndSaidToBeLeft(t *testing.T) {
	client, kind := trial()
	client.fill()
	_, found, err := prepareTrial(t, kind, `{"ids": ["cart", "idle"]}`)
	if err != nil || len(found) != 1 || found[0].Target.ID != "arn:aws:lambda:eu-west-1:123456789012:function:cart" {
		t.Fatalf("prepared %+v, %v", found, err)
	}
	if notes := strings.Join(found[0].Notes, "\n"); !strings.Contains(notes, "function idle is not taken: it is not unthrottled") {
		t.Errorf("notes: %s", notes)
	}
}

func TestWhatSomebodyElseChangedStays(t *testing.T) {
	client, kind := trial()
	client.fill()
	injector, found, err := prepareTrial(t, kind, `{"ids": ["checkout"]}`)
	if err != nil {
		t.Fatal(err)
	}
	client.reserved["checkout"] = "7"
	if err := injector.Inject(t.Context(), found[0]); err == nil || !strings.Contains(err.Error(), "somebody else changed it") {
		t.Errorf("inject: %v", err)
	}
	if got, err := injector.Verify(t.Context(), found[0]); err != nil || got.InForce != mishap.No {
		t.Errorf("verify: %+v, %v", got, err)
	}
	if got, err := injector.Revert(t.Context(), found[0]); err != nil || got.State != mishap.InjectionSuperseded || client.reserved["checkout"] != "7" {
		t.Errorf("revert: %+v, %v; %v is reserved", got, err, client.reserved["checkout"])
	}
}

func TestUndoHasThePlaceTheTargetAndWhatWasBefore(t *testing.T) {
	client, kind := trial()
	client.fill()
	_, found, err := prepareTrial(t, kind, `{"ids": ["checkout"]}`)
	if err != nil {
		t.Fatal(err)
	}
	var undo map[string]string
	if err := json.Unmarshal(found[0].Undo, &undo); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"account": "123456789012", "region": "eu-west-1", "function": "checkout", "before": "100"}
	if fmt.Sprint(undo) != fmt.Sprint(want) {
		t.Errorf("undo %v, want %v", undo, want)
	}
}

func TestWhatCouldNotBeDoneOrUndoneIsRefusedBeforehand(t *testing.T) {
	client, kind := trial()
	client.fill()
	client.protected = true
	if _, found, err := prepareTrial(t, kind, `{"ids": ["cart"]}`); err == nil || found != nil {
		t.Errorf("prepared %+v, %v", found, err)
	}
	if _, err := kind.New(injectortest.Fault("lambda-throttle", `{"ids": ["cart", "a b"]}`, `{"concurrency": -1}`)); fmt.Sprint(injectortest.Paths(err)) != "[targets.ids[1] with.concurrency]" {
		t.Errorf("problems: %v", err)
	}
	if _, _, err := prepareTrial(t, kind, `{"tags": {"Role": "shop*"}}`); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("prepare: %v", err)
	}
}
