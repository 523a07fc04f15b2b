package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"mishap"
	"mishap/internal/target"
)

// EC2's own words for "this would have worked", and for what is not there.
const (
	codeDryRun    = "DryRunOperation"
	codeNotFound  = "InvalidInstanceID.NotFound"
	codeMalformed = "InvalidInstanceID.Malformed"
	codeState     = "IncorrectInstanceState"
	groupTag      = "aws:autoscaling:groupName"
)

const (
	firstPoll   = 200 * time.Millisecond // before the second look at an instance that is on its way
	longestPoll = 2 * time.Second        // between two looks
	pendingWait = 12 * time.Second       // how long a started instance may be pending until it counts as started
)

// once makes no retries: a call that is repeated behind our back may act after
// its injection was reverted.
func once(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

// waits yields until ctx is done; each time the loop calls wait, which takes
// longer from time to time.
func waits(ctx context.Context) iter.Seq[func()] {
	return func(yield func(func()) bool) {
		for d := firstPoll; ctx.Err() == nil; d = min(2*d, longestPoll) {
			wait := func() {
				select {
				case <-ctx.Done():
				case <-time.After(d):
				}
			}
			if !yield(wait) {
				return
			}
		}
	}
}

// findInstances lists the running instances that fit, by id.
func findInstances(ctx context.Context, client *ec2.Client, t ec2Targets) ([]types.Instance, error) {
	input := &ec2.DescribeInstancesInput{
		InstanceIds: t.IDs,
		Filters:     []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		input.Filters = append(input.Filters, types.Filter{Name: aws.String("tag:" + key), Values: []string{t.Tags[key]}})
	}
	var found []types.Instance
	for pages := ec2.NewDescribeInstancesPaginator(client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if code := errorCode(err); code == codeNotFound || code == codeMalformed {
			return nil, target.None("%v", err)
		}
		if err != nil {
			return nil, callError("ec2:DescribeInstances", "describe instances", err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				if carries(tagsOf(i), t.Tags) {
					found = append(found, i)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b types.Instance) int {
		return strings.Compare(aws.ToString(a.InstanceId), aws.ToString(b.InstanceId))
	})
	return found, nil
}

// carries compares tags exactly: EC2's filters read * and ? as wildcards, and
// would match more than the experiment says.
func carries(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

func tagsOf(i types.Instance) map[string]string {
	tags := map[string]string{}
	for _, t := range i.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// notTaken says which of the instances that were asked for did not match.
func notTaken(ids []string, matched []types.Instance) []string {
	var notes []string
	for _, id := range ids {
		if !slices.ContainsFunc(matched, func(i types.Instance) bool { return aws.ToString(i.InstanceId) == id }) {
			notes = append(notes, fmt.Sprintf("instance %s is not taken: it is not running, or lacks the tags", id))
		}
	}
	return notes
}

func ec2Injection(req mishap.Request, place Place, i types.Instance) (mishap.Injection, error) {
	id, tags := aws.ToString(i.InstanceId), tagsOf(i)
	undo, err := json.Marshal(ec2Undo{Account: place.Account, Region: place.Region, Instance: id})
	in := mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo,
		Keys: []mishap.Key{ec2Key(place, id, "state")},
		Target: mishap.Target{ID: id, Kind: "ec2-instance", Name: tags["Name"], Tags: tags,
			Where: mishap.Place{Account: place.Account, Region: place.Region}},
	}
	if group := tags[groupTag]; group != "" {
		in.Notes = append(in.Notes, fmt.Sprintf("Auto Scaling group %s will see %s as unhealthy, terminate and replace it", group, id))
	}
	return in, err
}

// ec2Key is a resource key of an instance.
func ec2Key(place Place, id, attribute string) mishap.Key {
	return mishap.Key{Thing: fmt.Sprintf("aws/%s/%s/instance/%s", place.Account, place.Region, id), Attribute: attribute}
}

// stoppable refuses what EC2 cannot stop and start again.
func stoppable(ctx context.Context, client *ec2.Client, i types.Instance) error {
	id := aws.ToString(i.InstanceId)
	if i.RootDeviceType == types.DeviceTypeInstanceStore {
		return mishap.WithHint(fmt.Errorf("instance %s has its root on instance store, and cannot be stopped", id), "choose instances with a root on EBS")
	}
	if i.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
		return mishap.WithHint(fmt.Errorf("instance %s is a spot instance, which may not start again", id), "choose instances on demand")
	}
	attribute, err := client.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{
		InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameDisableApiStop,
	})
	if err != nil {
		return callError("ec2:DescribeInstanceAttribute", "ask whether instance "+id+" is protected", err)
	}
	if attribute.DisableApiStop != nil && aws.ToBool(attribute.DisableApiStop.Value) {
		return mishap.WithHint(fmt.Errorf("instance %s is protected against stopping", id), "choose another, or turn its stop protection off")
	}
	return nil
}

// preflight asks EC2 whether it would do, and undo, without doing it.
func preflight(ctx context.Context, client *ec2.Client, chosen []types.Instance) error {
	var ids []string
	for _, i := range chosen {
		ids = append(ids, aws.ToString(i.InstanceId))
	}
	_, stop := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids, DryRun: aws.Bool(true)}, once)
	_, start := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids, DryRun: aws.Bool(true)}, once)
	return errors.Join(preflightError("ec2:StopInstances", stop), preflightError("ec2:StartInstances", start))
}

func preflightError(permission string, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("dry run of %s: it was answered as if it were none", permission)
	case errorCode(err) == codeDryRun:
		return nil
	}
	return callError(permission, "dry run of "+permission, err)
}

// state asks for the instance's state; terminated if EC2 does not know it.
func state(ctx context.Context, client *ec2.Client, id string) (types.InstanceStateName, error) {
	out, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if errorCode(err) == codeNotFound {
		return types.InstanceStateNameTerminated, nil
	}
	if err != nil {
		return "", callError("ec2:DescribeInstances", "describe instance "+id, err)
	}
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			if i.State != nil {
				return i.State.Name, nil
			}
		}
	}
	return types.InstanceStateNameTerminated, nil
}

// start asks EC2 to start the instance. One that is on its way elsewhere is no
// error: the caller looks again.
func start(ctx context.Context, client *ec2.Client, id string) error {
	_, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
	if err == nil || errorCode(err) == codeState {
		return nil
	}
	return callError("ec2:StartInstances", "start instance "+id, err)
}

// callError names the permission that a call lacked; EC2's own text for that is
// an encoded blob.
func callError(permission, what string, err error) error {
	switch errorCode(err) {
	case "UnauthorizedOperation", "AccessDenied":
		return mishap.WithHint(fmt.Errorf("%s: the credentials lack %s", what, permission), "grant "+permission+" on the targets")
	case "RequestExpired", "ExpiredToken":
		return mishap.WithHint(fmt.Errorf("%s: %w", what, err), "the credentials have expired: log in again")
	case "AuthFailure":
		return mishap.WithHint(fmt.Errorf("%s: %w", what, err), "check the credentials, and that the region is enabled for the account")
	}
	return fmt.Errorf("%s: %w", what, err)
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
