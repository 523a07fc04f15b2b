package member

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mishap/internal/api"
	"mishap/internal/ledger"
	"mishap/internal/socket"
)

// presence begins the names, in the abstract namespace of unix sockets, by which
// the servers of a host are known to each other. The kernel frees a name with
// its process, and shows it to every user of the same network namespace. A server
// says there who it is, in one line of JSON; who then sends a [brake] and may do
// so gets another line.
const presence = "@mishap-server-"

const (
	greetWithin  = time.Second     // until a server says who it is
	answerWithin = 3 * time.Second // until it answers a brake
	ledgerWithin = time.Second     // how long it waits for its ledger before it does

	acceptAgain = 10 * time.Millisecond // after it could not take a connection
)

// brake asks a server to revert all of its runs, and whether it has seen that
// its ledger is halted. No ledger is needed for the first.
type brake struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
	Write  bool   `json:"write"` // the server halts its ledger itself, if that is not yet
}

// announcePresence tells whoever asks on this host which ledger this server uses. Where
// there is no abstract namespace nobody is told.
func (m *Member) announcePresence(server, kind string) func() {
	listener, err := listenPresence(presence + server)
	if err != nil {
		m.log.Warn("tell other ledgers of this host of this server", "error", err)
		return func() {}
	}
	me := Neighbour{Server: server, Kind: kind, Ledger: m.Where(), User: fmt.Sprintf("uid %d", os.Getuid()), PID: os.Getpid()}
	go m.answerAll(brakeLimit().On(listener), me)
	return func() { _ = listener.Close() }
}

// answerAll answers whoever asks until the listener is closed. A failure to accept,
// such as of too few descriptors, is tried again.
func (m *Member) answerAll(listener net.Listener, me Neighbour) {
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			go m.answerPresence(conn, me)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(acceptAgain)
		}
	}
}

// answerPresence says who this server is, and takes one brake.
func (m *Member) answerPresence(conn net.Conn, me Neighbour) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	me.Going = m.desk.going()
	me.Runs = len(me.Going)
	if json.NewEncoder(conn).Encode(me) != nil {
		return
	}
	var ask brake
	if json.NewDecoder(io.LimitReader(conn, 1<<14)).Decode(&ask) != nil {
		return
	}
	defer socket.Hold(conn)()
	if uid, err := peerUID(conn); err != nil || uid != 0 && uid != os.Getuid() {
		me.Problem = "it is stopped only by " + me.User + " and root"
	} else {
		me.Halted, me.Problem = m.takeBrake(ask)
		me.Going = m.desk.going()
		me.Runs = len(me.Going)
	}
	_ = json.NewEncoder(conn).Encode(me)
}

// takeBrake reverts every run here, whatever the ledger does, and then says
// whether that is halted.
func (m *Member) takeBrake(ask brake) (seen bool, problem string) {
	h := ledger.Halt{By: ask.By, Reason: ask.Reason, At: time.Now()}
	m.desk.stopUnderWay(halted(&h))
	type answer struct {
		seen bool
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		seen, err := m.seeHalt(h, ask.Write)
		got <- answer{seen, err}
	}()
	select {
	case is := <-got:
		if is.err != nil {
			return is.seen, is.err.Error()
		}
		return is.seen, ""
	case <-time.After(ledgerWithin):
		return false, "it waits for its ledger"
	}
}

// seeHalt reads whether the ledger is halted, and halts it if it shall be and is
// not. Of several that ask at once one does it.
func (m *Member) seeHalt(h ledger.Halt, write bool) (bool, error) {
	if !m.desk.halting.TryLock() {
		return false, errors.New("it waits for its ledger")
	}
	defer m.desk.halting.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), api.StopWithin)
	defer cancel()
	was, err := m.Halted(ctx)
	if err != nil || was != nil || !write {
		return was != nil, err
	}
	book, err := m.Ledger(ctx)
	if err != nil {
		return false, err
	}
	err = book.Halt(ctx, h)
	return err == nil, err
}

// livingServers lists the servers of this host, each by its own words and, for
// its user, those of the kernel. What says to be another user's is nobody.
func livingServers() []Neighbour {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil
	}
	defer f.Close()
	var names []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if name := fields[len(fields)-1]; strings.HasPrefix(name, presence) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	found := make([]*Neighbour, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		asked.Go(func() {
			if n, err := askPresence(name, nil); err == nil {
				found[i] = &n
			}
		})
	}
	asked.Wait()
	var all []Neighbour
	for _, n := range found {
		if n != nil {
			all = append(all, *n)
		}
	}
	slices.SortFunc(all, func(x, y Neighbour) int { return strings.Compare(x.Ledger+x.Server, y.Ledger+y.Server) })
	return all
}

// askPresence asks the server behind a name who it is, and then to stop its
// runs, if there is something to ask.
func askPresence(name string, ask *brake) (n Neighbour, err error) {
	conn, err := net.DialTimeout("unix", name, greetWithin)
	if err != nil {
		return n, fmt.Errorf("ask server %s: %w", name, err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(greetWithin))
	lines := json.NewDecoder(io.LimitReader(conn, 1<<20))
	if err := lines.Decode(&n); err != nil {
		return n, fmt.Errorf("ask server %s: %w", name, err)
	}
	n.address = name
	if n.uid, err = peerUID(conn); err != nil {
		return n, fmt.Errorf("ask server %s: %w", name, err)
	}
	if says := fmt.Sprintf("uid %d", n.uid); n.User != says {
		return n, fmt.Errorf("ask server %s: it says that it is of %s, and is of %s", name, n.User, says)
	}
	if ask == nil {
		return n, nil
	}
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	if err := json.NewEncoder(conn).Encode(ask); err != nil {
		return n, fmt.Errorf("ask server %s to stop its runs: %w", name, err)
	}
	var answer Neighbour
	if err := lines.Decode(&answer); err != nil {
		return n, fmt.Errorf("ask server %s to stop its runs: %w", name, err)
	}
	n.Going, n.Runs, n.Halted, n.Problem = answer.Going, answer.Runs, answer.Halted, answer.Problem
	return n, nil
}

// isGone reports whether nobody answers because the process has ended.
func isGone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}
