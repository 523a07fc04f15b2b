package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cloudStage is a stage whose fault stops instances of an EC2.
type cloudStage struct {
	*stage
	cloud *instances
}

const stopInstances = `version: 1
name: zone-loss
claim: Nobody minds that instances are gone.
steadyState: [{name: fine, probe: exec, with: {argv: ["true"]}, every: 1s}]
faults: [{name: stop, injector: ec2-stop, targets: {region: eu-west-1, tags: {mishap: allow}}, for: 10m}]
blastRadius: {targets: 10}
recovery: {within: 2m}
`

const cloudSettings = "accounts: ['123456789012']\nregions: [eu-west-1]\n"

func newCloudStage(t *testing.T, n int, settings string) cloudStage {
	t.Helper()
	s := cloudStage{newStage(t), startEC2(t, n)}
	s.write("zone-loss.yaml", stopInstances)
	s.write("mishap.yaml", settings)
	return s
}

func (s cloudStage) mishap(args ...string) *started {
	c := s.stage.mishap(args...)
	c.Env = append(c.Env, s.cloud.environment()...)
	return c
}

// elsewhere is a stage on another machine: of this one it has the settings alone.
func (s cloudStage) elsewhere() cloudStage {
	other := cloudStage{&stage{t: s.t, dir: s.t.TempDir()}, s.cloud}
	other.write("mishap.yaml", cloudSettings)
	return other
}

// lost is killed, and ledger and state directory are gone too.
func (s cloudStage) lost(n int) {
	s.t.Helper()
	s.killed(n)
	if err := os.RemoveAll(filepath.Join(s.dir, "state")); err != nil {
		s.t.Fatal(err)
	}
}

// killed begins a run, and lets it and its keeper die when all instances are stopped.
func (s cloudStage) killed(n int) {
	s.t.Helper()
	run := s.mishap("run", "zone-loss.yaml").begin()
	await(s.t, "all instances are stopped", func() bool {
		if run.ProcessState != nil {
			s.t.Fatalf("the run ended: %s", run.err.String())
		}
		return len(s.cloud.stopped(s.t)) == n
	})
	s.killAll(run)
}

// claimOf is the parameter that claims an instance, and what it says the thing is.
func claimOf(id string) (name, thing string) {
	thing = "aws/123456789012/eu-west-1/instance/" + id
	sum := sha256.Sum256([]byte(thing))
	return fmt.Sprintf("/mishap/claims/%x", sum[:16]), thing
}

type sweptOutput struct {
	Clean   bool
	Records []struct {
		Run, By          string
		Held, Swept, Out bool
		Injections       []struct{ Target, State string }
	}
}

func (c *started) sweeps(code int) (out sweptOutput) {
	c.t.Helper()
	c.begin().ends(code)
	if err := json.Unmarshal([]byte(c.out.String()), &out); err != nil {
		c.t.Fatalf("%v: %s", err, c.out.String())
	}
	return out
}

// Server, keeper, ledger and state directory are gone: what is left is in the account.
func TestWhatALostMachineStoppedInAWSIsSweptFromAnother(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	const n = 3
	s := newCloudStage(t, n, cloudSettings)
	s.lost(n)
	names, secure := s.cloud.parameters(t)
	if !secure || len(names) != n+1 || !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "/mishap/undo/") }) {
		t.Errorf("the vault has %s; secure: %v", names, secure)
	}
	other := s.elsewhere()
	found := other.mishap("sweep", "--list", "-o", "json").sweeps(0)
	if len(found.Records) != 1 || !found.Records[0].Held || !strings.Contains(found.Records[0].By, "@") {
		t.Fatalf("listed: %+v", found)
	}
	for _, verb := range [][]string{{"sweep"}, {"revert", "--all"}} {
		c := other.mishap(verb...).begin()
		if _ = c.Wait(); verb[0] == "sweep" && c.ProcessState.ExitCode() != 0 { // revert also minds what else runs on this host
			t.Errorf("%s: %s", verb, c.ProcessState)
		}
		if said := unfolded(c); len(s.cloud.stopped(t)) != n || !strings.Contains(said, found.Records[0].Run+" of ") || !strings.Contains(said, "holds until") && !strings.Contains(said, "held by its owner until") {
			t.Errorf("%s: what its owner holds was reverted, or not told of: %s", verb, said)
		}
	}
	run := found.Records[0].Run
	swept := other.mishap("sweep", "-o", "json", run).sweeps(0)
	if !swept.Clean || len(swept.Records) != 1 || !swept.Records[0].Out || len(swept.Records[0].Injections) != n || swept.Records[0].Injections[0].State != "reverted" {
		t.Errorf("swept: %+v", swept)
	}
	if left := s.cloud.stopped(t); len(left) != 0 {
		t.Errorf("stopped: %v", left)
	}
	if names, _ := s.cloud.parameters(t); names != nil {
		t.Errorf("left in the vault: %s", names)
	}
	again := other.mishap("sweep").begin()
	again.ends(0)
	if again.out.String() != "nothing to sweep in 1 place\n" {
		t.Errorf("swept again: %s", again.out.String())
	}
	if _, err := os.Stat(filepath.Join(other.dir, "state")); err == nil {
		t.Error("a sweep made a state directory")
	}
}

