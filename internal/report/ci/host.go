package ci

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mishap/experiments"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// Host is what builds, as its variables say. The zero value is none that is known.
type Host struct {
	notes     bool   // it takes workflow commands of GitHub Actions, as Gitea and Forgejo do too
	page      string // a file that Markdown is added to; empty: none
	workspace string // paths in notes are below it
}

// HostOf reads the variables that GitHub Actions and its like set.
func HostOf(getenv func(string) string) Host {
	if getenv("GITHUB_ACTIONS") != "true" {
		return Host{}
	}
	return Host{notes: true, page: getenv("GITHUB_STEP_SUMMARY"), workspace: getenv("GITHUB_WORKSPACE")}
}

// Known reports whether anything is said to the host.
func (h Host) Known() bool { return h.notes }

// Page adds the suite to the page of the build, if there is one.
func (h Host) Page(s report.Suite) error {
	if h.page == "" {
		return nil
	}
	f, err := os.OpenFile(h.page, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("write step summary: %w", err)
	}
	if err := errors.Join(Markdown(f, s), f.Close()); err != nil {
		return fmt.Errorf("write step summary: %w", err)
	}
	return nil
}

// Notes writes a note for each run that was not held, at the claim of its file.
func (h Host) Notes(w io.Writer, s report.Suite) error {
	if !h.notes {
		return nil
	}
	for _, r := range rows(s) {
		level := "notice"
		switch {
		case r.red:
			level = "error"
		case r.word == "held":
			continue
		}
		if err := h.note(w, level, r.file, claimOf(r.file), 0, r.name+": "+r.word, words.Joined("; ", r.why, "run "+r.run)); err != nil {
			return err
		}
	}
	return nil
}

// Problems writes a note for each problem, where it is.
func (h Host) Problems(w io.Writer, level string, all experiments.Problems) error {
	if !h.notes {
		return nil
	}
	for _, p := range all {
		if err := h.note(w, level, p.File, p.Line, p.Column, "invalid experiment", words.Clean(words.Joined(" – ", p.Msg, p.Hint))); err != nil {
			return err
		}
	}
	return nil
}

// note writes one workflow command. Nothing in what it is filled with ends it or
// begins another.
func (h Host) note(w io.Writer, level, file string, line, column int, title, text string) error {
	var where []string
	if file != "" {
		where = append(where, "file="+property(words.Clean(h.below(file))))
		if line > 0 {
			where = append(where, fmt.Sprintf("line=%d", line))
		}
		if column > 0 {
			where = append(where, fmt.Sprintf("col=%d", column))
		}
	}
	where = append(where, "title="+property(words.Clean(title)))
	_, err := fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(where, ","), data(words.Clean(text)))
	return err
}

// below is the path of a file in the workspace, where it is in it.
func (h Host) below(file string) string {
	absolute, err := filepath.Abs(file)
	if err != nil || h.workspace == "" {
		return file
	}
	relative, err := filepath.Rel(h.workspace, absolute)
	if err != nil || !filepath.IsLocal(relative) {
		return file
	}
	return filepath.ToSlash(relative)
}

// claimOf is the line of a file that states the claim: 1 if none does, and 0 if
// the file is not here.
func claimOf(file string) int {
	const longest = 1 << 20 // of an experiment file
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, longest))
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "claim:") {
			return n
		}
	}
	return 1
}

// data and property escape what stands in a workflow command.
func data(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(text))
}
