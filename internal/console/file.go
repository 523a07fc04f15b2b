package console

import (
	"compress/gzip"
	"errors"
	"net/http"
	"strings"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// mostLines are shown of a file.
const mostLines = 5000

// filePage is an experiment's file as a commit has it.
type filePage struct {
	api.FileView
	Run     string // whose it is; empty: what is in force
	Lines   []string
	Further int // lines, for which there is no room

	InForce *api.FileView // beside that of a run; nil: nothing of that name is
	Differs []diffLine    // from what is in force
	TooFar  bool          // they differ in more than can be shown
}

// file is the file of an experiment in force.
func (v *visit) file() (shown, error) {
	name := v.r.PathValue("name")
	p := filePage{}
	if err := v.get(path("/v1/experiments", name, "file"), &p.FileView); err != nil {
		return shown{}, err
	}
	return p.shown(), nil
}

// fileOfRun is the file that a run was planned from, beside what is in force now.
func (v *visit) fileOfRun() (shown, error) {
	p := filePage{Run: v.r.PathValue("run")}
	if err := v.get(path("/v1/runs", p.Run, "file"), &p.FileView); err != nil {
		return shown{}, err
	}
	now := new(api.FileView)
	err := v.get(path("/v1/experiments", p.Experiment, "file"), now)
	var no *refusal
	switch {
	case errors.As(err, &no) && no.Status == http.StatusNotFound:
	case err != nil:
		return shown{}, err
	default:
		p.InForce = now
	}
	return p.shown(), nil
}

func (p filePage) shown() shown {
	p.Lines = lines(p.Text)
	if p.InForce != nil && p.Missing == "" && p.InForce.Missing == "" {
		p.Differs, p.TooFar = compare(p.Lines, lines(p.InForce.Text))
	}
	if len(p.Lines) > mostLines {
		p.Lines, p.Further = p.Lines[:mostLines], len(p.Lines)-mostLines
	}
	at := "experiments"
	if p.Run != "" {
		at = "runs"
	}
	return shown{template: "file", title: "File of " + words.Clean(p.Experiment), at: at, data: p}
}

// lines are those of a text, free of what would act on a page.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(cleanLines(text), "\n"), "\n")
}

// journal sends the whole journal of a run as a file that `mishap report` reads.
func (c *Console) journal(w http.ResponseWriter, r *http.Request) {
	v, ok := c.enter(w, r)
	if !ok {
		return
	}
	var entries []mishap.Entry
	if err := v.get(path("/v1/runs", r.PathValue("run"), "journal"), &entries); err != nil {
		v.sorry(err)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	z := gzip.NewWriter(w)
	if report.WriteJournal(z, entries) == nil {
		_ = z.Close() // or who asked is gone
	}
}
