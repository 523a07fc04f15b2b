// Package demo is a small shop to break: a storefront that calls payments, and
// a steady load on it. All of it is real: processes, sockets, timeouts.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Payments answers every request with a receipt, after a little work.
func Payments() http.Handler {
	var receipts atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pay", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(2 * time.Millisecond) // the work
		fmt.Fprintf(w, "receipt %d\n", receipts.Add(1))
	})
	return mux
}

// Storefront sells, and asks payments for the money. It waits for Patience and,
// with Fallback, sells on credit when payments has not answered by then.
type Storefront struct {
	Payments string        // base URL
	Patience time.Duration // timeout of one call to payments
	Fallback bool
}

// Handler returns the storefront's HTTP side: POST /checkout.
func (s Storefront) Handler() http.Handler {
	client := &http.Client{Timeout: s.Patience}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		receipt, err := s.pay(r.Context(), client)
		switch {
		case err == nil:
			fmt.Fprintf(w, "sold, %s", receipt)
		case s.Fallback:
			fmt.Fprintln(w, "sold, to be paid later")
		default:
			http.Error(w, "checkout failed: payments did not answer", http.StatusBadGateway)
		}
	})
	return mux
}

func (s Storefront) pay(ctx context.Context, client *http.Client) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Payments+"/pay", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	receipt, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return string(receipt), err
}

// Load checks out rate times a second at every storefront until ctx ends.
func Load(ctx context.Context, rate int, storefronts ...string) {
	client := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		for _, url := range storefronts {
			go checkout(ctx, client, url)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func checkout(ctx context.Context, client *http.Client, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/checkout", nil)
	if err != nil {
		return
	}
	if resp, err := client.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// Serve serves h on address until ctx ends.
func Serve(ctx context.Context, address string, h http.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
