package aws_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"mishap"
	"mishap/internal/aid"
	"mishap/internal/cloud"
	"mishap/internal/config"
	"mishap/internal/member"
	"mishap/internal/runner"
	"mishap/internal/sweep"
	"mishap/internal/vault"
)

// real is a run on a server of AWS's APIs, in real time: what it can go wrong with is
// less than of [astray]. Its server and keeper may die, and its calls be lost.
type real struct {
	*testing.T
	*moto
	fault   mishap.Fault
	machine *machine
	run     string

	noLedger, noState bool

	mu     sync.Mutex
	r      *rand.Rand
	noise  float64
	dies   string
	call   int // that somebody dies before or after
	struck bool
	in     bool // all of it was in force
}

// lossy loses some calls, and some answers.
type lossy struct{ of *real }

func (l lossy) Do(r *http.Request) (*http.Response, error) {
	l.of.mu.Lock()
	luck := l.of.r.Float64()
	noise := l.of.noise
	l.of.mu.Unlock()
	if luck < noise/2 {
		return nil, errors.New("connection refused")
	}
	answer, err := http.DefaultClient.Do(r)
	if err == nil && luck < noise {
		_ = answer.Body.Close()
		return nil, errors.New("connection reset by peer")
	}
	return answer, err
}

func (a *real) process(mortal bool) *process {
	p := &process{cloud: cloud.New(), next: http.DefaultClient, cut: func() bool { return false }}
	if mortal {
		p.next = lossy{a}
	}
	p.meet = func() error {
		if mortal {
			a.strike()
		}
		if p.dead.Load() {
			return errDead
		}
		return nil
	}
	return p
}

func (a *real) strike() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.call--; a.dies == "" || a.struck || a.call > 0 || a.machine.pipe == nil {
		return
	}
	a.struck = true
	if a.noState {
		_ = os.RemoveAll(undoIn(a.machine.state))
	}
	a.machine.kill(a.dies != "keeper", a.dies != "server", a.TempDir())
}

func (a *real) place(p *process) func(cloud.At) cloud.Place {
	return func(cloud.At) cloud.Place {
		return cloud.Place{At: cloud.At{Account: motoAccount, Region: motoRegion}, Config: p.cloud.Calls(plainConfig(a.url, p), motoAccount)}
	}
}

func (a *real) restore(p *process) func(mishap.Injection) (mishap.Injector, error) {
	deps := p.deps(a.place(p))
	return func(in mishap.Injection) (mishap.Injector, error) { return kind(deps, in.Injector).Restore(in) }
}

func (a *real) vaults(p *process, by string) *vault.Vaults {
	return &vault.Vaults{By: by, Log: quiet(), Open: func(context.Context, mishap.Place) (vault.Store, error) {
		return a.place(p)(cloud.At{}).Parameters("/mishap", ""), nil
	}}
}

func (a *real) runner(p *process) *runner.Runner {
	keep := a.vaults(p, "ann@laptop").Keep(a.run)
	a.machine.pipe.holding.Store(keep)
	return &runner.Runner{
		Journal: a.machine.book, Vault: keep, Taken: keep.Taken, Stops: make(chan runner.Stop), Restore: a.restore(p),
		Confirm: func(context.Context) error { return keep.Confirm() }, RevertWithin: 10 * time.Minute, Look: 50 * time.Millisecond,
	}
}

// live runs it, and lets others put right what is left of it.
func (a *real) live() {
	m := &machine{server: a.process(true), keeper: a.process(true), state: a.TempDir()}
	a.machine = m
	k := kind(m.server.deps(a.place(m.server)), a.fault.Injector)
	k.Settles = 0 // this server shows what is
	injector, err := k.New(a.fault)
	if err != nil {
		a.Fatal(err)
	}
	one := runner.Fault{Fault: a.fault, Injector: injector, Kind: k}
	found, err := one.Prepare(a.Context(), mishap.Request{Run: "plan"})
	if err != nil {
		return // a lost call: nothing began
	}
	short := mishap.Recovery{Within: mishap.Duration(time.Second), First: mishap.Duration(time.Millisecond), Factor: 1, Cap: mishap.Duration(time.Millisecond)}
	plan := mishap.Plan{Experiment: mishap.Experiment{Name: "x", Faults: []mishap.Fault{a.fault}, Recovery: short}, Injections: found}
	first := mishap.Entry{Run: a.run, Seq: 1, At: time.Now(), Planned: &plan}
	m.book = &book{of: m.server, entries: []mishap.Entry{first}}
	ctx, leave := context.WithCancelCause(a.Context())
	defer leave(nil)
	a.mu.Lock()
	m.leave = leave
	m.pipe = startKeeper(m.state, a.run, m.keeper, a.restore(m.keeper), a.vaults(m.keeper, "ann@laptop").Taken)
	a.mu.Unlock()
	r := a.runner(m.server)
	r.Faults, r.Keeper = []runner.Fault{one}, m.pipe
	r.Seen = func(_ mishap.Entry, run *mishap.Run) { a.in = a.in || run.State == mishap.Holding }
	_, _ = r.Run(ctx, first)
	if m.server.dead.Load() {
		<-m.pipe.over
	} else {
		m.pipe.bye()
	}
	a.recover()
	p := a.process(false)
	s := &sweep.Sweeper{Vaults: a.vaults(p, "bob@desk"), Places: []mishap.Place{{Account: motoAccount, Region: motoRegion}}, Restore: a.restore(p), RevertWithin: 10 * time.Minute, Log: quiet()}
	s.Sweep(a.Context(), nil, a.run)
}

