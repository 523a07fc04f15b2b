package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mishap/internal/ledger"
)

// TestPicturesOfTheDocumentation draws docs/console anew, into a folder that somebody names.
func TestPicturesOfTheDocumentation(t *testing.T) {
	dir := os.Getenv("MISHAP_PICTURES")
	if dir == "" {
		t.Skip("SKIPPED: the pictures of docs/console.md are drawn where $MISHAP_PICTURES says")
	}
	w := busy(t)
	monday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -(int(time.Now().UTC().Weekday())+6)%7)
	g := &w.settings.Live().Governor
	g.Window = json.RawMessage(`{"days": "Mon-Fri", "hours": "09:00-17:00", "timezone": "Europe/London"}`)
	g.Calendar = json.RawMessage(fmt.Sprintf(`{"dates": ["%s..%s"], "timezone": "Europe/London"}`, monday.AddDate(0, 0, 10).Format(time.DateOnly), monday.AddDate(0, 0, 11).Format(time.DateOnly)))
	halted := monday.Add(11 * time.Hour)
	if err := w.book.Halt(t.Context(), ledger.Halt{By: "alice", Reason: "incident 4711", At: halted}); err != nil {
		t.Fatal(err)
	}
	if err := w.book.Resume(t.Context(), "alice", "", halted.Add(4*time.Hour)); err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t)
	b.signIn(w, "operator")
	for _, p := range []struct {
		name, path, scheme string
		width, height      int
	}{
		{"now", "/", "light", 1280, 940},
		{"experiments", "/experiments", "dark", 1280, 700},
		{"calendar", "/calendar", "light", 1280, 640},
		{"coverage", "/coverage", "light", 1280, 740},
		{"file", "/runs/0af1/file", "light", 1280, 620},
		{"phone", "/", "light", 390, 844},
	} {
		b.as(p.width, p.scheme, true)
		b.run(chromedp.Navigate(w.url+p.path), chromedp.WaitReady("footer", chromedp.ByQuery))
		var png []byte
		b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
			png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: float64(p.width), Height: float64(p.height), Scale: 1}).Do(ctx)
			return err
		}))
		if err := os.WriteFile(filepath.Join(dir, p.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