func TestARunThatEndsLeavesNothingInTheVault(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	s := newCloudStage(t, 2, cloudSettings)
	s.write("zone-loss.yaml", strings.Replace(stopInstances, "10m", "1s", 1))
	s.runs(0, func() *started { return s.mishap("run", "zone-loss.yaml") })
	if names, _ := s.cloud.parameters(t); names != nil || len(s.cloud.stopped(t)) != 0 {
		t.Errorf("left in the vault: %s; stopped: %v", names, s.cloud.stopped(t))
	}
}

// unfolded is what it said, in one line.
func unfolded(c *started) string {
	return strings.Join(strings.Fields(c.out.String()+c.err.String()), " ")
}

// Whoever has a ledger of its own and claimed an instance first keeps it.
func TestAnInstanceThatARunOfAnotherLedgerHoldsIsLeftAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	s := newCloudStage(t, 1, cloudSettings)
	name, thing := claimOf(s.cloud.id(t, "n000"))
	s.cloud.parameter(t, name, fmt.Sprintf(`{"version":1,"run":"abcd1234","by":"bob@desk","thing":%q,"held":"1m"}`, thing))
	run := s.mishap("run", "zone-loss.yaml").begin()
	run.ends(5)
	if said := unfolded(run); !strings.Contains(said, "run abcd1234 of bob@desk") || !strings.Contains(said, "mishap sweep") {
		t.Errorf("it says %s", said)
	}
	if names, _ := s.cloud.parameters(t); !slices.Equal(names, []string{name}) || len(s.cloud.stopped(t)) != 0 {
		t.Errorf("left in the vault: %s; stopped: %v", names, s.cloud.stopped(t))
	}
}

func TestWithoutAVaultAFaultIsKeptByThisMachineAloneAndThePlanSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	s := newCloudStage(t, 1, cloudSettings+"vault: none\n")
	s.write("zone-loss.yaml", strings.Replace(stopInstances, "10m", "1s", 1))
	plan := s.mishap("plan", "zone-loss.yaml").begin()
	if plan.ends(0); !strings.Contains(unfolded(plan), "kept by this machine alone") {
		t.Errorf("it says %s", plan.out.String())
	}
	s.runs(0, func() *started { return s.mishap("run", "zone-loss.yaml") })
	swept := s.mishap("sweep").begin()
	if swept.ends(2); !strings.Contains(unfolded(swept), "the settings turn the vault off") {
		t.Errorf("it says %s", swept.err.String())
	}
	s.write("mishap.yaml", cloudSettings)
	plan = s.mishap("plan", "zone-loss.yaml").begin()
	if plan.ends(0); !strings.Contains(unfolded(plan), "also kept in 123456789012 eu-west-1, below parameter /mishap") {
		t.Errorf("it says %s", plan.out.String())
	}
}

// A machine that comes back does not put back what was swept meanwhile, and is another
// run's by now.
func TestAMachineThatComesBackLeavesAloneWhatIsAnotherRunsByNow(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	s := newCloudStage(t, 1, cloudSettings)
	s.killed(1)
	other := s.elsewhere()
	other.mishap("sweep", "-o", "json", other.mishap("sweep", "--list", "-o", "json").sweeps(0).Records[0].Run).sweeps(0)
	id := s.cloud.id(t, "n000")
	s.cloud.stop(t, id) // by a run of yet another ledger
	name, thing := claimOf(id)
	s.cloud.parameter(t, name, fmt.Sprintf(`{"version":1,"run":"abcd1234","by":"bob@desk","thing":%q,"held":"1m"}`, thing))
	back := s.mishap("revert", "--all").begin()
	_ = back.Wait()
	if said := unfolded(back); len(s.cloud.stopped(t)) != 1 || !strings.Contains(said, "reverted") {
		t.Errorf("stopped: %v; it says %s", s.cloud.stopped(t), said)
	}
	if names, _ := s.cloud.parameters(t); !slices.Equal(names, []string{name}) {
		t.Errorf("left in the vault: %s", names)
	}
}
