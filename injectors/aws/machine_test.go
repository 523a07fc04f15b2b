package aws_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/cloud"
	"mishap/internal/keeper"
	"mishap/internal/revert"
	"mishap/internal/runner"
	"mishap/internal/vault"
)

var errDead = errors.New("this process is dead")

// process is a server or a keeper of a trial. When it has died, nothing that it does
// has an effect; and it may be cut off from AWS.
type process struct {
	meet func() error // before and after each of its calls: an error means that it is dead
	cut  func() bool
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
	key   string
	cloud *cloud.Cloud // its rates
	dead  atomic.Bool
}

// Do makes a call of AWS, if it comes to that.
func (p *process) Do(r *http.Request) (*http.Response, error) {
	if err := p.meet(); err != nil {
		return nil, err
	}
	if p.cut() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	answer, err := p.next.Do(r)
	if dead := p.meet(); dead != nil {
		return nil, dead
	}
	return answer, err
}

func (p *process) deps(place func(cloud.At) cloud.Place) aws.Deps {
	return aws.Deps{
		Place: func(_ context.Context, account, region string) (cloud.Place, error) {
			return place(cloud.At{Account: account, Region: region}), nil
		},
		Recorded: func(_ context.Context, at cloud.At) (cloud.Place, error) { return place(at), nil },
	}
}

// mortal is an injector of a process. Once that is dead its reverts end at once, so
// that what is left of it does.
type mortal struct {
	mishap.Injector
	of *process
}

func (m mortal) InjectAll(ctx context.Context, all []mishap.Injection) []error {
	return mishap.InjectAll(ctx, m.Injector, all)
}

func (m mortal) RevertAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	replies := mishap.RevertAll(ctx, m.Injector, all)
	for i := range replies {
		if m.of.dead.Load() {
			replies[i] = mishap.Reply[mishap.Reverted]{Value: mishap.Reverted{State: mishap.InjectionGone, Detail: "nobody is left to look"}}
		}
	}
	return replies
}

func (m mortal) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	return mishap.VerifyAll(ctx, m.Injector, all)
}

// book is a ledger of one run. It outlives its server, or is lost with it.
type book struct {
	mu      sync.Mutex
	of      *process
	entries []mishap.Entry
	undo    []mishap.Injection
}

// Append writes entries, if its server lives until then.
func (b *book) Append(_ context.Context, entries ...mishap.Entry) error {
	return b.write(func() { b.entries = append(b.entries, entries...) })
}

// Prepare also writes undo.
func (b *book) Prepare(_ context.Context, e mishap.Entry, in mishap.Injection) error {
	return b.write(func() { b.entries, b.undo = append(b.entries, e), append(b.undo, in) })
}

func (b *book) write(do func()) error {
	b.mu.Lock()
	of := b.of
	b.mu.Unlock()
	if err := of.meet(); err != nil {
		return err
	}
	b.mu.Lock()
	do()
	b.mu.Unlock()
	return of.meet()
}

// pipe is a server's side of a keeper in this process, so that it may be on fake time.
type pipe struct {
	bare  bool // it locks nothing on this machine: it is of another
	in    *io.PipeWriter
	over  chan struct{} // closed when the keeper has ended
	lost  chan struct{}
	write sync.Mutex

	holding atomic.Pointer[vault.Keep] // what its server has in the vaults

	mu      sync.Mutex
	n       int64
	gone    bool
	waiting map[int64]chan keeperAnswer
}

type keeperAnswer struct {
	N       int64  `json:"n"`
	Error   string `json:"error"`
	Replies []struct {
		Error    string          `json:"error"`
		Reverted mishap.Reverted `json:"reverted"`
	} `json:"replies"`
}

// startKeeper starts one whose calls are those of a process.
func startKeeper(state, run string, of *process, restore func(mishap.Injection) (mishap.Injector, error), taken revert.Taken) *pipe {
	requests, in := io.Pipe()
	answers, out := io.Pipe()
	p := &pipe{in: in, over: make(chan struct{}), lost: make(chan struct{}), waiting: map[int64]chan keeperAnswer{}}
	go func() {
		defer close(p.over)
		_ = keeper.Serve(keeper.ServeOptions{ // what it left shows in the end
			In: requests, Out: out, Dir: state, Run: run, RevertWithin: 2 * time.Minute, Lease: vault.Standstill,
			Taken: func(ctx context.Context, in mishap.Injection, since time.Time) (string, error) {
				why, err := taken(ctx, in, since)
				if of.dead.Load() {
					return "", nil
				}
				return why, err
			},
			Restore: func(in mishap.Injection) (mishap.Injector, error) {
				injector, err := restore(in)
				return mortal{injector, of}, err
			},
		})
		_ = requests.Close()
		_ = out.Close()
	}()
	go p.read(answers)
	go p.beat()
	return p
}

