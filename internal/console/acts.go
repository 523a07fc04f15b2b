package console

import (
	"fmt"
	"net/http"
	"strings"

	"mishap"
	"mishap/internal/api"
)

// because is the reason that a form gives.
func (v *visit) because() api.Because {
	return api.Because{Reason: strings.TrimSpace(v.r.PostFormValue("reason"))}
}

// needsReason is what the API would say of a form without one.
func needsReason(b api.Because) error {
	if b.Reason == "" {
		return &refusal{Status: http.StatusUnprocessableEntity, Detail: "Nothing was done: say why, for the journal and the audit."}
	}
	return nil
}

func (v *visit) halt() (shown, error) {
	return shown{template: "halt", title: "Halt", at: "halt"}, nil
}

func (v *visit) doHalt() (outcome, error) {
	out, why := outcome{to: "/halt"}, v.because()
	if err := needsReason(why); err != nil {
		return out, err
	}
	var h api.HaltView
	if err := v.ask(http.MethodPut, "/v1/halt", why, &h); err != nil {
		return out, err
	}
	said := "Halted. There was no run to stop; none starts until somebody resumes."
	if n := len(h.Stopped); n > 0 {
		said = fmt.Sprintf("Halted. %s told to stop: %s.", mishap.Plural(n, "run"), strings.Join(h.Stopped, ", "))
		if len(h.Late) == 0 {
			said += " Each has begun to revert."
		}
	}
	out.lines = []string{said}
	for _, server := range h.Servers {
		out.lines = append(out.lines, server+" has seen it.")
	}
	if len(h.Late) > 0 {
		out.bad = true
		out.lines = append(out.lines, "Not all confirmed within 10 s: "+strings.Join(h.Late, "; ")+". End a process that does not answer: its keeper reverts.")
	}
	return out, nil
}

func (v *visit) doResume() (outcome, error) {
	out := outcome{to: "/", lines: []string{"Resumed. Runs may start again."}}
	return out, v.ask(http.MethodDelete, "/v1/halt", nil, nil)
}

func (v *visit) doAbort() (outcome, error) {
	run, why := v.r.PathValue("run"), v.because()
	out := outcome{to: back(v.r, "/")}
	if err := needsReason(why); err != nil {
		return out, err
	}
	var got api.StartAnswer
	if err := v.ask(http.MethodPost, path("/v1/runs", run, "abort"), why, &got); err != nil {
		return out, err
	}
	out.lines = []string{fmt.Sprintf("Run %s was asked to stop, and reverts: %s.", got.Run, got.Server)}
	return out, nil
}

// back is the page that a form came from, which it says itself.
func back(r *http.Request, or string) string {
	if next := r.PostFormValue("back"); next != "" {
		return local(next)
	}
	return or
}
