package console

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/report/words"
)

// because is the reason that a form gives.
func (v *visit) because() api.Because {
	return api.Because{Reason: strings.TrimSpace(v.r.PostFormValue("reason"))}
}

// longestReason is that of the API, in characters.
const longestReason = 1000

// needsReason says what is wrong with the reason of a form.
func needsReason(b api.Because) error {
	n := utf8.RuneCountInString(b.Reason)
	switch {
	case n == 0:
		return &refusal{Status: http.StatusUnprocessableEntity, Detail: "Nothing was done: say why, for the journal and the audit."}
	case n > longestReason:
		return &refusal{Status: http.StatusUnprocessableEntity, Detail: fmt.Sprintf("Nothing was done: a reason has at most %s characters, and this one has %s.", count(fmt.Sprint(longestReason)), count(fmt.Sprint(n)))}
	}
	return nil
}

// shortened is a reason that the API takes: what stops everything is not refused for
// its length.
func shortened(b api.Because) (_ api.Because, cut bool) {
	all := []rune(b.Reason)
	if len(all) <= longestReason {
		return b, false
	}
	return api.Because{Reason: string(all[:longestReason-1]) + "…"}, true
}

func (v *visit) halt() (shown, error) {
	return shown{template: "halt", title: "Halt", at: "halt"}, nil
}

func (v *visit) doHalt() (outcome, error) {
	out := outcome{to: "/halt"}
	why, cut := shortened(v.because())
	if err := needsReason(why); err != nil {
		return out, err
	}
	var h, before api.HaltView
	if err := v.get("/v1/halt", &before); err != nil {
		before = api.HaltView{} // it is said, and no reason not to halt
	}
	if err := v.ask(http.MethodPut, "/v1/halt", why, &h); err != nil {
		return out, err
	}
	out.lines = haltSaid(h, before.Halted && h.At.Equal(before.At))
	if cut {
		out.lines = append(out.lines, "The reason was shortened to "+count(fmt.Sprint(longestReason))+" characters.")
	}
	for _, server := range h.Servers {
		out.lines = append(out.lines, server+" has seen it.")
	}
	if len(h.Late) > 0 {
		out.bad = true
		out.lines = append(out.lines, "Not all confirmed within 10 s: "+strings.Join(h.Late, "; ")+". End a process that does not answer: its keeper reverts.")
	}
	return out, nil
}

// haltSaid is what a halt came to, or that there was one already, which stays.
func haltSaid(h api.HaltView, already bool) []string {
	told := ""
	if n := len(h.Stopped); n > 0 {
		told = fmt.Sprintf("%s told to stop: %s.", mishap.Plural(n, "run"), strings.Join(h.Stopped, ", "))
		if len(h.Late) == 0 {
			told += " Each has begun to revert."
		}
	}
	switch {
	case already && told == "":
		return []string{fmt.Sprintf("%s had halted already, at %s. Your reason is in the audit.", h.By, words.Moment(h.At))}
	case already:
		return []string{fmt.Sprintf("%s had halted already, at %s. Your reason is in the audit.", h.By, words.Moment(h.At)), told}
	case told == "":
		return []string{"Halted. There was no run to stop; none starts until somebody resumes."}
	}
	return []string{"Halted. " + told}
}

func (v *visit) doResume() (outcome, error) {
	out := outcome{to: "/halt"}
	if v.r.PostFormValue("sure") == "" {
		return out, &refusal{Status: http.StatusUnprocessableEntity, Detail: "Nothing was resumed: tick that you are sure."}
	}
	if err := v.ask(http.MethodDelete, "/v1/halt", nil, nil); err != nil {
		return out, err
	}
	return outcome{to: "/", lines: []string{"Resumed. Runs may start again."}}, nil
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
