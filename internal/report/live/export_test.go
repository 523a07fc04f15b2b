package live

import (
	"io"
	"time"
)

// NewTerminal is the live view of a terminal of that size.
func NewTerminal(w io.Writer, columns, rows int, colour bool) View {
	return newTerminal(w, func() (int, int) { return columns, rows }, colour, time.Now)
}
