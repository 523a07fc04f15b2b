package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mishap/internal/freeport"
	"mishap/internal/pgtest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
)

const (
	underLoad = 6 // clients of a real server
	addedTo   = 4 // times that latency is put in and taken out while they work
	realDelay = 40 * time.Millisecond
)

// switchUnderLoad lets clients work while latency comes and goes, and fails if one of them sees an error, if the proxy says
// that it delivered less than it was asked for, or if the clients did not see what it says. work is called again and again
// until the end, by each client in its own goroutine.
func switchUnderLoad(t *testing.T, r *rig, f fault.Fault, work func(client int) error) {
	t.Helper()
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		slow int // calls that took as long as the fault wants
		done int
	)
	ctx, stop := context.WithCancel(t.Context())
	for client := range underLoad {
		all.Go(func() {
			for ctx.Err() == nil {
				begin := time.Now()
				if err := work(client); err != nil {
					t.Errorf("client %d: %v", client, err)
					return
				}
				mu.Lock()
				done++
				if time.Since(begin) >= realDelay {
					slow++
				}
				mu.Unlock()
			}
		})
	}
	for n := range addedTo {
		f.ID = fmt.Sprint("slow-", n)
		r.put(f)
		eventually(t, "clients are held up", func() bool { return r.get(f.ID).Stats.Delivered.Count >= 2*underLoad || t.Failed() })
		s := r.remove(f.ID).Stats
		if s.Requested.Min < realDelay || s.Delivered.Count == 0 {
			t.Errorf("requested %v, delivered %v", s.Requested, s.Delivered)
		}
		t.Logf("delivered %v", s.Delivered)
		mu.Lock()
		before := done
		mu.Unlock()
		eventually(t, "clients work on without the fault", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return done >= before+3*underLoad || t.Failed()
		})
	}
	stop()
	all.Wait()
	if slow < addedTo*underLoad {
		t.Errorf("of %d calls, clients saw %d to be slow", done, slow)
	}
	t.Logf("%d calls, %d of them slow", done, slow)
}

func TestRealPostgreSQLUnderLoad(t *testing.T) {
	db, err := pgtest.Start(t.Context())
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip("SKIPPED:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	at, err := url.Parse(db.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, at.Host)
	at.Host = r.addr
	var conns [underLoad]*pgx.Conn
	var rows [underLoad]int
	for n := range conns {
		if conns[n], err = pgx.Connect(t.Context(), at.String()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conns[n].Close(context.Background()) })
	}
	if _, err := conns[0].Exec(t.Context(), "CREATE TABLE orders (client int, n int, PRIMARY KEY (client, n))"); err != nil {
		t.Fatal(err)
	}
	switchUnderLoad(t, r, delaying("", realDelay), func(client int) error {
		rows[client]++
		_, err := conns[client].Exec(context.Background(), "INSERT INTO orders VALUES ($1, $2)", client, rows[client])
		return err
	})
	for client, want := range rows {
		var got int
		if err := conns[client].QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE client = $1", client).Scan(&got); err != nil || got != want {
			t.Errorf("client %d: %d rows of %d, %v", client, got, want, err)
		}
	}
}

const nginxTLS = `daemon off; master_process off; pid %[1]s/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c;
uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen %[2]s ssl http2; ssl_certificate %[3]s; ssl_certificate_key %[4]s; location / { return 200 "$request_uri"; } } }`

// TestRealHTTPSUnderLoad puts nginx with TLS behind the proxy, once as it is, where the proxy sees bytes alone, and once with
// TLS that ends and begins again at the proxy, where it sees requests.
func TestRealHTTPSUnderLoad(t *testing.T) {
	path, address, dir := program(t, "nginx"), freeport.Address(), t.TempDir()
	lender := httptest.NewTLSServer(nil) // of a certificate
	defer lender.Close()
	cert, key := certificate(t, lender)
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxTLS, dir, address, cert, key), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, address, path, "-c", config, "-p", dir)
	pool := x509.NewCertPool()
	pool.AddCert(lender.Certificate())
	// By request, so that there is one delay for each: HTTP/2 has many on a connection.
	slowRequests := with("", fault.HTTPLatency{Spread: fault.Spread{Delay: fault.Duration(realDelay)}})
	for name, c := range map[string]struct {
		change func(*listener.Config)
		fault  fault.Fault
		http2  bool
	}{
		"bytes":            {func(*listener.Config) {}, delaying("", realDelay), false},
		"requests":         {atBothEnds(cert, key), slowRequests, false},
		"requests, HTTP/2": {atBothEnds(cert, key), slowRequests, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := startWith(t, address, func(o *proxy.Options) { c.change(&o.Listeners[0]) })
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com"},
				ForceAttemptHTTP2: c.http2, MaxIdleConnsPerHost: underLoad}
			t.Cleanup(transport.CloseIdleConnections)
			client := &http.Client{Transport: transport, Timeout: patience}
			switchUnderLoad(t, r, c.fault, func(n int) error {
				resp, err := client.Get(fmt.Sprintf("https://%s/%d", r.addr, n))
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				if text, err := io.ReadAll(resp.Body); err != nil || string(text) != fmt.Sprintf("/%d", n) || (resp.ProtoMajor == 2) != c.http2 {
					return fmt.Errorf("got %s %q, %w", resp.Proto, text, err)
				}
				return nil
			})
		})
	}
}

func atBothEnds(cert, key string) func(*listener.Config) {
	return func(l *listener.Config) {
		l.Protocol, l.TLS = fault.HTTP, &listener.ServerTLS{Cert: cert, Key: key}
		l.UpstreamTLS = &listener.ClientTLS{ServerName: "example.com", CA: cert}
	}
}
