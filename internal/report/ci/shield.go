package ci

import (
	"bytes"
	"io"
	"sync"
)

// mostLine is how many bytes of a line are kept until its end is known.
const mostLine = 64 << 10

// Shield keeps what a system under test says, and mishap repeats, from being a
// command to the host, which looks for them in all that a step writes: lines that
// begin with two colons, and ##[ anywhere. Whole lines pass, and the last one with
// [Shield.Flush]. The zero value of what it is of passes all on as it is.
type Shield struct {
	to     io.Writer
	format func() string

	mu     sync.Mutex
	line   []byte
	within bool // what is kept continues a line whose beginning has passed
}

// Shield is a writer to what the host reads. Format says what is written: text;
// json and journal, whose values stay exact; or something else, which is no line
// of a log, and is passed on as it is.
func (h Host) Shield(to io.Writer, format func() string) *Shield {
	if !h.notes {
		format = func() string { return "" }
	}
	return &Shield{to: to, format: format}
}

// Write passes lines on. It reports an error of the writer behind it as its own.
func (s *Shield) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.format() {
	case "text", "json", "journal":
	default:
		return s.to.Write(p)
	}
	s.line = append(s.line, p...)
	end := bytes.LastIndexByte(s.line, '\n') + 1
	if len(s.line) > mostLine {
		end = len(s.line)
	}
	if end == 0 {
		return len(p), nil
	}
	if err := s.pass(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on the beginning of a line that has no end yet.
func (s *Shield) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pass(len(s.line))
}

// pass writes so many bytes of what is kept.
func (s *Shield) pass(n int) error {
	if n == 0 {
		return nil
	}
	text := harmless(s.line[:n], s.within, s.format() != "text")
	s.within = s.line[n-1] != '\n'
	s.line = append([]byte(nil), s.line[n:]...)
	_, err := s.to.Write(text)
	return err
}

// harmless is a text in which no line is a command.
func harmless(text []byte, within, isJSON bool) []byte {
	if isJSON { // it can only stand in a string
		return bytes.ReplaceAll(text, []byte("##["), []byte(`\u0023#[`))
	}
	var out []byte
	for line := range bytes.Lines(text) {
		if rest := bytes.TrimSpace(line); !within && bytes.HasPrefix(rest, []byte("::")) {
			at := bytes.Index(line, rest)
			out = append(append(out, line[:at]...), '\\')
			line = line[at:]
		}
		within = false
		out = append(out, line...)
	}
	return bytes.ReplaceAll(out, []byte("##["), []byte(`#\#[`))
}
