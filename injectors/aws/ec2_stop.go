package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mishap"
	"mishap/internal/target"
)

type ec2Targets struct {
	Region string            `json:"region,omitempty" jsonschema:"AWS region, default that of the AWS configuration"`
	IDs    []string          `json:"ids,omitempty" jsonschema:"instance ids"`
	Tags   map[string]string `json:"tags,omitempty" jsonschema:"tags that an instance must carry, all of them; case-sensitive, without wildcards"`
	target.Selection
}

func ec2StopKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name:    "ec2-stop",
			Summary: "stops EC2 instances, and starts them again",
			Doc: "Only running instances are taken. A stopped instance loses its memory, instance store and, without an Elastic IP, its public address. " +
				"An Auto Scaling group replaces a stopped instance; the plan says so. " +
				"Starting an instance whose volumes are encrypted with a key of your own also needs kms:CreateGrant on that key, which a dry run cannot show. " +
				"The keeper starts the instances when mishap is gone, as long as this machine lives.",
			Params:  target.NoParams{},
			Example: "injector: ec2-stop\ntargets: {tags: {Role: payments}, pick: 1, seed: 42}\nfor: 5m",
		},
		Targets: ec2Targets{}, Keeper: mishap.KeeperProcess, Samples: true,
		Do:       []string{"ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", "ec2:StopInstances", "sts:GetCallerIdentity"},
		Undo:     []string{"ec2:DescribeInstances", "ec2:StartInstances", "sts:GetCallerIdentity"},
		WhenLost: "if this whole machine is lost, the instances stay stopped until `mishap revert`, or until somebody starts them",
		New: func(f mishap.Fault) (mishap.Injector, error) {
			e := &ec2Stop{deps: d}
			err := target.Read(f, &e.targets)
			return e, errors.Join(err, e.targets.check())
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &ec2Stop{deps: d}, nil },
		Uses: func(f mishap.Fault) (mishap.Uses, error) { // AWS is reached where the settings list the place
			var t ec2Targets
			err := target.Read(f, &t)
			return mishap.UsesOf(t), err
		},
	}
}

func (t ec2Targets) check() error {
	problems := []error{t.CheckSelection()}
	if len(t.IDs) == 0 && len(t.Tags) == 0 {
		problems = append(problems, &mishap.FieldError{Path: "targets", Msg: "name no instance", Hint: "give tags or ids"})
	}
	instanceID := regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)
	for i, id := range t.IDs {
		if !instanceID.MatchString(id) {
			problems = append(problems, &mishap.FieldError{Path: fmt.Sprintf("targets.ids[%d]", i), Msg: fmt.Sprintf("%q is not an instance id", id), Hint: "write it like i-0123456789abcdef0"})
		}
	}
	return errors.Join(problems...)
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

// Prepare finds the instances and asks EC2 whether it would stop and start them.
func (e *ec2Stop) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	place, err := e.deps.Place(ctx, e.targets.Region)
	if err != nil {
		return nil, err
	}
	client := ec2.NewFromConfig(place.Config)
	matched, err := findInstances(ctx, client, e.targets)
	if err != nil {
		return nil, err
	}
	if len(matched) == 0 {
		return nil, target.None("no running instance in %s %s fits the targets of %q", place.Account, place.Region, req.Fault.Name)
	}
	picked, err := target.Choose(e.targets.Selection, req, matched)
	if err != nil {
		return nil, err
	}
	var out []mishap.Injection
	for i, instance := range picked.Chosen {
		if err := stoppable(ctx, client, instance); err != nil {
			return nil, err
		}
		in, err := ec2Injection(req, place, instance)
		if err != nil {
			return nil, err
		}
		in.Matched = len(matched)
		if picked.Control != nil {
			like, err := ec2Injection(req, place, picked.Control[i])
			if err != nil {
				return nil, err
			}
			in.Control = &like.Target
			in.Keys = append(in.Keys, ec2Key(place, like.Target.ID, mishap.ControlAttribute))
		}
		if picked.Note != "" {
			in.Notes = append(in.Notes, picked.Note)
		}
		out = append(out, in)
	}
	out[0].Notes = append(out[0].Notes, notTaken(e.targets.IDs, matched)...)
	if err := preflight(ctx, client, picked.Chosen); err != nil {
		return nil, err
	}
	return out, nil
}

// Inject stops the instance, and returns when EC2 says that it is stopping.
func (e *ec2Stop) Inject(ctx context.Context, in mishap.Injection) error {
	client, id, err := e.recorded(ctx, in)
	if err != nil {
		return err
	}
	asked := false
	for wait := range waits(ctx) {
		now, err := state(ctx, client, id)
		switch {
		case err != nil:
			return err
		case now == types.InstanceStateNameStopping, now == types.InstanceStateNameStopped:
			return nil
		case now == types.InstanceStateNameTerminated, now == types.InstanceStateNameShuttingDown:
			return target.None("instance %s is %s", id, now)
		case !asked:
			if _, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}, once); err != nil {
				return callError("ec2:StopInstances", "stop instance "+id, err)
			}
			asked = true // now read it back: a revert must not find it still running
		}
		wait()
	}
	return fmt.Errorf("wait until instance %s is stopping: %w", id, ctx.Err())
}

// Revert starts the instance, as soon as it can be started, and reads back. It
// waits a while for running: an instance whose volumes cannot be decrypted is
// pending first, and then stopped again.
func (e *ec2Stop) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	client, id, err := e.recorded(ctx, in)
	if err != nil {
		return mishap.Reverted{}, err
	}
	var now types.InstanceStateName
	var pending time.Time
	for wait := range waits(ctx) {
		if now, err = state(ctx, client, id); err != nil {
			return mishap.Reverted{}, err
		}
		switch now {
		case types.InstanceStateNameRunning:
			return mishap.Reverted{State: mishap.InjectionReverted, Detail: "instance is running"}, nil
		case types.InstanceStateNameTerminated, types.InstanceStateNameShuttingDown:
			return mishap.Reverted{State: mishap.InjectionGone, Detail: "instance is " + string(now)}, nil
		case types.InstanceStateNamePending:
			if pending.IsZero() {
				pending = time.Now()
			}
			if time.Since(pending) >= pendingWait {
				return mishap.Reverted{State: mishap.InjectionReverted, Detail: "instance is pending"}, nil
			}
		case types.InstanceStateNameStopped:
			pending = time.Time{}
			if err := start(ctx, client, id); err != nil {
				return mishap.Reverted{}, err
			}
		}
		wait() // also while stopping: it cannot be started before it has stopped
	}
	return mishap.Reverted{}, fmt.Errorf("wait until instance %s, which is %s, is running: %w", id, now, ctx.Err())
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

// recorded connects to where the instance is. Credentials of another account
// must not act there.
func (e *ec2Stop) recorded(ctx context.Context, in mishap.Injection) (*ec2.Client, string, error) {
	var undo ec2Undo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Instance == "" || undo.Region == "" {
		return nil, "", fmt.Errorf("read undo of %s: it names no instance", in.ID)
	}
	place, err := e.deps.Place(ctx, undo.Region)
	if err != nil {
		return nil, "", err
	}
	if place.Account != undo.Account {
		return nil, "", mishap.WithHint(fmt.Errorf("instance %s is in account %s, the credentials are for %s", undo.Instance, undo.Account, place.Account), "use credentials for that account")
	}
	return ec2.NewFromConfig(place.Config), undo.Instance, nil
}
