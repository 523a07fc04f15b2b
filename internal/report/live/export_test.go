package live

import (
	"io"
	"time"
)

// NewTerminal is the live view of a terminal of that size.
func NewTerminal(w io.Writer, columns, rows int, colour bool) View {
	return newTerminal(w, func() (int, int) { return columns, rows }, colour, false, time.Now)
}

// NewPassingTerminal is one of which nothing is left in the end.
func NewPassingTerminal(w io.Writer, columns, rows int) View {
	return newTerminal(w, func() (int, int) { return columns, rows }, false, true, time.Now)
}
