package ledger_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/ledger"
)

func open(t *testing.T, dir string) *ledger.SQLite {
	t.Helper()
	l, err := ledger.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func raw(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ledger.db"))
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
}

// refused opens a ledger that must not open, and wants words in error and hint.
func refused(t *testing.T, dir string, words ...string) {
	t.Helper()
	_, err := ledger.Open(t.Context(), dir)
	var hinted *mishap.Hinted
	if !errors.As(err, &hinted) || hinted.Hint == "" {
		t.Fatalf("want an error with a hint, got %v", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestASecondProcessSeesWhatTheFirstWrote(t *testing.T) {
	dir := t.TempDir()
	begin(t, open(t, dir), "r1", "e", "g")
	if r, err := open(t, dir).Find(t.Context(), "r1"); err != nil || r.State != mishap.Planned {
		t.Errorf("%+v, %v", r, err)
	}
}

// Of those who open a new ledger at once none is sent away: while one of them writes,
// SQLite tells the others at once that it is busy.
func TestWhoOpensANewLedgerAtOnceWaitsForItsTurn(t *testing.T) {
	dir := t.TempDir()
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ledger.db")+"?_txlock=immediate")
	must(t, err)
	defer other.Close()
	writing, err := other.BeginTx(t.Context(), nil)
	must(t, err)
	told := 0
	must(t, ledger.InTurn(t.Context(), func() error {
		if told++; told == 3 {
			must(t, writing.Rollback())
		}
		return ledger.Connect(t.Context(), dir)
	}))
	if told < 3 {
		t.Error("it was not told that it is busy")
	}
}

func TestANewerLedgerIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	raw(t, dir, "PRAGMA user_version = 99")
	refused(t, dir, "newer mishap", "99")
}

func TestAnotherProgramsDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	raw(t, dir, "PRAGMA application_id = 77; CREATE TABLE theirs (x)")
	refused(t, dir, "another program")
}

func TestADamagedLedgerIsNamed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ledger.db"), bytes.Repeat([]byte("not a ledger "), 1000), 0o600))
	refused(t, dir, "damaged")
}

func TestALedgerRemovedUnderARunIsNoticed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	lease := begin(t, l, "r1", "e", "g")
	must(t, os.Remove(filepath.Join(dir, "ledger.db")))
	if err := l.Append(t.Context(), lease, state("r1", 2, mishap.Checking)); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("append to a removed ledger: %v", err)
	}
	if _, err := l.Halted(t.Context()); !errors.Is(err, ledger.ErrGone) {
		t.Errorf("read halt of a removed ledger: %v", err)
	}
}

func TestEntriesCannotBeChangedInTheFile(t *testing.T) {
	dir := t.TempDir()
	begin(t, open(t, dir), "r1", "e", "g")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "ledger.db"))
	must(t, err)
	defer db.Close()
	for _, statement := range []string{"UPDATE entries SET entry = '{}'", "DELETE FROM entries"} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "entries never") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestTheLedgerIsForItsUserAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	begin(t, open(t, dir), "r1", "e", "g")
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "ledger.db"): 0o600, filepath.Join(dir, "ledger.db-wal"): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
	}
}

func TestAServerLivesUntilItIsClosed(t *testing.T) {
	dir := t.TempDir()
	s, err := ledger.Register(dir)
	must(t, err)
	alive := func() bool {
		t.Helper()
		a, err := ledger.Alive(dir, s.ID)
		must(t, err)
		return a
	}
	if !alive() {
		t.Error("a registered server is dead")
	}
	must(t, s.Close())
	if alive() {
		t.Error("a closed server lives")
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "servers")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnOlderLedgerIsMigratedAfterACopyWasKept(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	begin(t, l, "r1", "e", "g")
	must(t, l.Migrate(t.Context(), append(ledger.Migrations(), "ALTER TABLE runs ADD COLUMN colour TEXT")))
	raw(t, dir, "UPDATE runs SET colour = 'red'")
	copied, err := sql.Open("sqlite", "file:"+filepath.Join(dir, fmt.Sprintf("ledger.db.v%d", len(ledger.Migrations()))))
	must(t, err)
	defer copied.Close()
	var runs int
	must(t, copied.QueryRowContext(t.Context(), "SELECT count(*) FROM runs").Scan(&runs))
	if runs != 1 {
		t.Errorf("the copy has %d runs", runs)
	}
}
