package words

import "mishap"

// Sign is how something ended, or how it stands, at a glance: by a sign that is not a
// colour, wherever it is shown.
type Sign struct {
	Class string // what pages colour it by
	Sign  string // beside the word
	Emoji string // the same where text has no colours, such as Markdown
}

// SignOf is the sign of an outcome, a state, or of what did not come to either. What
// goes on has that of going on.
func SignOf(word string) Sign {
	switch word {
	case string(mishap.Held):
		return Sign{"held", "✓", "✅"}
	case string(mishap.Deviated):
		return Sign{"deviated", "✗", "❌"}
	case string(mishap.Inconclusive), "interrupted":
		return Sign{"inconclusive", "?", "❔"}
	case string(mishap.Refused), "missed", "would not run":
		return Sign{"refused", "–", "➖"}
	case string(mishap.Stranded), "failed":
		return Sign{"stranded", "!", "❗"}
	case "due", "not run":
		return Sign{"due", "○", "⚪"}
	}
	return Sign{"going", "…", "⏳"}
}

// Standing is the verdict of a run, or the state that it is in without one. One that was
// due while nobody served was missed: nothing has refused it.
func Standing(verdict mishap.Verdict, state mishap.State, cause mishap.Cause) string {
	switch {
	case verdict != mishap.NoVerdict:
		return string(verdict)
	case state == mishap.Refused && cause == mishap.CauseMissed:
		return string(cause)
	}
	return string(state)
}

// StandingOf is the [Standing] of a run.
func StandingOf(r *mishap.Run) string {
	verdict, _ := mishap.Judge(r)
	return Standing(verdict, r.State, r.Cause)
}
