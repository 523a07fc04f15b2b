package injectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"mishap"
)

// AWS is an account in a region, with credentials.
type AWS struct {
	Config          aws.Config
	Account, Region string
}

// EC2's own word for "this would have worked", and for what is not there.
const (
	codeDryRun      = "DryRunOperation"
	codeNotFound    = "InvalidInstanceID.NotFound"
	codeMalformed   = "InvalidInstanceID.Malformed"
	codeDenied      = "UnauthorizedOperation"
	groupTag        = "aws:autoscaling:groupName"
	pollEvery       = 2 * time.Second // between two looks at an instance that is on its way
	mostDescribable = 1000
)

type ec2Targets struct {
	Region string            `json:"region,omitempty" jsonschema:"AWS region, default that of the AWS configuration"`
	IDs    []string          `json:"ids,omitempty" jsonschema:"instance ids"`
	Tags   map[string]string `json:"tags,omitempty" jsonschema:"tags that an instance must carry, all of them; case-sensitive"`
	selection
}

func ec2StopKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "ec2-stop",
			Summary: "stops EC2 instances, and starts them again",
			Doc: "Only running instances are taken. A stopped instance loses its memory, instance store and, without an Elastic IP, its public address. " +
				"An Auto Scaling group replaces a stopped instance; the plan says so. " +
				"The keeper starts the instances when mishap is gone, as long as this machine lives.",
			Params:  noParams{},
			Example: "injector: ec2-stop\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
		},
		Targets: ec2Targets{}, Keeper: mishap.KeeperProcess,
		Do:       []string{"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", "ec2:StopInstances", "sts:GetCallerIdentity"},
		Undo:     []string{"ec2:DescribeInstances", "ec2:StartInstances"},
		WhenLost: "if this whole machine is lost, the instances stay stopped until `mishap revert`",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			e := &ec2Stop{deps: d}
			err := errors.Join(mishap.Decode("targets", f.Targets, &e.targets), mishap.Decode("with", f.With, &noParams{}), e.targets.check())
			if len(e.targets.IDs) == 0 && len(e.targets.Tags) == 0 {
				err = errors.Join(err, &mishap.FieldError{Path: "targets", Msg: "name no instance", Hint: "give tags or ids"})
			}
			return e, err
		},
	}
}

// ec2Stop stops instances.
type ec2Stop struct {
	deps    Deps
	targets ec2Targets
}

// ec2Undo is which instance was running where.
type ec2Undo struct {
	Account  string `json:"account"`
	Region   string `json:"region"`
	Instance string `json:"instance"`
}

