package html_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"mishap/internal/report/html"
	"mishap/internal/report/reporttest"
)

// page is the report of a story as HTML.
func page(t *testing.T, s *reporttest.Story) string {
	t.Helper()
	var out bytes.Buffer
	if err := html.Run(&out, s.Entries, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// harmlessPage fails if a page fetches, runs or hides something.
func harmlessPage(t *testing.T, name, text string) {
	t.Helper()
	for _, never := range []string{"<script", "javascript:", "<iframe", "<img", "@import", "url(", "<b>", "http-equiv=\"refresh\""} {
		if strings.Contains(text, never) {
			t.Errorf("%s: the page has %q", name, never)
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "#") {
			if !strings.Contains(text, `id="`+m[1][1:]+`"`) {
				t.Errorf("%s: nothing on the page is %s", name, m[1])
			}
		} else if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("%s: the page refers to %.80s", name, m[1])
		}
	}
	if !strings.Contains(text, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`) {
		t.Errorf("%s: nothing forbids the page to fetch", name)
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control)) {
			t.Fatalf("%s: %U is in the page", name, r)
		}
	}
	before, rest, _ := strings.Cut(text, `href="data:application/gzip`) // in which any three letters may stand
	_, after, _ := strings.Cut(rest, `"`)
	text = before + after
	for _, never := range []string{"ZgotmplZ", "NaN", "+Inf", "-Inf"} {
		if strings.Contains(text, never) {
			t.Errorf("%s: the page says %s", name, never)
		}
	}
}
