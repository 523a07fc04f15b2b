// Package links is the rule for symbolic links among experiments, which folders
// on disk and commits of repositories share: what a link leads to lies in the same
// tree, or is refused. Whoever may put links among experiments must not make
// mishap read, and show, anything else.
package links

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Hint is what to do about a link that was refused.
const Hint = "a link among experiments stays within their folder; put the file itself there"

const (
	mostLinks = 40   // on the way to one file, as Linux has it
	mostBytes = 4096 // of where a link leads
)

// An Entry is what stands at one place of a tree. Of its type only the bits of
// [fs.ModeType] count.
type Entry struct {
	Type fs.FileMode
	To   string // of a link: where it leads, by its own word
}

// A Look finds the entry at a path with slashes, of which at most the last part
// is a link. What is not there is an [fs.ErrNotExist].
type Look func(path string) (Entry, error)

// Refused is a link that is not followed.
type Refused struct{ Why string }

// Error says why.
func (r *Refused) Error() string { return "a symbolic link that " + r.Why }

var (
	errOut     = &Refused{"leads out of the folder"}
	errNothing = &Refused{"leads to nothing"}
	errItself  = &Refused{"leads to itself"}
	errNoFile  = &Refused{"leads to no file"}
	errNowhere = &Refused{"leads nowhere"}
)

// Follow finds the regular file that a path in a tree means. The answer is a path
// without links; the error is [*Refused] if there is none by the rule.
func Follow(name string, look Look) (string, error) {
	at, links := "", 0
	todo := strings.Split(name, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "" {
				return "", errOut
			}
			if at = path.Dir(at); at == "." {
				at = ""
			}
			continue
		}
		here := path.Join(at, part)
		entry, err := look(here)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", errNothing
		case err != nil:
			return "", err
		case entry.Type.IsDir():
			at = here
		case entry.Type&fs.ModeSymlink != 0:
			if links++; links > mostLinks {
				return "", errItself
			}
			if todo, err = through(entry.To, todo); err != nil {
				return "", err
			}
		case entry.Type.IsRegular() && len(todo) == 0:
			return here, nil
		default:
			return "", errNoFile
		}
	}
	return "", errNoFile
}

// through is the way that is left behind a link.
func through(to string, todo []string) ([]string, error) {
	switch {
	case len(to) > mostBytes || to == "":
		return nil, errNowhere
	case strings.HasPrefix(to, "/"):
		return nil, errOut
	}
	return append(strings.Split(to, "/"), todo...), nil
}
