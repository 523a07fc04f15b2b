package aws_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/awsfake/policy"
	"mishap/internal/cloud"
	"mishap/internal/revert"
	"mishap/internal/vault"
)

// judge is iam-simulate, in a process of node: it knows AWS's actions, the resources
// that each takes, and the condition keys that it has.
type judge struct {
	in   io.WriteCloser
	said *bufio.Scanner
}

// question is whether policies let a role of an account do something.
type question struct {
	Account  string              `json:"account"`
	Role     string              `json:"role"`
	Policies []json.RawMessage   `json:"policies"`
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Context  map[string][]string `json:"context"`
	Own      json.RawMessage     `json:"own,omitempty"` // the policy of the resource
}

// startJudge starts one that ends with the test, or skips that.
func startJudge(t *testing.T) *judge {
	t.Helper()
	node, err := exec.LookPath("node")
	if where := os.Getenv("MISHAP_JUDGE"); err != nil || where == "" {
		t.Skip("node or iam-simulate is not installed: nobody else judges the policies (.ci/testbed gets it)")
	}
	command := exec.Command(node, "../../.ci/judge/judge.mjs")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("the judge: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &judge{in, lines}
}

// ask asks all at once, and answers in their order.
func (j *judge) ask(t *testing.T, all []question) (said []string) {
	t.Helper()
	var write sync.WaitGroup
	write.Go(func() {
		for _, q := range all {
			line, err := json.Marshal(q)
			if err == nil {
				_, err = j.in.Write(append(line, '\n'))
			}
			if err != nil {
				t.Errorf("ask the judge: %v", err)
				return
			}
		}
	})
	for range all {
		if !j.said.Scan() {
			t.Fatalf("the judge ended after %d of %d answers: %v", len(said), len(all), j.said.Err())
		}
		said = append(said, j.said.Text())
	}
	write.Wait()
	return said
}

// needing are the permissions that calls needed, each once.
func needing(calls []awsfake.Call) (all []question, at []awsfake.Call) {
	seen := map[string]bool{}
	for _, c := range calls {
		for _, n := range c.Needs {
			q := question{Account: c.Account, Role: "arn:aws:iam::" + c.Account + ":role/chaos", Action: n.Action, Resource: n.Resource, Context: n.Context}
			if strings.HasPrefix(n.Action, "kms:") { // whose keys leave it to policies of roles only if they say so, as they do by default
				q.Own = json.RawMessage(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + c.Account + `:root"}, "Action": "kms:*", "Resource": "*"}]}`)
			}
			if key := fmt.Sprint(q); !seen[key] {
				seen[key] = true
				all, at = append(all, q), append(at, c)
			}
		}
	}
	return all, at
}

// printed are the policies of a row's fault: what `mishap iam` makes of the file, and
// what a plan makes of the targets, for each part of a trial.
func (one *trial) printed(what string) map[string][]mishap.Statement {
	one.Helper()
	file, err := one.kind.Needs(one.fault, []mishap.Place{{Account: here.Account, Region: here.Region}}, nil)
	if err != nil {
		one.Fatalf("make policy: %v", err)
	}
	planned := one.permissions()
	switch what {
	case "to inject":
		return map[string][]mishap.Statement{"the file": file.Inject, "the plan": planned.Inject}
	case "to revert":
		return map[string][]mishap.Statement{"the file": file.Revert, "the plan": planned.Revert}
	}
	return map[string][]mishap.Statement{"the file": slices.Concat(file.Inject, file.Revert), "the plan": slices.Concat(planned.Inject, planned.Revert)}
}

// asked are questions, and what our own judge says.
type asked struct {
	all   []question
	about []string
	ours  []policy.Decision
	must  []string // "allow", "deny", or nothing: what both judges say is right
}

// policies asks whether statements allow all that calls needed, and what they allow
// without any one of their actions.
func (a *asked) policies(t *testing.T, what string, calls []awsfake.Call, statements []mishap.Statement) {
	t.Helper()
	needs, at := needing(calls)
	for _, lacks := range append([]string{""}, slices.Compact(slices.Sorted(slices.Values(actionsOf(statements))))...) {
		text := policyOf(t, without(statements, lacks))
		for n, q := range needs {
			q.Policies = []json.RawMessage{json.RawMessage(text)}
			a.all = append(a.all, q)
			a.about = append(a.about, fmt.Sprintf("%s, without %q: %s on %s with %v", what, lacks, q.Action, q.Resource, q.Context))
			a.ours = append(a.ours, policy.Judge(policy.Request{Action: q.Action, Resource: q.Resource, Context: q.Context, Time: at[n].At}, text))
			a.must = append(a.must, map[string]string{"": "allow", q.Action: "deny"}[lacks])
		}
	}
}

// judged compares.
func (a *asked) judged(t *testing.T, j *judge) {
	t.Helper()
	if len(a.all) == 0 {
		t.Fatal("nothing was asked")
	}
	for n, said := range j.ask(t, a.all) {
		allowed := said == "Allowed"
		if a.must[n] == "allow" && !allowed || a.must[n] == "deny" && allowed || allowed != (a.ours[n] == policy.Allows) || strings.HasPrefix(said, "error") {
			t.Errorf("%s\nthe judge says %s, ours %v; want %q", a.about[n], said, a.ours[n], a.must[n])
		}
	}
	t.Logf("%d questions", len(a.all))
}

// TestAnotherJudgeAllowsWhatAFaultDoesByItsPoliciesAndNothingWithoutOneOfTheirActions
// compares two judges: iam-simulate, and the one of the AWS in memory.
func TestAnotherJudgeAllowsWhatAFaultDoesByItsPoliciesAndNothingWithoutOneOfTheirActions(t *testing.T) {
	j := startJudge(t)
	for _, name := range slices.Sorted(maps.Keys(trials())) {
		t.Run(name, func(t *testing.T) {
			var a asked
			synctest.Test(t, func(t *testing.T) {
				one, settling := newTrial(t, name, awsfake.Settings{}), &revert.Settling{}
				if err := one.inject(t.Context(), settling); err != nil {
					t.Fatal(err)
				}
				one.revert(t.Context(), settling)
				for _, part := range one.made {
					for from, statements := range one.printed(part.what) {
						a.policies(t, part.what+" by the policy of "+from, part.calls, statements)
					}
				}
			})
			a.judged(t, j)
		})
	}
}

func TestAnotherJudgeAllowsWhatAVaultNeedsAndNothingWithoutOneOfItsActions(t *testing.T) {
	j, where := startJudge(t), mishap.Place{Account: here.Account, Region: here.Region}
	for _, key := range []string{"", "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"} {
		t.Run("with the key "+key, func(t *testing.T) {
			var a asked
			synctest.Test(t, func(t *testing.T) {
				one := newTrial(t, "ec2-stop", awsfake.Settings{})
				v := &vault.Vaults{By: "ann@laptop", Log: quiet(), Open: func(context.Context, mishap.Place) (vault.Store, error) {
					return keyed(one.cloud, here.Account).Parameters("/mishap", key), nil
				}}
				keep := v.Keep("run")
				if err := keep.Hold(t.Context(), one.all); err != nil {
					t.Fatal(err)
				}
				if n := len(v.Sweep(t.Context(), vault.Sweeping{Places: []mishap.Place{where}}).Records); n != 1 {
					t.Errorf("%d records", n)
				}
				if err := keep.Settle(t.Context(), nil); err != nil {
					t.Error(err)
				}
				a.policies(t, "a vault", one.cloud.Calls(), cloud.VaultNeeds(where, "/mishap", key))
			})
			a.judged(t, j)
		})
	}
}
