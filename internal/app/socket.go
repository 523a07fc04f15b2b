package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// stopRequest asks the server of a run to end it.
type stopRequest struct {
	Run    string `json:"run"`
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// listenStops takes stop requests on a unix socket until it is closed, and
// hands them on. The socket is for this user alone.
func listenStops(path string, stop func(run string, s runner.Stop) bool) (func(), error) {
	listener, err := listenUnix(path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/abort", func(w http.ResponseWriter, r *http.Request) {
		var ask stopRequest
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&ask); err != nil ||
			!stop(ask.Run, runner.Stop{Cause: mishap.CauseAbort, Reason: "aborted by " + ask.By + because(ask.Reason), By: ask.By}) {
			http.Error(w, "this server does not run "+ask.Run, http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close(); _ = os.Remove(path) }, nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// socketPath is where the server's socket is. Unix socket names are short, so a
// deep state directory gets one in the temporary directory instead, under a name
// that every process of this user finds.
func socketPath(state, server string) (string, error) {
	const longest = 100
	path := filepath.Join(state, "servers", server+".sock")
	if len(path) <= longest {
		return path, nil
	}
	sum := sha256.Sum256([]byte(state))
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("mishap-%d-%x", os.Getuid(), sum[:6]))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make folder for socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("make folder for socket: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("folder for socket %s is not this user's alone", dir)
	}
	return filepath.Join(dir, server+".sock"), nil
}

func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder for socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return listener, os.Chmod(path, 0o600)
}

// askStop sends a stop request to the server behind the socket.
func askStop(ctx context.Context, path string, ask stopRequest) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mishap/v1/abort", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server of run %s: %w", ask.Run, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return errors.New(string(text))
	}
	return nil
}
