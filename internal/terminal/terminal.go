// Package terminal says whether a person reads on a terminal what is written, and how
// much room there is for it. Whoever writes asks here, and nowhere else.
package terminal

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// What there is room for where nobody says so, and the widest lines that are written
// where there is more.
const (
	Columns = 80
	Rows    = 24
	Widest  = 160
)

const (
	leastColumns = 20 // less is no size that somebody reads
	leastRows    = 5
)

// Room is where something is written to.
type Room struct {
	Columns, Rows int
	Known         bool // a terminal or COLUMNS says how many columns there are
	Drawn         bool // it is a terminal that can be drawn on
}

// Folds is how many columns a sentence is folded to: those that are known; else 0, which
// is not at all, as in a pipe or a log: who reads there takes a line for a sentence.
func (r Room) Folds() int {
	if !r.Known {
		return 0
	}
	return r.Columns
}

// Of is the room that w has: that of its terminal; else as many columns as COLUMNS says;
// else 80, as if it were a terminal of 24 rows.
func Of(w io.Writer) Room { return of(w, os.Getenv) }

func of(w io.Writer, getenv func(string) string) Room {
	room := Room{Columns: Columns, Rows: Rows}
	if f, is := w.(*os.File); is && term.IsTerminal(int(f.Fd())) {
		kind := getenv("TERM")
		room.Drawn = kind != "" && kind != "dumb"
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns >= leastColumns && rows >= leastRows {
			room.Columns, room.Rows, room.Known = min(columns, Widest), rows, true
			return room
		}
	}
	if columns, err := strconv.Atoi(getenv("COLUMNS")); err == nil && columns >= leastColumns {
		room.Columns, room.Known = min(columns, Widest), true
	}
	return room
}
