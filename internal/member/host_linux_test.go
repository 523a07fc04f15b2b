package member

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAServerThatSaysToBeOfAnotherUserIsNobody(t *testing.T) {
	for _, c := range []struct {
		user   string
		honest bool
	}{{fmt.Sprintf("uid %d", os.Getuid()), true}, {fmt.Sprintf("uid %d", os.Getuid()+1), false}} {
		name := presence + "test-" + strings.ToLower(rand.Text())
		l, err := listenPresence(name)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_ = json.NewEncoder(conn).Encode(Neighbour{Server: "x", Ledger: "/nowhere", User: c.user, PID: 1})
				_ = conn.Close()
			}
		}()
		if _, err := askPresence(name, nil); (err == nil) != c.honest {
			t.Errorf("%s is believed: %v, want %v: %v", c.user, err == nil, c.honest, err)
		}
		_ = l.Close()
	}
}

func TestALedgerHasOneNameAndNoPassword(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	where := func(state, address string) string {
		return New(Options{State: state, Ledger: address}).Where()
	}
	for _, name := range []string{"real/s", "link/s", "link/../real/./s"} {
		if got, want := where(dir+"/"+name, ""), where(dir+"/real/s", ""); got != want || !strings.HasSuffix(got, "/real/s") {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	got := where(dir, "postgres://ann:hidden@db:5432/mishap?password=hidden&sslmode=require")
	if strings.Contains(got, "hidden") || !strings.Contains(got, "ann@db:5432/mishap") || !strings.Contains(got, "sslmode=require") {
		t.Error(got)
	}
}
