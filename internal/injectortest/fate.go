package injectortest

import (
	"context"
	"errors"
	"sync"
)

// Fate is what becomes of a call to the system that a fault breaks.
type Fate string

// The fates; the zero value is to be answered.
const (
	FailsBefore Fate = "fails before it took effect"
	FailsAfter  Fate = "fails after it took effect"
	AnswersLate Fate = "takes effect, and answers when nobody waits any more"
)

// ErrLost is the error of a call that failed, or whose answer was lost.
var ErrLost = errors.New("the connection was reset")

// Wire stands between a kind and the system that it breaks, and lets calls go
// wrong. The zero value hands on every call.
type Wire struct {
	mu    sync.Mutex
	judge func(call string) Fate
}

// Judge is asked from now on what becomes of each call; nil: all are answered.
func (w *Wire) Judge(judge func(call string) Fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge = judge
}

func (w *Wire) fate(call string) Fate {
	w.mu.Lock()
	judge := w.judge
	w.mu.Unlock()
	if judge == nil {
		return ""
	}
	return judge(call)
}

// Call makes a call of that name as its fate is.
func (w *Wire) Call(ctx context.Context, call string, make func() error) error {
	switch w.fate(call) {
	case FailsBefore:
		return ErrLost
	case FailsAfter:
		_ = make()
		return ErrLost
	case AnswersLate:
		_ = make()
		<-ctx.Done()
		return ctx.Err()
	}
	return make()
}
