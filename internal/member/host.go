package member

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/plaintext"
)

// Neighbour is a living server of this host and the ledger that it uses.
type Neighbour struct {
	Server  string  `json:"server"`
	Kind    string  `json:"kind"`   // serve, run or revert; empty: a server that does not say
	Ledger  string  `json:"ledger"` // state directory, or address of the database without its password
	User    string  `json:"user"`
	PID     int     `json:"pid"`
	Runs    int     `json:"runs"`              // under way now
	Going   []Going `json:"going,omitempty"`   // the same, one by one
	Halted  bool    `json:"halted,omitempty"`  // it has seen that its ledger is halted
	Problem string  `json:"problem,omitempty"` // why it does not do what it was asked

	uid     int    // as the kernel says
	address string // where it answers
}

// Going is a run that goes on in a server.
type Going struct {
	Run   string       `json:"run"`
	State mishap.State `json:"state"`
}

func (n Neighbour) String() string {
	return n.Who() + " has " + mishap.Plural(n.Runs, "run") + " under way"
}

// Who names the server.
func (n Neighbour) Who() string {
	if n.PID == 0 {
		return "server " + n.Server
	}
	return plaintext.Line(fmt.Sprintf("server %s (%s, process %d of %s)", n.Server, cmp.Or(n.Kind, "mishap"), n.PID, n.User))
}

// Reach is the flag that makes a verb use the neighbour's ledger.
func (n Neighbour) Reach() string { return reach(n.Ledger) }

func reach(where string) string {
	where = plaintext.Line(where) // as another user's server may say
	if ledger.IsPostgres(where) {
		return "--ledger=" + where
	}
	return "--state=" + where
}

// underWay lists its runs that have not begun to revert.
func (n Neighbour) underWay() []string {
	var all []string
	for _, g := range n.Going {
		if !begunToRevert(g.State) {
			all = append(all, g.Run)
		}
	}
	return all
}

// begunToRevert reports whether a run in this state is past what a stop is for.
func begunToRevert(s mishap.State) bool {
	return s == mishap.Reverting || s == mishap.Stranded || s == mishap.Verifying || s.Ended()
}

// Where names the ledger that this app uses: the same name for the same ledger,
// whichever way it was written.
func (m *Member) Where() string {
	address := m.address
	if !ledger.IsPostgres(address) {
		return resolved(m.state)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "postgres"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	q.Del("password")
	u.RawQuery = q.Encode()
	return u.String()
}

// resolved is the path without symbolic links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for at, rest := path, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if whole, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(whole, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
	}
}

// Neighbours lists the living servers of this host that use another ledger, or
// those that use this one.
func (m *Member) Neighbours(same bool) []Neighbour {
	var some []Neighbour
	for _, n := range livingServers() {
		if m.shares(n) == same {
			some = append(some, n)
		}
	}
	return some
}

// silent lists the living servers of this state directory that are not among
// those which answered: one that is frozen still has its runs, and their locks.
func (m *Member) silent(answered []Neighbour) []Neighbour {
	ids, _ := ledger.Servers(m.state) // its error is a bad pattern
	var all []Neighbour
	for _, id := range ids {
		known := slices.ContainsFunc(answered, func(n Neighbour) bool { return n.Server == id })
		if alive, err := ledger.Alive(m.state, id); err == nil && alive && !known {
			all = append(all, Neighbour{Server: id, Ledger: m.Where(), uid: os.Getuid(), address: presence + id})
		}
	}
	return all
}

// shares reports whether a server uses this ledger. Anybody may say so; it is
// believed of root, of this user, and of whom the ledger belongs to.
func (m *Member) shares(n Neighbour) bool {
	if n.Ledger != m.Where() {
		return false
	}
	if n.uid == 0 || n.uid == os.Getuid() || ledger.IsPostgres(n.Ledger) {
		return true
	}
	info, err := os.Stat(n.Ledger)
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == n.uid
}

// Idle lists the ledgers in the usual places of this host that this app does not
// use, and no living server either.
func (m *Member) Idle() []string {
	used := []string{m.Where()}
	for _, n := range livingServers() {
		used = append(used, n.Ledger)
	}
	var all []string
	for _, dir := range config.UsualStates() {
		dir = resolved(dir)
		if !slices.Contains(used, dir) && ledger.Exists(dir) {
			all, used = append(all, dir), append(used, dir)
		}
	}
	return all
}

// WhereElse is, as a hint, where on this host the run goes on, if it does.
func (m *Member) WhereElse(which string) string {
	var all []string
	for _, n := range m.Neighbours(false) {
		for _, g := range n.Going {
			if which == "last" || strings.HasPrefix(g.Run, which) {
				all = append(all, fmt.Sprintf("run %s is %s in ledger %s, on %s; reach it with %s", g.Run, g.State, n.Ledger, n.Who(), n.Reach()))
			}
		}
	}
	return strings.Join(all, "\n  ")
}
