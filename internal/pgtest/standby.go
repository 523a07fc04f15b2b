package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"mishap/internal/freeport"
)

// Standby starts a server that follows this one by streaming replication. The
// primary is down meanwhile: its data is copied. If synchronous, every commit of the
// primary waits from now on until the standby has it on its disk.
func (s *Server) Standby(ctx context.Context, synchronous bool) (*Server, error) {
	failed := func(err error) (*Server, error) { return nil, fmt.Errorf("start standby: %w", err) }
	dir, err := os.MkdirTemp("", "mishap-pg-")
	if err != nil {
		return failed(err)
	}
	b := &Server{dir: dir, bin: s.bin, port: freeport.Port()}
	_ = s.cmd.Process.Signal(syscall.SIGINT) // in good order: what is copied is whole
	<-s.exit
	if out, err := exec.CommandContext(ctx, "cp", "-a", s.data(), b.data()).CombinedOutput(); err != nil {
		return failed(errors.Join(fmt.Errorf("copy: %w: %s", err, out), os.RemoveAll(dir)))
	}
	follow := fmt.Sprintf("primary_conninfo = 'host=127.0.0.1 port=%d user=mishap sslmode=disable'\n", s.port)
	err = errors.Join(
		os.WriteFile(filepath.Join(b.data(), "postgresql.auto.conf"), []byte(follow), 0o600),
		os.WriteFile(filepath.Join(b.data(), "standby.signal"), nil, 0o600))
	if os.Geteuid() == 0 {
		for _, path := range []string{dir, filepath.Join(b.data(), "postgresql.auto.conf"), filepath.Join(b.data(), "standby.signal")} {
			err = errors.Join(err, os.Chown(path, nobody, nobody))
		}
	}
	if err == nil {
		err = errors.Join(s.Up(ctx), b.Up(ctx))
	}
	if err == nil && synchronous {
		err = s.do(ctx, "ALTER SYSTEM SET synchronous_standby_names TO '*'", "SELECT pg_reload_conf()")
	}
	if err == nil {
		err = s.followed(ctx, synchronous)
	}
	if err != nil {
		return failed(err)
	}
	return b, nil
}

// followed waits until a standby streams, and is synchronous if it should be.
func (s *Server) followed(ctx context.Context, synchronous bool) error {
	want := "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
	if synchronous {
		want += " AND sync_state = 'sync'"
	}
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var n int
		if err := conn.QueryRow(ctx, want).Scan(&n); err != nil || n > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Rise promotes a standby.
func (s *Server) Rise(ctx context.Context) error {
	if err := s.do(ctx, "SELECT pg_promote(true, 600)"); err != nil { // within ten minutes, or it is said alone, and no error
		return fmt.Errorf("promote postgres: %w", err)
	}
	return nil
}

func (s *Server) do(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, one := range statements {
		if _, err := conn.Exec(ctx, one); err != nil {
			return err
		}
	}
	return nil
}
