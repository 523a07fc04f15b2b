package member

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/runner"
	"mishap/internal/socket"
)

const (
	askWithin   = 5 * time.Second // what is asked to stop a run answers in that
	beginWithin = 4 * time.Second // how long it waits until the run has begun to revert
)

// stopRequest asks the server of a run to end it.
type stopRequest struct {
	Run    string `json:"run"`
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// listenStops takes stop requests on a unix socket until it is closed. It answers
// when the run has begun to revert (200), whatever the ledger does meanwhile; if that
// takes long, it says only that the run has been asked (202). The socket is for this
// user alone.
func listenStops(ctx context.Context, path string, runs *desk) (func(), error) {
	listener, err := socket.Listen(ctx, path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/abort", func(w http.ResponseWriter, r *http.Request) {
		var ask stopRequest
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&ask); err != nil ||
			!runs.stop(ask.Run, runner.Stop{Cause: mishap.CauseAbort, Reason: "aborted by " + ask.By + because(ask.Reason), By: ask.By}) {
			http.Error(w, "this server does not run "+ask.Run, http.StatusNotFound)
			return
		}
		defer socket.HoldOf(r.Context())()
		waiting, cancel := context.WithTimeout(r.Context(), beginWithin)
		defer cancel()
		if !runs.begun(waiting, ask.Run) {
			w.WriteHeader(http.StatusAccepted)
		}
	})
	server := socket.Server(mux)
	go func() { _ = server.Serve(brakeLimit().On(listener)) }()
	return func() { _ = server.Close() }, nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// socketPath is where a server's socket is.
func socketPath(state, server string) string { return filepath.Join(state, "servers", server+".sock") }

// askStop sends a stop request to the server behind the socket, again where that has
// so many callers that it cut this one off: asking twice stops once. It reports whether
// the run has begun to revert.
func askStop(ctx context.Context, path string, ask stopRequest) (begun bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, api.StopWithin)
	defer cancel()
	err = socket.Insist(ctx, func() (err error) {
		begun, err = askStopOnce(ctx, path, ask)
		return err
	})
	return begun, err
}

func askStopOnce(ctx context.Context, path string, ask stopRequest) (begun bool, err error) {
	client := &http.Client{Timeout: askWithin, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return socket.Dial(ctx, path)
		},
	}}
	body, err := json.Marshal(ask)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mishap/v1/abort", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask the server of run %s: %w", ask.Run, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusAccepted:
		return false, nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return false, errors.New(string(text))
}
