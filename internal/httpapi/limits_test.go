package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mishap/internal/api"
	"mishap/internal/config"
	"mishap/internal/nettest"
)

// requestsHave is how long requests have to come, in these tests.
const requestsHave = 30 * time.Second

// limited serves on fake time until the end of the test, and connects.
func limited(t *testing.T, handler http.HandlerFunc) (*http.Client, net.Conn) {
	t.Helper()
	server, l := &http.Server{ReadTimeout: requestsHave, Handler: whole(handler)}, nettest.NewPipes()
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialContext: l.Dial}
	conn, err := l.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = conn.Close()
		_ = server.Close()
	})
	return &http.Client{Transport: transport}, conn
}

// A body that does not come ends its connection, and nothing acts on half of one.
func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acted := make(chan struct{}, 1)
		_, conn := limited(t, func(http.ResponseWriter, *http.Request) { acted <- struct{}{} })
		began := time.Now()
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || time.Since(began) != requestsHave {
			t.Errorf("%v %v after %s", resp, err, time.Since(began))
		}
		if rest, err := io.ReadAll(conn); err != nil || len(acted) > 0 {
			t.Errorf("%q %v, and %d acted", rest, err, len(acted))
		}
	})
}

// A request that came whole may take as long as its answer does.
func TestALongAnswerIsNotEndedByTheTimeThatRequestsHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := limited(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(4 * requestsHave):
				fmt.Fprint(w, "done")
			}
		})
		ask, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://pages/", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(ask)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(text) != "done" {
			t.Errorf("%q", text)
		}
	})
}

// So may one that an operation answers: who halts waits until all revert.
func TestAnOperationThatTakesLongIsNotEndedByTheTimeThatItsBodyHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		slow := func(ctx context.Context, _ *struct{ Body api.Because }) (*body[string], error) {
			select {
			case <-ctx.Done():
				return &body[string]{"cut off"}, nil
			case <-time.After(time.Hour):
				return &body[string]{"done"}, nil
			}
		}
		route(&API{}, humago.New(mux, huma.DefaultConfig("mishap", "1")), config.Operator, "PUT", "/", "halt", "", slow)
		client, _ := limited(t, owner(mux).ServeHTTP)
		ask, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://api/", strings.NewReader(`{"reason": "x"}`))
		if err != nil {
			t.Fatal(err)
		}
		ask.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(ask)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if strings.TrimSpace(string(text)) != `"done"` {
			t.Errorf("%s", text)
		}
	})
}
