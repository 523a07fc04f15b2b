package live_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mishap/internal/report/live"
	"mishap/internal/report/reporttest"
)

// openTerminal opens a pseudo terminal of 80 by 24 and its other end.
func openTerminal(t *testing.T) (terminal, other *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { other.Close() })
	n, err := unix.IoctlGetInt(int(other.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(other.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return terminal, other
}

func TestViewOfARealTerminalFollowsItsEnvironment(t *testing.T) {
	for _, tt := range []struct {
		kind, noColour string
		live, colours  bool
		open           func(*os.File) live.View
	}{
		{"xterm", "", true, true, nil},
		{"xterm", "1", true, false, nil},
		{"dumb", "", false, false, nil},
		{"", "", false, false, nil},
		{"xterm", "", false, false, func(f *os.File) live.View { return live.NewPlain(f) }},
	} {
		t.Run(fmt.Sprintf("TERM=%s NO_COLOR=%s plain=%t", tt.kind, tt.noColour, tt.open != nil), func(t *testing.T) {
			t.Setenv("TERM", tt.kind)
			t.Setenv("NO_COLOR", tt.noColour)
			terminal, other := openTerminal(t)
			read := make(chan string)
			go func() {
				var all strings.Builder
				buffer := make([]byte, 4096)
				for !strings.Contains(all.String(), "END OF TEST") {
					n, err := other.Read(buffer)
					all.Write(buffer[:n])
					if err != nil {
						break
					}
				}
				read <- all.String()
			}()
			if tt.open == nil {
				tt.open = func(f *os.File) live.View { return live.New(f) }
			}
			v := tt.open(terminal)
			show(t, v, reporttest.Stories()["held"].Entries, nil)
			v.Close()
			fmt.Fprintln(terminal, "END OF TEST")
			var out string
			select {
			case out = <-read:
			case <-time.After(2 * time.Minute):
				t.Fatal("nothing came out of the terminal")
			}
			if live := strings.Contains(out, "\x1b[2K"); live != tt.live {
				t.Errorf("live: %t, want %t:\n%q", live, tt.live, out)
			}
			if colours := strings.Contains(out, "\x1b[32m"); colours != tt.colours {
				t.Errorf("colours: %t, want %t:\n%q", colours, tt.colours, out)
			}
			if hidden, shown := strings.LastIndex(out, "\x1b[?25l"), strings.LastIndex(out, "\x1b[?25h"); hidden > shown {
				t.Errorf("the cursor stays hidden:\n%q", out)
			}
		})
	}
}