func (a *real) recover() {
	if !a.struck {
		return
	}
	m, p := a.machine, a.process(false)
	aider := aid.New(aid.Options{Settings: &config.Settings{State: m.state}, Member: member.New(member.Options{State: m.state, Log: quiet()}),
		Restore: a.restore(p), Taken: a.vaults(p, "ann@laptop").Taken, Kinds: func() map[string]mishap.InjectorKind { return nil }})
	aider.Aiding(a.Context(), "")()
	aider.Aided(a.run)
	m.book.mu.Lock()
	m.book.of = p
	entries, undo := slices.Clone(m.book.entries), slices.Clone(m.book.undo)
	m.book.mu.Unlock()
	if before, err := mishap.Replay(entries); a.noLedger || a.noState || err != nil || before.State.Ended() {
		return
	}
	_, _ = a.runner(p).Resume(a.Context(), entries, undo, mishap.StateChange{Cause: mishap.CauseCrash})
}

// world is all that the faults may change.
func (m *moto) world(t *testing.T) string {
	t.Helper()
	client := sqs.NewFromConfig(plainConfig(m.url, http.DefaultClient))
	list, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	text := m.states(t)
	for _, url := range list.QueueUrls {
		out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: sdk.String(url), AttributeNames: []sqstypes.QueueAttributeName{"Policy"}})
		if err != nil {
			t.Fatal(err)
		}
		text += url[strings.LastIndexByte(url, '/')+1:] + " " + out.Attributes["Policy"] + "\n"
	}
	return text
}

// inVault are the texts of the vault, but for claims without a record: who died before
// it had written one holds them for a minute, which nobody waits for here.
func (m *moto) inVault(t *testing.T) (names []string) {
	t.Helper()
	client := ssm.NewFromConfig(plainConfig(m.url, http.DefaultClient))
	out, err := client.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: sdk.String("/mishap"), Recursive: sdk.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var claims []string
	for _, p := range out.Parameters {
		if name := sdk.ToString(p.Name); strings.HasPrefix(name, "/mishap/claims/") {
			claims = append(claims, name)
		} else {
			names = append(names, name)
		}
	}
	if names != nil || claims == nil {
		return append(names, claims...)
	}
	if _, err := client.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: claims}); err != nil {
		t.Fatal(err)
	}
	return nil
}

// TestWhateverGoesWrongAtRandomOnAServerOfItsAPIsNothingIsLeftBehind runs
// MISHAP_MOTO_TRIALS trials, from MISHAP_SEED on.
func TestWhateverGoesWrongAtRandomOnAServerOfItsAPIsNothingIsLeftBehind(t *testing.T) {
	m := needMoto(t)
	m.launch(t, 2, map[string]string{"Role": "payments"})
	m.launch(t, 1, map[string]string{"Role": "checkout"})
	queues := sqs.NewFromConfig(plainConfig(m.url, http.DefaultClient))
	for name, role := range map[string]string{"pay": "payments", "refund": "payments", "checkout": "checkout"} {
		if _, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: sdk.String(name), Tags: map[string]string{"Role": role}}); err != nil {
			t.Fatal(err)
		}
	}
	before := m.world(t)
	seed, n := uint64(number("MISHAP_SEED", int(time.Now().UnixNano()/1e6))), number("MISHAP_MOTO_TRIALS", 3)
	in, struck := 0, 0
	for i := range uint64(n) {
		r := rand.New(rand.NewPCG(seed+i, 18))
		a := &real{T: t, moto: m, r: r, run: fmt.Sprint("run", i), noLedger: r.IntN(3) == 0, noState: r.IntN(10) == 0}
		a.fault = fault([]string{"ec2-stop", "sqs-deny"}[r.IntN(2)], `{"tags": {"Role": "payments"}}`, nil)
		if a.fault.Injector == "sqs-deny" {
			a.fault.With = raw(`{"principals": ["arn:aws:iam::*:role/payments"]}`)
		}
		if r.IntN(3) == 0 {
			a.noise = r.Float64() / 5
		}
		if r.IntN(4) > 0 {
			a.dies, a.call = []string{"server", "keeper", "both", "both"}[r.IntN(4)], 1+r.IntN(100)
		}
		a.live()
		if a.struck {
			struck++
		}
		if a.in {
			in++
		}
		if after, names := m.world(t), m.inVault(t); after != before || names != nil {
			t.Fatalf("MISHAP_SEED=%d MISHAP_MOTO_TRIALS=1 (%s, %s dies at call %d: %t): it was\n%sand is\n%sin the vault are %q", seed+i, a.fault.Injector, a.dies, a.call, a.struck, before, after, names)
		}
	}
	t.Logf("%d trials from seed %d: in %d the fault was in force, in %d somebody died", n, seed, in, struck)
}
