package report

import (
	"io"
	"time"
)

// NewLive is the live view of a terminal of that size.
func NewLive(w io.Writer, columns, rows int, colour bool) View {
	return newLive(w, func() (int, int) { return columns, rows }, colour, time.Now)
}
