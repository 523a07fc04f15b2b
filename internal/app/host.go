package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mishap/internal/ledger"
)

// presence begins the names, in the abstract namespace of unix sockets, by which
// the servers of a host are known to each other. The kernel frees a name with
// its process, and shows it to every user of the same network namespace.
const presence = "@mishap-server-"

// Neighbour is a living server of this host and the ledger that it uses.
type Neighbour struct {
	Server string `json:"server"`
	Ledger string `json:"ledger"` // state directory, or address of the database without its password
	User   string `json:"user"`
	PID    int    `json:"pid"`
	Runs   int    `json:"runs"` // under way now
}

func (n Neighbour) String() string {
	return fmt.Sprintf("ledger %s: server %s (process %d of %s) has %d runs under way", n.Ledger, n.Server, n.PID, n.User, n.Runs)
}

// Reach is the flag that makes a verb use the neighbour's ledger.
func (n Neighbour) Reach() string {
	if ledger.IsPostgres(n.Ledger) {
		return "--ledger " + n.Ledger
	}
	return "--state " + n.Ledger
}

// Where names the ledger that this app uses.
func (a *App) Where() string {
	if address := a.Settings.Ledger; ledger.IsPostgres(address) {
		if u, err := url.Parse(address); err == nil {
			return u.Redacted()
		}
		return "postgres"
	}
	if dir, err := filepath.Abs(a.Settings.State); err == nil {
		return dir
	}
	return a.Settings.State
}

// announcePresence tells whoever asks on this host which ledger this server uses. Where
// there is no abstract namespace nobody is told.
func (a *App) announcePresence(server string) func() {
	listener, err := net.Listen("unix", presence+server)
	if err != nil {
		a.log.Warn("tell other ledgers of this host of this server", "error", err)
		return func() {}
	}
	me := Neighbour{Server: server, Ledger: a.Where(), User: fmt.Sprintf("uid %d", os.Getuid()), PID: os.Getpid()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			me.Runs = len(a.desk.here())
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			_ = json.NewEncoder(conn).Encode(me)
			_ = conn.Close()
		}
	}()
	return func() { _ = listener.Close() }
}

// Neighbours lists the living servers of this host that use another ledger, or
// those that use this one.
func (a *App) Neighbours(same bool) []Neighbour {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil
	}
	defer f.Close()
	seen := map[string]bool{}
	var all []Neighbour
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		name := fields[len(fields)-1]
		if !strings.HasPrefix(name, presence) || seen[name] {
			continue
		}
		seen[name] = true
		if n, err := askPresence(name); err == nil && (n.Ledger == a.Where()) == same {
			all = append(all, n)
		}
	}
	return all
}

// askPresence asks the server behind a name who it is.
func askPresence(name string) (n Neighbour, err error) {
	conn, err := net.DialTimeout("unix", name, time.Second)
	if err != nil {
		return n, fmt.Errorf("ask server %s: %w", name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if err := json.NewDecoder(io.LimitReader(conn, 1<<14)).Decode(&n); err != nil {
		return n, fmt.Errorf("ask server %s: %w", name, err)
	}
	return n, nil
}
