package console

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

//go:embed pages
var pageFiles embed.FS

// newTemplates are the pages.
func newTemplates(assets map[string]string) *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return assets[name] },
		"ago":   ago, "iso": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"moment": words.Moment, "clock": words.Clock, "plural": func(n int, noun string) string { return mishap.Plural(n, noun) },
		"standing": standing, "begun": begun, "strip": strip, "clean": words.Clean, "sentence": words.Sentence, "path": path, "link": with, "seen": seen,
		"fault": faultState, "date": func(layout string, t time.Time) string { return t.UTC().Format(layout) },
		"next":     func(i int) int { return i + 1 },
		"args":     func(all ...any) []any { return all },
		"problems": words.WithoutExcerpts, "prose": prose, "stands": stands, "closes": closes,
		"grouped":   grouped,
		"begin":     func(text string) string { return strings.TrimSuffix(words.Sentence(text), ".") },
		"numeric":   func(head []string, i int) bool { return i > 0 && i < len(head)-1 }, // as at a terminal
		"thousands": thousands,
		"more":      func(all []string, shown int) int { return len(all) - shown },
	}).ParseFS(pageFiles, "pages/*.html")) // they are in the program
}

// frame is what every page has around its own.
type frame struct {
	Title    string
	At       string // the entry of the menu
	Here     string // the page's address, to come back to
	Who      api.Who
	SignedIn bool // and so may sign out
	Open     bool // nobody needs to sign in, and nobody may act
	CSRF     string
	Key      string // of what a form begins: sent twice, it begins one
	Halt     api.HaltView
	Now      api.Now
	Said     []string
	Bad      bool
	Version  string
	Data     any
	Content  template.HTML // of the page itself
	Live     bool          // the script asks anew, of a page that is open
	Follows  bool          // it may: the page is what its address answers
	Nonce    string
	Rules    template.CSS // with the nonce; the script sets them itself
}

// May reports whether whoever looks may do what needs a role: which buttons a page has.
// Whether an act is allowed the API decides.
func (f frame) May(needed string) bool {
	order := map[string]int{"viewer": 1, "operator": 2, "approver": 3, "admin": 4}
	return order[f.Who.Role] >= order[needed]
}

// blanks stand in pages that several people are shown, where what is of whoever looks
// goes: the token of their session, and a key of their own for what they begin.
type blanks struct{ csrf, key string }

// fill puts in what is of whoever looks.
func (b blanks) fill(content []byte, csrf, key string) []byte {
	content = bytes.ReplaceAll(content, []byte(b.csrf), []byte(csrf))
	return bytes.ReplaceAll(content, []byte(b.key), []byte(key))
}

// made is a page that is filled in, but for what is around it.
type made struct {
	shown
	content []byte
	rules   string // of where something stands in its pictures
}

// show fills a page in for whoever visits.
func (v *visit) show(p shown) { v.c.writePage(v.w, v.r, p, v) }

