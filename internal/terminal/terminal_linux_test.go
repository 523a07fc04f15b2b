package terminal

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// sized is a pseudo terminal of that size.
func sized(t *testing.T, columns, rows uint16) *os.File {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	n, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestARoomIsThatOfTheTerminalElseOfColumnsElseOf80(t *testing.T) {
	for name, tt := range map[string]struct {
		columns, rows uint16 // 0: a pipe
		env           map[string]string
		want          Room
	}{
		"a terminal":                           {60, 40, map[string]string{"TERM": "xterm", "COLUMNS": "100"}, Room{60, 40, true, true}},
		"a very wide one":                      {400, 40, map[string]string{"TERM": "xterm"}, Room{Widest, 40, true, true}},
		"a dumb one":                           {60, 40, map[string]string{"TERM": "dumb"}, Room{60, 40, true, false}},
		"one of unknown kind":                  {60, 40, nil, Room{60, 40, true, false}},
		"one that does not know its size":      {1, 1, map[string]string{"TERM": "xterm"}, Room{Columns, Rows, false, true}},
		"one that does not, and COLUMNS does":  {1, 1, map[string]string{"TERM": "xterm", "COLUMNS": "100"}, Room{100, Rows, true, true}},
		"a pipe":                               {0, 0, nil, Room{Columns, Rows, false, false}},
		"a pipe, of which COLUMNS says it":     {0, 0, map[string]string{"COLUMNS": "60"}, Room{60, Rows, true, false}},
		"a pipe, of which COLUMNS says a lot":  {0, 0, map[string]string{"COLUMNS": "1000"}, Room{Widest, Rows, true, false}},
		"a pipe, of which COLUMNS says rubble": {0, 0, map[string]string{"COLUMNS": "wide"}, Room{Columns, Rows, false, false}},
		"a pipe, of which COLUMNS says 3":      {0, 0, map[string]string{"COLUMNS": "3"}, Room{Columns, Rows, false, false}},
	} {
		getenv := func(name string) string { return tt.env[name] }
		got := of(&bytes.Buffer{}, getenv)
		if tt.columns > 0 {
			got = of(sized(t, tt.columns, tt.rows), getenv)
		}
		if folds := got.Folds(); folds > 0 != got.Known || folds > 0 && folds != got.Columns {
			t.Errorf("%s: a sentence is folded to %d columns", name, folds)
		}
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
