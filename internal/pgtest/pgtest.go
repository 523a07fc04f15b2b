// Package pgtest runs a real PostgreSQL server for tests, on loopback and with
// its data in a temporary folder. The server dies with the process that started
// it.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"mishap/internal/freeport"
)

// ErrMissing is a machine without PostgreSQL.
var ErrMissing = errors.New("postgres and initdb are not installed")

// nobody runs the server when the tests run as root, which it refuses.
const nobody = 65534

// Server is a running PostgreSQL server.
type Server struct {
	dir  string // of everything
	bin  string // of its programs
	port int
	exit chan struct{} // closed when it has ended
	cmd  *exec.Cmd
}

// Start makes a database cluster and starts a server on a free port.
func Start(ctx context.Context) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mishap-pg-")
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	s := &Server{dir: dir, bin: bin}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return nil, fmt.Errorf("start postgres: %w", err)
		}
	}
	initdb := s.command(ctx, "initdb", "-D", s.data(), "-U", "mishap", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start postgres: initdb: %w: %s", err, out)
	}
	s.port = freeport.Port()
	return s, s.Up(ctx)
}

// programs is the folder of initdb and postgres: beside the one on the PATH, or
// where Debian puts them.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = dieWithUs()
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// Up starts the server and waits until it answers.
func (s *Server) Up(ctx context.Context) error {
	s.exit = make(chan struct{})
	started := make(chan error)
	cmd := s.command(context.WithoutCancel(ctx), "postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir, "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "max_connections=200", "-c", "jit=off")
	s.cmd = cmd
	var log strings.Builder
	cmd.Stderr = &log
	go func() {
		// The kernel ends the server with the thread that started it.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(s.exit)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	for {
		if s.answers(ctx) {
			return nil
		}
		select {
		case <-s.exit:
			return fmt.Errorf("start postgres: it ended: %s", log.String())
		case <-ctx.Done():
			return fmt.Errorf("start postgres: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers reports whether the server takes connections.
func (s *Server) answers(ctx context.Context) bool {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return false
	}
	_ = conn.Close(ctx)
	return true
}

// Running reports whether the server has not ended.
func (s *Server) Running() bool {
	select {
	case <-s.exit:
		return false
	default:
		return true
	}
}

// Down stops the server at once, as a crash does; its data stays.
func (s *Server) Down() {
	s.Thaw() // a frozen one takes no signals
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exit
}

// Freeze stops all processes of the server, so that it takes connections and
// never answers, until Thaw.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets the server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal is for the server and the processes that it has started.
func (s *Server) signal(what syscall.Signal) {
	_ = s.cmd.Process.Signal(what)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(text), " ")
		fields := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
		if n, err := strconv.Atoi(pid); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(s.cmd.Process.Pid) {
			_ = syscall.Kill(n, what)
		}
	}
}

// Promote lets a crash and the promotion of a standby pass: the server comes up
// again on another timeline.
func (s *Server) Promote(ctx context.Context) error {
	s.Down()
	signal := filepath.Join(s.data(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return fmt.Errorf("promote postgres: %w", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(signal, nobody, nobody); err != nil {
			return fmt.Errorf("promote postgres: %w", err)
		}
	}
	if err := s.Up(ctx); err != nil {
		return err
	}
	return s.Rise(ctx)
}

// URL is the address of a database of the server.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://mishap@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// URLs is the address of a database of several servers, of which one can be written
// to.
func URLs(database string, servers ...*Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, fmt.Sprintf("127.0.0.1:%d", s.port))
	}
	return fmt.Sprintf("postgres://mishap@%s/%s?sslmode=disable&target_session_attrs=read-write", strings.Join(hosts, ","), database)
}

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	s.Down()
	_ = os.RemoveAll(s.dir)
}
