package yamltext

import "fmt"

// What is looked at before any parser sees a file: each word and sign costs a
// parser some hundred bytes, and each bracket that is open a call.
const (
	mostLines = 20_000
	mostSigns = 100_000 // that may be syntax
	mostOpen  = 1_000   // brackets at once
)

// Fits reports the first place at which a file is larger in lines, signs or open
// brackets than one that people write; nil if it is nowhere. It takes no memory,
// and is asked before the file is parsed.
func Fits(data []byte) *Problem {
	line, column, signs, open := 1, 0, 0, 0
	tooMany := func(n int, what string) *Problem {
		return &Problem{line, max(column, 1), fmt.Sprintf("file has more than %d %s", n, what), "is this the right file? Make several of it if so"}
	}
	for _, c := range data {
		column++
		switch c {
		case '\n', '\r':
			if c == '\n' {
				line, column = line+1, 0
			}
			signs++
		case '[', '{':
			signs, open = signs+1, open+1
		case ']', '}':
			signs, open = signs+1, max(open-1, 0)
		case ',', ':', '-', '?', '&', '*', '!', '|', '>', '#', '\'', '"', '%', '@', '`', '<', '=', '~':
			signs++
		}
		switch {
		case line > mostLines:
			return tooMany(mostLines, "lines")
		case signs > mostSigns:
			return tooMany(mostSigns, "signs that may be syntax")
		case open > mostOpen:
			return tooMany(mostOpen, "open brackets")
		}
	}
	return nil
}
