// Package demo is a small shop to break: a storefront that calls payments, and
// a steady load on it. All of it is real: processes, sockets, timeouts.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
	Attempts int           // calls to payments for one checkout at most; 0 is 1
	Gap      time.Duration // between two of them
}

// Handler returns the storefront's HTTP side: POST /checkout.
func (s Storefront) Handler() http.Handler {
	client := &http.Client{Timeout: s.Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		receipt, err := s.pay(r, client)
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

func (s Storefront) pay(r *http.Request, client *http.Client) (receipt string, err error) {
	for attempt := range max(s.Attempts, 1) {
		if attempt > 0 {
			time.Sleep(s.Gap)
		}
		if receipt, err = s.payOnce(r, client); err == nil {
			return receipt, nil
		}
	}
	return "", err
}

// payOnce carries on what OpenTelemetry's SDKs do by themselves: the trace, and
// the baggage in which the arm of the request is written.
func (s Storefront) payOnce(r *http.Request, client *http.Client) (string, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, s.Payments+"/pay", nil)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"Traceparent", "Baggage"} {
		if value := r.Header.Get(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	receipt, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("payments answered %s", resp.Status)
	}
	return string(receipt), err
}

// users is how many people shop.
const users = 5000

// Load checks out rate times a second at every storefront until ctx ends, each
// time as another of its users.
func Load(ctx context.Context, rate int, storefronts ...string) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
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
	req.AddCookie(&http.Cookie{Name: "session", Value: fmt.Sprintf("user-%d", rand.IntN(users))})
	req.Header.Set("Traceparent", fmt.Sprintf("00-%016x%016x-%016x-01", rand.Uint64(), rand.Uint64(), rand.Uint64()|1))
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
