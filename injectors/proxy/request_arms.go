package proxy

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"mishap"
)

// requestArmsName is the injector of arms. It is in no catalog: experiments ask
// for arms under compare.
const requestArmsName = "request-arms"

// planning is the run of a request that is only for a plan.
const planning = "plan"

// MaxArmShare is the largest share of one arm.
const MaxArmShare mishap.Share = 0.5

// requestArms assigns the requests at a proxy to the arms of a run. It is a
// fault in that it is leased, recorded and reverted; it harms nothing.
type requestArms struct {
	deps     Deps
	spec     armsSpec
	exposure Exposure
}

// armsUndo is where the arms are, and what tells them apart.
type armsUndo struct {
	Control    string `json:"control"`    // the address of the control API
	Proxy      string `json:"proxy"`      //
	Run        string `json:"run"`        // as baggage has it
	Untouched  string `json:"untouched"`  // the token of control
	Experiment string `json:"experiment"` // the token of the experiment
}

// RequestArms makes the injector of the arms of an experiment, with the name
// "request-arms". Its injection is called [mishap.ArmsFault], and counts as a
// share of both arms together: that many users are set apart, though only half
// of them get a fault. It also has a method Renew: without it the arms end with
// their lease.
//
// The proxy counts the rows of all metrics that it is the source of
// ([mishap.CompareMetric.CountedRows]), by the success and the patience of the
// comparison, and where it is known which requests meet the faults, of those
// apart. One of an earlier version, which counts none, gets arms all the
// same: what reads it says so.
func RequestArms(deps Deps, compare mishap.Compare, exposure Exposure) mishap.Injector {
	spec := specOf(compare)
	if spec.Counts != nil {
		spec.Counts.Exposed = exposure.Known()
	}
	return &requestArms{deps: deps, spec: spec, exposure: exposure}
}

// ArmsKind describes the injector of arms to whoever restores it. Experiments ask
// for arms under compare, so that it is in no catalog.
func ArmsKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind:    mishap.Kind{Name: requestArmsName},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &requestArms{deps: d}, nil },
	}
}

// Prepare finds the proxy, and draws what was left to chance.
func (r *requestArms) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	address, err := r.deps.findProxy(r.spec.Proxy, requestArmsName, "http")
	if err != nil {
		return nil, err
	}
	if err := r.deps.running(ctx, address); err != nil {
		return nil, err
	}
	spec := r.spec
	if spec.Seed == 0 && req.Run != planning {
		spec.Seed = drawSeed()
	}
	with, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("write arms: %w", err)
	}
	undo := armsUndo{Control: address.Control, Proxy: address.Name, Run: req.Run, Untouched: rand.Text(), Experiment: rand.Text()}
	if req.Arms != nil {
		undo.Run = req.Arms.Run
		if req.Arms.Token != "" {
			undo.Experiment = req.Arms.Token
		}
	}
	secret, err := json.Marshal(undo)
	if err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	return []mishap.Injection{{
		Fault: mishap.ArmsFault, Injector: requestArmsName, With: with, Undo: secret, Matched: 1, Share: 2 * spec.Share,
		Target: mishap.Target{ID: address.Name, Kind: "proxy", Name: address.Name},
		Keys:   []mishap.Key{address.key("arms")},
		Notes:  append(armsNotes(address, spec), r.exposure.note()),
	}}, nil
}

// check names what is wrong with the arms.
func (r *requestArms) check() error {
	var problems []error
	if r.spec.From != mishap.ArmsFromRequests {
		problems = append(problems, &mishap.FieldError{Path: "arms.from", Msg: fmt.Sprintf("%q is not requests", r.spec.From)})
	}
	if r.spec.Key == "" {
		problems = append(problems, &mishap.FieldError{Path: "arms.key", Msg: "is missing: what makes a user", Hint: "for example cookie:session"})
	} else {
		for _, err := range (requestWith{Key: r.spec.Key}).problems() {
			var field *mishap.FieldError
			if errors.As(err, &field) {
				problems = append(problems, &mishap.FieldError{Path: "arms.key", Msg: field.Msg, Hint: field.Hint})
			}
		}
	}
	if r.spec.Share <= 0 || r.spec.Share > MaxArmShare {
		problems = append(problems, &mishap.FieldError{Path: "arms.share", Msg: fmt.Sprintf("%s must be above 0%% and at most %s: there are two arms", r.spec.Share, MaxArmShare)})
	}
	return errors.Join(problems...)
}

// armsNotes say in a plan what will be.
func armsNotes(a Address, spec armsSpec) []string {
	seed := fmt.Sprintf("with seed %d", spec.Seed)
	if spec.Seed == 0 {
		seed = "with a seed that is drawn when the run begins"
	}
	notes := []string{fmt.Sprintf("assigns %s of what %s tells apart at proxy %s to the experiment, and as many to control, %s",
		spec.Share, spec.Key, a.Name, seed)}
	if !a.Edge {
		notes = append(notes, fmt.Sprintf("proxy %s does not say edge: true; it must if its clients are outside", a.Name))
	}
	return notes
}

// drawSeed draws a number that is not 0, and that JSON readers of all kinds keep.
func drawSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.LittleEndian.Uint64(b[:])>>12 | 1
}

// recorded is the proxy and the arms of a recorded injection.
func (r *requestArms) recorded(in mishap.Injection) (Control, Fault, error) {
	var undo armsUndo
	if err := json.Unmarshal(in.Undo, &undo); err != nil || undo.Control == "" || undo.Untouched == "" || undo.Experiment == "" {
		return nil, Fault{}, fmt.Errorf("read undo of %s: it names no proxy and no tokens", in.ID)
	}
	var spec armsSpec
	if err := json.Unmarshal(in.With, &spec); err != nil {
		return nil, Fault{}, fmt.Errorf("read arms of %s: %w", in.ID, err)
	}
	with, err := spec.with(undo)
	return orOlder{r.deps.Control(undo.Control)}, Fault{
		ID: in.ID, Run: undo.Run, Proxy: undo.Proxy, Kind: "arms", With: with, Seed: spec.Seed, Share: float64(spec.Share),
		Expires: r.deps.Lease,
	}, err
}

// Inject begins to assign.
func (r *requestArms) Inject(ctx context.Context, in mishap.Injection) error {
	return lease(r.recorded).Inject(ctx, in)
}

// Renew lets the lease begin anew. It injects nothing.
func (r *requestArms) Renew(ctx context.Context, in mishap.Injection) error {
	return lease(r.recorded).Renew(ctx, in)
}

// Revert ends the arms. A proxy that is not running has none.
func (r *requestArms) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	return lease(r.recorded).Revert(ctx, in)
}

// Verify says whether requests are assigned, and how many were.
func (r *requestArms) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	return lease(r.recorded).Verify(ctx, in)
}
