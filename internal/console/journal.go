package console

import (
	"compress/gzip"
	"net/http"

	"mishap"
	"mishap/internal/report"
)

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
