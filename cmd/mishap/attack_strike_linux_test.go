package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// struck is what a blow has hit, and when.
type struck struct {
	at             time.Time
	mishap, keeper bool          // they were there
	in             []string      // the faults that were
	thawed         chan struct{} // closed when what was frozen goes on; nil if nothing was
}

// strike is one round. Whatever it does, nothing may be left in.
func (s *assault) strike(b blow, score *score) {
	s.t.Helper()
	s.alive()
	s.begin(b)
	in := s.in()
	score.found(len(in))
	if b.before {
		s.damage(b)
	}
	hit := s.hit(b)
	hit.in = in
	if !b.before {
		s.damage(b)
	}
	if !b.lost() {
		s.reverts(b, hit, score)
	}
	if hit.thawed != nil {
		<-hit.thawed
	}
	await(s.t, b.String()+": mishap has ended", func() bool { return ended(s.run.Process.Pid) })
	_ = s.run.Wait()
	await(s.t, b.String()+": the keeper has ended", func() bool { return len(s.keepers()) == 0 })
	s.next(b, score)
	if s.t.Failed() {
		s.t.Logf("%s: %s\n%s", b, s.run.ProcessState, s.run.out.String())
	}
}

// hit does it.
func (s *assault) hit(b blow) struck {
	hit := struck{at: time.Now(), mishap: b.whom["mishap"] && !ended(s.run.Process.Pid), keeper: b.whom["keeper"] && len(s.keepers()) > 0}
	switch b.way {
	case "kill":
		for _, whom := range victims { // mishap first, and so that none sees another die
			if b.whom[whom] {
				freeze(s.t, s.pids(whom)...)
			}
		}
		s.gone(s.signal(b, syscall.SIGKILL))
	case "hang up":
		s.signal(b, syscall.SIGHUP)
	case "closed pipe":
		_ = s.pipe.Close()
	case "full disk":
		fill(s.t, s.state("ballast"))
	case "freeze":
		pids := s.signal(b, syscall.SIGSTOP)
		s.frozen.Store(b.whom["proxy"])
		hit.thawed = make(chan struct{})
		time.AfterFunc(b.thaw, func() {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
			s.frozen.Store(false)
			close(hit.thawed)
		})
	}
	return hit
}

// reverts waits until mishap or keeper, of which one lives, has reverted all; a
// run that goes on is stopped.
func (s *assault) reverts(b blow, hit struck, score *score) {
	s.t.Helper()
	limit, what := time.Duration(0), ""
	switch one := hit.mishap != hit.keeper; {
	case b.way == "kill" && one:
		limit, what = afterKill, "after a kill"
	case b.way == "freeze" && one && b.thaw > 6*time.Second && !b.early: // early there may be no keeper yet
		limit, what = afterFreeze, "after a freeze"
	case b.way == "hang up" && hit.mishap:
		limit, what = afterKill, "after a hang-up"
	default:
		if hit.thawed != nil && (hit.mishap || hit.keeper || b.early) { // of a target, it may be the only one that has stopped it
			<-hit.thawed
		}
		hit.at = time.Now()
		s.end(b)
		limit, what = afterKill, "after "+b.stop+" of what went on"
	}
	if _, ok := s.clean(3*time.Minute, nil); !ok {
		s.t.Errorf("LEFT: %s: %v", b, s.in())
		return
	}
	took := time.Since(hit.at)
	if score.add(b, what, took, limit); took > limit {
		s.t.Logf("late: %s, struck %s, in at the blow: %v\n%s", b, hit.at.Format(time.TimeOnly), hit.in, s.run.out.String())
	}
	if hit.thawed == nil || !b.whom["proxy"] {
		return
	}
	<-hit.thawed
	if took, ok := s.clean(3*time.Minute, nil); ok {
		score.add(b, "after the thaw of a proxy", took, afterKill)
	}
}

// end stops a run that goes on.
func (s *assault) end(b blow) {
	switch b.stop {
	case "SIGINT":
		_ = s.run.Process.Signal(syscall.SIGINT)
	case "abort":
		if s.mishap("abort", "last").begin().Wait() == nil {
			return
		}
		fallthrough // it had ended, or its ledger cannot be read
	default:
		_ = s.run.Process.Signal(syscall.SIGTERM)
	}
}

