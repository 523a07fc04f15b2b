package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"mishap/internal/config"
	"mishap/internal/httpapi/apitest"
)

func (b *bench) audited() (lines []string) {
	b.t.Helper()
	acts, err := b.book.Audit(b.t.Context(), 0, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range acts {
		lines = append(lines, a.By+": "+a.What)
	}
	return lines
}

func TestWhoShowsNoTokenPushesNothingOutOfTheAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.settings.Live().Tokens = []config.Token{{Name: "vi", Role: "viewer", Hash: apitest.HashOf("v")}, {Name: "ed", Role: "viewer", Hash: apitest.HashOf("e")}}
		h := b.Handler()
		ask := func(token, from string) int {
			status, _ := apitest.Call(h, "PUT", "/v1/halt", `{"reason": "x"}`, apitest.Bearer(token), func(r *http.Request) { r.RemoteAddr = from + ":1234" })
			return status
		}
		for i := range 5000 {
			ask("guess", fmt.Sprintf("192.0.2.%d", i%4))
			ask("", "192.0.2.9")
		}
		for range mostListed + 5 {
			ask("v", "192.0.2.5") // refused, for it is only a viewer's
		}
		if status := ask("e", "192.0.2.6"); status != http.StatusForbidden {
			t.Errorf("one caller's refusals spend another one's budget: %d", status)
		}
		ctx, done := b.t.Context(), make(chan struct{})
		go func() { b.audit.sumLoop(ctx); close(done) }()
		time.Sleep(sumEvery + time.Second)
		lines := b.audited()
		story := strings.Join(lines, "\n")
		if want := mostListed + 3; len(lines) != want {
			t.Errorf("%d acts are in the audit, want %d:\n%s", len(lines), want, story)
		}
		for _, want := range []string{
			"ed: refused PUT /v1/halt: needs role operator",
			"anybody: refused 10000 without a valid token from 5 addresses (192.0.2.0, 192.0.2.1, 192.0.2.2, …)",
			"vi: refused 5 more, which are not listed",
		} {
			if !strings.Contains(story, want) {
				t.Errorf("the audit does not say %q:\n%s", want, story)
			}
		}
		time.Sleep(10 * sumEvery)
		if more := len(b.audited()); more != len(lines) {
			t.Errorf("%d acts are written of nothing", more-len(lines))
		}
	})
}

// A public provider of identities signs a token for anybody, under any name.
func TestWhoseTokenGivesNoRolePushesNothingOutOfTheAudit(t *testing.T) {
	var r refusals
	listed := 0
	for i := range 5000 {
		if r.lists(caller{name: fmt.Sprintf("repo:somebody/%d", i)}) {
			listed++
		}
	}
	if listed != mostListed {
		t.Errorf("%d refusals without a role are listed, want %d", listed, mostListed)
	}
	if !r.lists(caller{name: "vi", role: config.Viewer}) {
		t.Error("they spend the budget of a caller with a role")
	}
	acts := r.sum(time.Now())
	if len(acts) != 1 || acts[0].By != noRole || acts[0].What != "refused 4980 more, which are not listed" {
		t.Errorf("what was not listed is told as %+v", acts)
	}
}

// PostgreSQL takes no text with a zero byte, and what it does not take is in no audit.
func TestNoNameAndNoPathKeepsAnActOutOfTheAudit(t *testing.T) {
	b := newBench(t)
	who := personOf(map[string]any{"preferred_username": "ann\x00\x1b[2J" + strings.Repeat("x", 1<<16)}, "17")
	b.audit.acted(t.Context(), who.name, "refused GET /v1/\x00")
	b.audit.acted(t.Context(), personOf(nil, "\x00").name, "halted")
	for _, line := range b.audited() {
		if strings.ContainsFunc(line, unicode.IsControl) || len(line) > 1000 {
			t.Errorf("%d bytes are written: %q", len(line), line[:min(len(line), 100)])
		}
	}
}

// Whoever fills the table of rates with addresses resets no caller's.
func TestStrangersDoNotResetTheRateOfCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.settings.Live().Tokens = []config.Token{{Name: "vi", Role: "viewer", Hash: apitest.HashOf("v")}}
		h := b.Handler()
		for range ratePerSecond {
			apitest.Call(h, "GET", "/v1/halt", "", apitest.Bearer("v"))
		}
		for i := range mostBuckets + 1 {
			apitest.Call(h, "GET", "/healthz", "", func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("[2001:db8::%x]:1", i) })
		}
		if status, _ := apitest.Call(h, "GET", "/v1/halt", "", apitest.Bearer("v")); status != http.StatusTooManyRequests {
			t.Errorf("a caller beyond its rate: %d", status)
		}
	})
}
