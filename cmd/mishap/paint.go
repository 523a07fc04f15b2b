package main

import (
	"bytes"
	"io"
	"os"
	"regexp"

	"mishap/internal/terminal"
)

// painted is w, with what decides in colours if it is a terminal and nobody set
// NO_COLOR.
func painted(w io.Writer) io.Writer {
	if !terminal.Of(w).Drawn || os.Getenv("NO_COLOR") != "" {
		return w
	}
	return painter{w}
}

// painter gives colours to the words that say how something is: at the beginning of
// a line, or alone in the cell of a table. It comes behind what takes the escape
// sequences of others away.
type painter struct{ to io.Writer }

// paints are the words of each colour.
func paints() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"\x1b[1;32m": regexp.MustCompile(`(?m)(^HELD\b|(?:^|  )held(?:  |$))`),
		"\x1b[1;31m": regexp.MustCompile(`(?m)(^ *(?:DEVIATED|STRANDED|STILL IN(?: FORCE)?|LOCKED|BROKEN)\b|(?:^|  )(?:deviated|stranded)(?:  |$))`),
		"\x1b[1;33m": regexp.MustCompile(`(?m)(^(?:INCONCLUSIVE|REFUSED|NO VERDICT|WAITING)\b|(?:^|  )(?:inconclusive|refused)(?:  |$))`),
		"\x1b[1m":    regexp.MustCompile(`(?m)(^(?:hint|next):)`),
	}
}

// Write writes all of p, or says that nothing was written.
func (w painter) Write(p []byte) (int, error) {
	text := bytes.Clone(p)
	for colour, words := range paints() {
		text = words.ReplaceAll(text, []byte(colour+"$1\x1b[0m"))
	}
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}
