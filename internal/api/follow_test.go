package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mishap"
)

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"3": 3 * time.Second, "-1": 0, "": 0, "soon": 0, "999999999": mostPause,
		"Mon, 04 May 2026 12:00:07 GMT": 7 * time.Second, "Mon, 04 May 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", text, got, want)
		}
	}
}

func TestWhatWasSeenToBeOutIsNotStillIn(t *testing.T) {
	in := []mishap.Injection{{ID: "1"}}
	for _, c := range []struct {
		name string
		run  mishap.Run
		want bool
	}{
		{"nothing was seen", mishap.Run{}, true},
		{"it may inject by now", mishap.Run{Seq: 2, State: mishap.Checking, Plan: mishap.Plan{Injections: in}}, true},
		{"it has no fault", mishap.Run{Seq: 9, State: mishap.Holding, Plan: mishap.Plan{}}, false},
		{"all was reverted", mishap.Run{Seq: 9, State: mishap.Verifying, Plan: mishap.Plan{Injections: in}}, false},
	} {
		f := &following{run: &c.run}
		err := f.lost(mishap.Refusal(errors.New("no")))
		if errors.Is(err, mishap.ErrStillIn) != c.want || errors.Is(err, mishap.ErrRefused) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// To another port, or without TLS, net/http would take the token along.
func TestATokenIsShownToTheServerThatItIsForAndToNoOther(t *testing.T) {
	var shown []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	first := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(first.Close)
	t.Setenv("MISHAP_TOKEN", "hunter2")
	r, err := NewClient(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ask(t.Context(), "POST", "/v1/halt", struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "leads to another server") {
		t.Errorf("asking: %v", err)
	}
	if _, err := r.events(t.Context()); err == nil {
		t.Error("listening goes on at another server")
	}
	if shown != nil {
		t.Errorf("another server was shown %q", shown)
	}
}