// writePage fills a page in that nobody else is shown; visit is nil for a stranger.
func (c *Console) writePage(w http.ResponseWriter, r *http.Request, p shown, v *visit) {
	f := frame{Here: local(r.URL.RequestURI()), Now: api.Now{At: time.Now().UTC()}}
	if v != nil {
		var err error
		if f, err = v.frame(); err != nil {
			p = shown{template: "sorry", title: "The server does not answer", status: http.StatusServiceUnavailable, data: err.Error()}
			f = frame{Here: local(r.URL.RequestURI()), Now: api.Now{At: time.Now().UTC()}}
		}
	}
	m, err := c.fill(p, f)
	if err != nil {
		http.Error(w, "this page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	c.send(w, m, f)
}

// fill makes the page itself. What is of whoever looks is left blank.
func (c *Console) fill(p shown, f frame) (*made, error) {
	f.Title, f.At, f.Data, f.CSRF, f.Key = p.title, p.at, p.data, c.blanks.csrf, c.blanks.key
	var content bytes.Buffer
	if err := c.templates.ExecuteTemplate(&content, p.template, f); err != nil {
		c.o.Log.Error("show page", "page", p.template, "error", err)
		return nil, err
	}
	m := &made{shown: p}
	m.content, m.rules = placed(content.Bytes())
	return m, nil
}

// send writes a page and what is around it.
func (c *Console) send(w http.ResponseWriter, m *made, f frame) {
	f.Title, f.At, f.Version, f.Nonce, f.Rules = m.title, m.at, c.o.Version, rand.Text(), template.CSS(m.rules)
	if f.Live {
		f.Rules = "" // the page that is open has another nonce
	}
	f.Content = template.HTML(c.blanks.fill(m.content, f.CSRF, rand.Text()))
	var page bytes.Buffer
	if err := c.templates.ExecuteTemplate(&page, "page", f); err != nil {
		c.o.Log.Error("show page", "page", m.template, "error", err)
		http.Error(w, "this page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(f.Nonce))
	if m.status != 0 {
		w.WriteHeader(m.status)
	}
	_, _ = w.Write(page.Bytes())
}

// frame asks for what is around every page, once: what an act came to is told once.
func (v *visit) frame() (frame, error) {
	if v.framed != nil {
		return *v.framed, nil
	}
	f := frame{Here: local(v.r.URL.RequestURI()), Open: !v.c.o.NeedsSignIn(), Live: v.r.Header.Get("X-Requested-With") == "live", Follows: v.r.Method == http.MethodGet}
	if v.session != nil {
		f.SignedIn, f.CSRF = true, v.session.csrf
	}
	for path, to := range map[string]any{"/v1/me": &f.Who, "/v1/halt": &f.Halt} {
		if err := v.get(path, to); err != nil {
			return f, err
		}
	}
	var err error
	if f.Now, err = v.goingOn(); err != nil {
		return f, err
	}
	if v.session != nil && !f.Live {
		f.Said, f.Bad = v.c.sessions.told(v.name)
	}
	v.framed = &f
	return f, nil
}

// goingOn is what goes on. Who was told who they are may know it.
func (v *visit) goingOn() (api.Now, error) {
	now, err := v.c.going.get("", time.Now(), func() (*api.Now, error) {
		now := new(api.Now)
		return now, v.get("/v1/now", now)
	})
	if err != nil {
		return api.Now{}, err
	}
	return *now, nil
}

// where is how a picture says where something stands: a style of one element, which
// the policy of the console's pages does not let in. It becomes a rule of a style that
// has the page's nonce.
var where = regexp.MustCompile(` style="(left|right|top):(-?[0-9.]+)%"`)

// placed makes rules of what stands where in pictures.
func placed(page []byte) (_ []byte, rules string) {
	known := map[string]bool{}
	var sheet strings.Builder
	page = where.ReplaceAllFunc(page, func(m []byte) []byte {
		parts := where.FindSubmatch(m)
		side, at := string(parts[1]), string(parts[2])
		if key := side + at; !known[key] {
			known[key] = true
			fmt.Fprintf(&sheet, "span[data-%s=\"%s\"]{%s:%s%%}", side, at, side, at)
		}
		return fmt.Appendf(nil, ` data-%s="%s"`, side, at)
	})
	return page, sheet.String()
}

// quoted is what somebody would type elsewhere, in a sentence.
var quoted = regexp.MustCompile("`([^`]+)`")

// prose is a sentence of the program, where what it quotes looks like that.
func prose(text string) template.HTML {
	return template.HTML(quoted.ReplaceAllString(template.HTMLEscapeString(words.Clean(text)), "<code>$1</code>"))
}

// group is what a sheet says of one thing.
type group struct {
	Label string
	Texts []string
}

// grouped are fields by what they are about.
func grouped(fields []report.SheetField) (all []group) {
	for _, f := range fields {
		if f.Label != "" || len(all) == 0 {
			all = append(all, group{Label: f.Label})
		}
		all[len(all)-1].Texts = append(all[len(all)-1].Texts, f.Text)
	}
	return all
}

// unlocking is what lets an experiment run again where no page has a form for it.
var unlocking = regexp.MustCompile(" until `mishap unlock [^`]*`$")

// stands is why an experiment does not run now.
func stands(e api.OverviewRow) template.HTML { return prose(unlocking.ReplaceAllString(e.Stands, "")) }

// ago is how long ago something was, roughly.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	when := func(n int, unit string) string { return mishap.Plural(n, unit) + " ago" }
	switch {
	case t.IsZero():
		return "never"
	case d < -time.Minute:
		return "in " + words.Took((-d).Round(time.Second))
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return when(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return when(int(d.Hours()), "hour")
	}
	return when(int(d.Hours()/24), "day")
}

// mark is a verdict or a state at a glance: a word, and a sign that is not a colour.
type mark struct{ Class, Sign, Word string }

// markOf is the mark of a word.
func markOf(word string) mark {
	sign := words.SignOf(word)
	return mark{sign.Class, sign.Sign, word}
}

// standing is the mark of a run in a list.
func standing(r api.RunView) mark { return markOf(words.Standing(r.Verdict, r.State, r.Cause)) }

// faultState is the state of an injection as a person says it.
func faultState(s mishap.InjectionState) string {
	switch s {
	case mishap.InjectionPrepared:
		return "not yet injected"
	case mishap.InjectionInjected:
		return "in force"
	}
	return string(s)
}

// begun says who or what began a run of a list.
func begun(r api.RunView) string {
	switch {
	case r.By != "":
		return "by " + words.Clean(r.By)
	case r.Trigger == mishap.TriggerSchedule:
		return "on schedule"
	case r.Trigger == mishap.TriggerAPI:
		return "through the API"
	default:
		return "by hand"
	}
}

const (
	stripStep   = 14
	stripHeight = 18
)

// strip draws the latest runs, oldest first, each by a shape of its own: held is full,
// deviated a cross, inconclusive a ring, refused a dash, stranded an upright bar.
func strip(runs []api.RunView) template.HTML {
	counts, order := map[string]int{}, []string{}
	var b strings.Builder
	for i := range runs {
		m := standing(runs[len(runs)-1-i])
		if counts[m.Word]++; counts[m.Word] == 1 {
			order = append(order, m.Word)
		}
		x := i * stripStep
		shape := map[string]string{
			"held":         fmt.Sprintf("M%d 3h10v12h-10z", x+1),
			"deviated":     fmt.Sprintf("M%d 4l9 10m0-10l-9 10", x+1),
			"inconclusive": fmt.Sprintf("M%d 9a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0", x+1),
			"refused":      fmt.Sprintf("M%d 9h8", x+2),
			"stranded":     fmt.Sprintf("M%d 2v9m0 3v2", x+6),
			"going":        fmt.Sprintf("M%d 9h1m3 0h1m3 0h1", x+1),
		}[m.Class]
		fmt.Fprintf(&b, `<path class="%s" d="%s"/>`, m.Class, shape)
	}
	if len(runs) == 0 {
		return `<span class="soft">no runs yet</span>`
	}
	var said []string
	for _, word := range order {
		said = append(said, fmt.Sprintf("%d %s", counts[word], word))
	}
	width := len(runs) * stripStep
	return template.HTML(fmt.Sprintf(`<svg class="strip" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="last %s: %s">%s</svg>`,
		width, stripHeight, width, stripHeight, mishap.Plural(len(runs), "run"), strings.Join(said, ", "), b.String())) // words and numbers of this program
}

// thousands is a count, whichever kind of whole number it is.
func thousands(n any) string {
	v := reflect.ValueOf(n)
	if v.CanUint() {
		return mishap.Thousands(int64(v.Uint()))
	}
	return mishap.Thousands(v.Int())
}
