package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mishap/internal/socket"
)

// member is a server that a test started.
type member struct {
	state string
	cmd   *exec.Cmd
	env   []string // of it alone
}

// call asks a server over its socket.
func (m *member) call(method, path, body string) (int, string) {
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return socket.Dial(ctx, filepath.Join(m.state, "servers", "api.sock"))
	}}}
	req, err := http.NewRequest(method, "http://mishap"+path, bytes.NewBufferString(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	if who := os.Getenv("MISHAP_TEST_USER"); who != "" {
		req.Header.Set("Mishap-User", who)
	}
	if key := os.Getenv("MISHAP_TEST_KEY"); key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}