// once makes no retries: a call that is repeated behind our back may act after
// its injection was reverted.
func once(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

// Prepare finds the instances and asks EC2 whether it would stop and start them.
func (e *ec2Stop) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	place, err := e.deps.AWS(ctx, e.targets.Region)
	if err != nil {
		return nil, err
	}
	client := ec2.NewFromConfig(place.Config)
	matched, err := e.find(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(matched) == 0 {
		return nil, noTarget("no running instance in %s %s fits the targets of %q", place.Account, place.Region, req.Fault.Name)
	}
	chosen, note := choose(e.targets.selection, req.Fault.Name, matched)
	var out []mishap.Injection
	for _, instance := range chosen {
		if err := stoppable(ctx, client, instance); err != nil {
			return nil, err
		}
		in, err := ec2Injection(req, place, instance)
		if err != nil {
			return nil, err
		}
		in.Matched = len(matched)
		if note != "" {
			in.Notes = append(in.Notes, note)
		}
		out = append(out, in)
	}
	return out, preflight(ctx, client, chosen)
}

func ec2Injection(req mishap.Request, place AWS, i types.Instance) (mishap.Injection, error) {
	id, tags := aws.ToString(i.InstanceId), map[string]string{}
	for _, t := range i.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	undo, err := json.Marshal(ec2Undo{Account: place.Account, Region: place.Region, Instance: id})
	in := mishap.Injection{
		Injector: req.Fault.Injector, With: req.Fault.With, Undo: undo,
		Keys: []string{fmt.Sprintf("aws/%s/%s/instance/%s/state", place.Account, place.Region, id)},
		Target: mishap.Target{ID: id, Kind: "ec2-instance", Name: tags["Name"], Tags: tags,
			Where: mishap.Place{Account: place.Account, Region: place.Region}},
	}
	if group := tags[groupTag]; group != "" {
		in.Notes = append(in.Notes, fmt.Sprintf("Auto Scaling group %s will see %s as unhealthy, terminate and replace it", group, id))
	}
	return in, err
}

// find lists the running instances that fit, by id.
func (e *ec2Stop) find(ctx context.Context, client *ec2.Client) ([]types.Instance, error) {
	input := &ec2.DescribeInstancesInput{
		InstanceIds: e.targets.IDs,
		Filters:     []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	}
	for _, key := range slices.Sorted(maps.Keys(e.targets.Tags)) {
		input.Filters = append(input.Filters, types.Filter{Name: aws.String("tag:" + key), Values: []string{e.targets.Tags[key]}})
	}
	var found []types.Instance
	for pages := ec2.NewDescribeInstancesPaginator(client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if code := errorCode(err); code == codeNotFound || code == codeMalformed {
			return nil, noTarget("%v", err)
		}
		if err != nil {
			return nil, describeError("describe instances", err)
		}
		for _, r := range page.Reservations {
			found = append(found, r.Instances...)
		}
	}
	if len(found) > mostDescribable {
		return nil, fmt.Errorf("%d instances fit; narrow the targets to at most %d", len(found), mostDescribable)
	}
	sort.Slice(found, func(i, j int) bool { return aws.ToString(found[i].InstanceId) < aws.ToString(found[j].InstanceId) })
	return found, nil
}

// stoppable refuses what EC2 cannot stop and start again.
func stoppable(ctx context.Context, client *ec2.Client, i types.Instance) error {
	id := aws.ToString(i.InstanceId)
	if i.RootDeviceType == types.DeviceTypeInstanceStore {
		return fmt.Errorf("instance %s has its root on instance store, and cannot be stopped", id)
	}
	if i.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
		return mishap.WithHint(fmt.Errorf("instance %s is a spot instance, which may not start again", id), "choose instances on demand")
	}
	attribute, err := client.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{
		InstanceId: i.InstanceId, Attribute: types.InstanceAttributeNameDisableApiStop,
	})
	if err != nil {
		return describeError("ask whether instance "+id+" is protected", err)
	}
	if attribute.DisableApiStop != nil && aws.ToBool(attribute.DisableApiStop.Value) {
		return fmt.Errorf("instance %s is protected against stopping", id)
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
	switch errorCode(err) {
	case codeDryRun:
		return nil
	case codeDenied:
		return mishap.WithHint(fmt.Errorf("the credentials lack %s on the targets", permission), "grant it; without it the fault could not be injected, or not reverted")
	}
	if err == nil {
		return fmt.Errorf("%s: a dry run was answered as if it were none", permission)
	}
	return describeError("dry run of "+permission, err)
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func describeError(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }

// recorded connects to where the instance is. Credentials of another account
// must not revert there.
func (e *ec2Stop) recorded(ctx context.Context, in mishap.Injection) (*ec2.Client, string, error) {
	var undo ec2Undo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Instance == "" {
		return nil, "", fmt.Errorf("read undo of %s: it names no instance", in.ID)
	}
	place, err := e.deps.AWS(ctx, undo.Region)
	if err != nil {
		return nil, "", err
	}
	if place.Account != undo.Account {
		return nil, "", mishap.WithHint(fmt.Errorf("instance %s is in account %s, the credentials are for %s", undo.Instance, undo.Account, place.Account), "use credentials for that account")
	}
	return ec2.NewFromConfig(place.Config), undo.Instance, nil
}

// state asks for the instance's state; terminated if EC2 does not know it.
func state(ctx context.Context, client *ec2.Client, id string) (types.InstanceStateName, error) {
	out, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if errorCode(err) == codeNotFound {
		return types.InstanceStateNameTerminated, nil
	}
	if err != nil {
		return "", describeError("describe instance "+id, err)
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

// Inject stops the instance; EC2 has accepted when it returns.
func (e *ec2Stop) Inject(ctx context.Context, in mishap.Injection) error {
	client, id, err := e.recorded(ctx, in)
	if err != nil {
		return err
	}
	_, err = client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}, once)
	if errorCode(err) == codeNotFound {
		return noTarget("instance %s is gone", id)
	}
	if err != nil {
		return describeError("stop instance "+id, err)
	}
	return nil
}

// Revert starts the instance, once it has stopped, and reads back.
func (e *ec2Stop) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	client, id, err := e.recorded(ctx, in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	for {
		now, err := state(ctx, client, id)
		switch {
		case err != nil:
			return mishap.Reverted{}, err
		case now == types.InstanceStateNameRunning, now == types.InstanceStateNamePending:
			return mishap.Reverted{State: mishap.InjectionReverted, Detail: "instance is " + string(now)}, nil
		case now == types.InstanceStateNameTerminated, now == types.InstanceStateNameShuttingDown:
			return mishap.Reverted{State: mishap.InjectionGone, Detail: "instance is " + string(now)}, nil
		case now == types.InstanceStateNameStopped:
			_, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
			if err != nil && !strings.Contains(errorCode(err), "IncorrectInstanceState") {
				return mishap.Reverted{}, describeError("start instance "+id, err)
			}
			continue // read back
		}
		select { // stopping: it cannot be started before it has stopped
		case <-ctx.Done():
			return mishap.Reverted{}, fmt.Errorf("wait until instance %s, which is %s, can be started: %w", id, now, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// Verify asks for the instance's state.
func (e *ec2Stop) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	client, id, err := e.recorded(ctx, in)
	if err != nil {
		return mishap.Effect{}, err
	}
	now, err := state(ctx, client, id)
	switch {
	case err != nil:
		return mishap.Effect{}, err
	case now == types.InstanceStateNameStopping, now == types.InstanceStateNameStopped:
		return mishap.Effect{InForce: mishap.Yes, Detail: "instance is " + string(now)}, nil
	}
	return mishap.Effect{InForce: mishap.No, Detail: "instance is " + string(now)}, nil
}
