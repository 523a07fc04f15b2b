package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"

	"mishap"
)

// maxJournal is the largest journal that is read, in bytes.
const maxJournal = 64 << 20

// WriteJournal writes a journal, one entry per line. Undo never leaves the
// ledger, so it is left out should an entry hold it.
func WriteJournal(w io.Writer, entries []mishap.Entry) error {
	out := bufio.NewWriter(w)
	for _, e := range entries {
		if err := encodeLine(out, WithoutUndo(e)); err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// WithoutUndo is the entry as it may leave the ledger.
func WithoutUndo(e mishap.Entry) mishap.Entry {
	if e.Injection != nil && e.Injection.Injection != nil {
		change, in := *e.Injection, *e.Injection.Injection
		in.Undo = nil
		change.Injection, e.Injection = &in, &change
	}
	return e
}

// ReadJournal reads what [WriteJournal] wrote: entries of one run, of at most
// 64 MiB. Errors name the line. Whether the entries make sense together,
// [mishap.Replay] says.
func ReadJournal(r io.Reader) ([]mishap.Entry, error) {
	limited := &io.LimitedReader{R: r, N: maxJournal + 1}
	lines := bufio.NewReader(limited)
	var entries []mishap.Entry
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("read journal: it is longer than %d MiB", maxJournal>>20)
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read journal: line %d: %w", n, err)
		case err != nil && len(line) == 0 && len(entries) == 0:
			return nil, errors.New("read journal: it has no entries")
		case err != nil && len(line) == 0:
			return entries, nil
		}
		e, err := decodeEntry(line)
		if err == nil && len(entries) > 0 && e.Run != entries[0].Run {
			err = fmt.Errorf("it belongs to run %q, the lines before to run %q; a journal is of one run", e.Run, entries[0].Run)
		}
		if err != nil {
			return nil, fmt.Errorf("read journal: line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
}

// decodeEntry reads exactly one entry.
func decodeEntry(line []byte) (mishap.Entry, error) {
	var e mishap.Entry
	if len(bytes.TrimSpace(line)) == 0 {
		return e, errors.New("it is empty; a journal has one entry per line")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	switch err := mishap.DecodeWhole(decoder, &e); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return e, errors.New("the entry is cut off")
	case errors.Is(err, mishap.ErrMore):
		return e, errors.New("there is more after the entry; a journal has one entry per line")
	case err != nil:
		return e, err
	}
	if e.Run == "" {
		return e, errors.New("it names no run")
	}
	return e, nil
}

// encodeLine writes v as JSON on one line. Letters that act on a terminal are
// escaped, because lines are also looked at; "<" is not, for the same reason.
// So is what stands for a broken letter, as it is where the letter was broken:
// what was read back is written the same again.
func encodeLine(w io.Writer, v any) error {
	var plain, safe bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	for _, r := range plain.String() {
		if r != '\n' && r <= 0xffff && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar) {
			fmt.Fprintf(&safe, `\u%04x`, r) // such letters stand only inside of strings
		} else {
			safe.WriteRune(r)
		}
	}
	_, err := w.Write(safe.Bytes())
	return err
}
