package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestALedgerThatHasForgottenSettlesNothing cuts off the newest pages of the
// ledger (SQLite takes what is left for whole) at many places: it may know nothing
// of the run, or that it was being checked, or that some of it is in.
func TestALedgerThatHasForgottenSettlesNothing(t *testing.T) {
	for name, undo := range map[string]string{"the undo file is whole, and its revert fails at first": "", "the undo file is garbage": "what is this?\nand this?\n"} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			path := s.left()
			if undo == "" {
				_ = os.Remove(filepath.Join(s.dir, "go"))
			} else if err := os.WriteFile(path, []byte(undo), 0o600); err != nil {
				t.Fatal(err)
			}
			sockets, _ := filepath.Glob(s.state("servers", "*.sock"))
			for _, dead := range sockets { // which cannot be copied
				_ = os.Remove(dead)
			}
			before := filepath.Join(s.dir, "before")
			if err := os.CopyFS(before, os.DirFS(s.state())); err != nil {
				t.Fatal(err)
			}
			log, err := os.Stat(s.state("ledger.db-wal"))
			if err != nil {
				t.Fatal(err)
			}
			const cuts = 8
			for i := range int64(cuts) {
				_ = os.RemoveAll(s.state())
				if err := os.CopyFS(s.state(), os.DirFS(before)); err != nil {
					t.Fatal(err)
				}
				s.write("flag", "")
				if err := os.Truncate(s.state("ledger.db-wal"), log.Size()*i/cuts); err != nil {
					t.Fatal(err)
				}
				s.forgotten(undo == "", int(i))
			}
		})
	}
}

// forgotten wants that what is in is reverted, or that a person is told.
func (s *stage) forgotten(whole bool, cut int) {
	s.t.Helper()
	first := s.mishap("revert", "--all", "--config", s.settings()).begin()
	_ = first.Wait()
	said := first.out.String() + first.err.String()
	if s.is("flag") && first.ProcessState.ExitCode() != 6 {
		s.t.Errorf("cut %d: the flag is there, and it exits with %d\n%s", cut, first.ProcessState.ExitCode(), said)
	}
	if !whole {
		return
	}
	s.write("go", "")
	in := s.is("flag")
	second := s.mishap("revert", "--all").begin()
	second.ends(0)
	if said := second.out.String(); in && !strings.Contains(said, "reverted") {
		s.t.Errorf("cut %d: the flag was there, and it says\n%s", cut, said)
	}
	s.reverted()
	if err := os.Remove(filepath.Join(s.dir, "go")); err != nil || strings.Contains(said, "nothing to revert") {
		s.t.Errorf("cut %d: %v\n%s", cut, err, said)
	}
}

// settings give up a revert soon.
func (s *stage) settings() string {
	s.write("soon.yaml", "revertWithin: 1s\n")
	return filepath.Join(s.dir, "soon.yaml")
}