func (p *pipe) read(answers io.Reader) {
	defer p.lose()
	for lines := bufio.NewScanner(answers); lines.Scan(); {
		var a keeperAnswer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			return
		}
		p.mu.Lock()
		if got := p.waiting[a.N]; got != nil {
			got <- a
		}
		p.mu.Unlock()
	}
}

func (p *pipe) beat() {
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-tick.C:
			beat := map[string]any{"op": "beat"}
			if keep := p.holding.Load(); keep != nil {
				beat["held"] = time.Now().Add(keep.Remains())
			}
			_ = p.send(beat)
		case <-p.lost:
			tick.Stop()
			return
		}
	}
}

func (p *pipe) send(request any) error {
	p.write.Lock()
	defer p.write.Unlock()
	return json.NewEncoder(p.in).Encode(request)
}

// lose tells its server that the keeper is dead.
func (p *pipe) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		p.gone = true
		close(p.lost)
	}
}

func (p *pipe) ask(ctx context.Context, op string, more map[string]any) (keeperAnswer, error) {
	got := make(chan keeperAnswer, 1)
	p.mu.Lock()
	p.n++
	n := p.n
	p.waiting[n] = got
	p.mu.Unlock()
	more["n"], more["op"] = n, op
	if err := p.send(more); err != nil {
		return keeperAnswer{}, keeper.ErrLost
	}
	select {
	case a := <-got:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-p.lost:
		return keeperAnswer{}, keeper.ErrLost
	case <-ctx.Done():
		return keeperAnswer{}, ctx.Err()
	}
}

// Hold hands an injection over.
func (p *pipe) Hold(ctx context.Context, in mishap.Injection) error {
	if p.bare {
		in.Keys = nil
	}
	_, err := p.ask(ctx, "hold", map[string]any{"injection": in})
	return err
}

func (p *pipe) each(ctx context.Context, op string, ids []string) []mishap.Reply[mishap.Reverted] {
	a, err := p.ask(ctx, op, map[string]any{"ids": ids})
	replies := mishap.Same[mishap.Reverted](len(ids), err)
	for i, one := range a.Replies {
		if replies[i].Value = one.Reverted; one.Error != "" {
			replies[i].Err = errors.New(one.Error)
		}
	}
	return replies
}

// Inject asks the keeper to.
func (p *pipe) Inject(ctx context.Context, ids []string) (errs []error) {
	for _, r := range p.each(ctx, "inject", ids) {
		errs = append(errs, r.Err)
	}
	return errs
}

// Revert asks the keeper to.
func (p *pipe) Revert(ctx context.Context, ids []string) []mishap.Reply[mishap.Reverted] {
	return p.each(ctx, "revert", ids)
}

// Lost is closed when the keeper is.
func (p *pipe) Lost() <-chan struct{} { return p.lost }

// bye ends the keeper of a run that is over.
func (p *pipe) bye() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = p.ask(ctx, "bye", map[string]any{})
	_ = p.in.Close()
	<-p.over
}

// machine is where a run is: its server with ledger and state directory, and its
// keeper.
type machine struct {
	run, by        string // by: whom to ask about it
	server, keeper *process
	seen           func(mishap.Entry, *mishap.Run)
	state          string
	book           *book
	pipe           *pipe
	leave          context.CancelCauseFunc // of the server
	injected       bool                    // and seen to be
}

// kill ends processes as kill -9 does: the undo file stays as it is at that moment.
func (m *machine) kill(server, keeper bool, after string) {
	if server {
		m.server.dead.Store(true)
		m.leave(runner.ErrLeave)
	}
	if keeper {
		_ = os.CopyFS(after, os.DirFS(m.state))
		m.state = after
		m.keeper.dead.Store(true)
		m.pipe.lose()
	}
	if server || keeper {
		go func() { _ = m.pipe.in.Close() }()
	}
}

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// alive reports whether a keeper works on an undo file of the state directory.
func alive(state string) bool {
	files, _ := keeper.ReadUndo(state)
	return slices.ContainsFunc(files, func(u keeper.Undo) bool { return u.Alive })
}

func undoIn(state string) string { return filepath.Join(state, "undo") }
