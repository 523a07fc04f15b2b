package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// StopWithin is how long whoever stops something waits until the runs have begun to
// revert.
const StopWithin = 10 * time.Second

// Stopped is what halt did in one ledger.
type Stopped struct {
	Ledger  string
	Servers []string // of this host, that have seen it
	Runs    []string // that were told to stop
	Late    []string // what did not confirm, or did not begin to revert
	Problem error    // why halt is not written

	Before *ledger.Halt // that there was already, and that stays; nil: none, or another ledger's servers were asked
}

// Nothing reports whether there was nothing to stop, as far as this host knows: a
// database may have servers anywhere.
func (s Stopped) Nothing() bool {
	return len(s.Servers)+len(s.Runs)+len(s.Late) == 0 && !ledger.IsPostgres(s.Ledger)
}

// Lines say it: the ledger, its runs, and each server.
func (s Stopped) Lines() []string {
	runs := mishap.Plural(len(s.Runs), "run") + " told to stop"
	if len(s.Runs) > 0 && len(s.Late) == 0 {
		runs += ": each reverts"
	}
	lines := []string{"ledger " + s.Ledger}
	if s.Before != nil {
		lines = append(lines, "was "+s.Before.String()+"; that one stays, and this one is in the audit")
	}
	lines = append(lines, runs)
	for _, server := range s.Servers {
		lines = append(lines, server+" has seen it")
	}
	if len(s.Servers) == 0 {
		lines = append(lines, "none of its servers lives on this host")
	}
	return lines
}

// Err is nil if halt is written and everything follows it.
func (s Stopped) Err() error {
	const hint = "`mishap status` shows how far runs are; end a process that does not answer: its keeper reverts"
	switch {
	case s.Problem != nil && len(s.Servers) > 0:
		asked := fmt.Sprintf("its servers were asked directly, and revert %s; new ones may begin", mishap.Plural(len(s.Runs), "run"))
		return errors.Join(mishap.WithHint(fmt.Errorf("halt is not written: %w; %s", s.Problem, asked), mishap.HintOf(s.Problem)), s.late(hint))
	case s.Problem != nil:
		return errors.Join(fmt.Errorf("halt is not written: %w", s.Problem), s.late(hint))
	}
	return s.late(hint)
}

func (s Stopped) late(hint string) error {
	if len(s.Late) == 0 {
		return nil
	}
	return mishap.WithHint(fmt.Errorf("ledger %s: not all began to revert within %s: %s", s.Ledger, StopWithin, strings.Join(s.Late, "; ")), hint)
}

// Asked is a run that was asked to stop, and whom.
type Asked struct {
	Run    string
	Ledger string
	Server string
}

// String says it.
func (s Asked) String() string {
	text := s.Run + " was asked to stop and revert"
	if s.Server != "" {
		text += fmt.Sprintf(", and does: %s of ledger %s", s.Server, s.Ledger)
	}
	return text
}