// next is the next command: it finds nothing, or reverts what is left, and says
// what it cannot know.
func (s *assault) next(b blow, score *score) {
	s.t.Helper()
	ballast := s.state("ballast")
	if b.seed&1 == 0 {
		_ = os.Remove(ballast)
	}
	began := time.Now()
	c := s.mishap(b.next...).begin()
	over := func() bool { return ended(c.Process.Pid) }
	_, ok := s.clean(3*time.Minute, over)
	took := time.Since(began)
	_ = c.Wait()
	switch left := s.in(); {
	case ok || len(left) == 0:
		if b.lost() {
			score.add(b, "after the next command's start", took, 0)
		}
	case b.lost() && !harmless[b.ledger] && !slices.ContainsFunc(left, func(what string) bool { return what == "flag" || what == "stop" || what == "net" }):
		if _, ok := s.clean(3*time.Minute, nil); ok { // undo files are of keepers: only the ledger knew of faults in proxies
			score.add(b, "by its expiry in the proxy, after the next command's start with a damaged ledger", time.Since(began), afterKill)
		}
	case b.lost() && !b.known():
		s.unknown(b, c, score)
	default:
		s.t.Errorf("LEFT: %s: %v after %s\n%s%s", b, left, c.ProcessState, c.out.String(), c.err.String())
		s.byHand()
	}
	_ = os.Remove(ballast)
	s.settled(b, c)
}

// unknown is where every copy of the undo is damaged, and nobody is left who
// knows: that is said, unless nothing is left that could say it.
func (s *assault) unknown(b blow, c *started, score *score) {
	told := c.ProcessState.ExitCode() != 0 || b.next[0] == "run" && len(s.aside()) > 0 // of other things than after.yaml is about
	if !told && b.undo != "deleted" {
		s.t.Errorf("UNTOLD: %s: %v\n%s%s", b, s.in(), c.out.String(), c.err.String())
	}
	score.add(b, "by hand, as every copy of the undo was damaged and all who knew were dead", 0, 0)
	s.byHand()
}

// byHand takes out what is left, so that the next round can begin.
func (s *assault) byHand() {
	_ = syscall.Kill(s.pid, syscall.SIGCONT)
	_ = os.Remove(filepath.Join(s.dir, "flag"))
	_ = exec.Command("nsenter", "-t", fmt.Sprint(s.network), "-n", "ip", "route", "flush", "type", "blackhole").Run()
	if _, ok := s.clean(3*time.Minute, nil); !ok {
		s.t.Fatalf("not even by hand: %v", s.in())
	}
}

// recorded wants the ledger to say that nothing is in force.
func (s *assault) recorded(b blow) {
	s.t.Helper()
	look := s.mishap("status").begin()
	if look.ends(0); strings.Contains(look.out.String()+look.err.String(), "may still be in force") {
		s.t.Errorf("%s: it is not recorded:\n%s%s", b, look.out.String(), look.err.String())
	}
}

// settled wants that everything is accounted for. What was damaged is named, and
// settled; with it the state directory ends.
func (s *assault) settled(b blow, c *started) {
	s.t.Helper()
	for _, path := range s.aside() {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		if !strings.Contains(c.err.String(), name) {
			s.t.Errorf("%s: %s is not named:\n%s", b, path, c.err.String())
		}
		s.mishap("revert", name, "--settle", "looked").begin().ends(0)
	}
	if b.undo+b.ledger == "" {
		_, none := os.Stat(s.state("ledger.db")) // a kill may come before there is one: nothing is in then
		if none == nil {
			s.mishap("revert", "--all").begin().ends(0)
		}
		for _, folder := range []string{"undo", "servers"} {
			if left, _ := filepath.Glob(s.state(folder, "*")); len(left) > 0 {
				s.t.Errorf("LEFT: %s: %v", b, left)
			}
		}
		if none == nil {
			s.recorded(b)
		}
	}
	if left := s.in(); len(left) > 0 {
		s.t.Errorf("LEFT: %s: %v", b, left)
	}
	if b.undo+b.ledger != "" {
		s.fresh()
	}
}
