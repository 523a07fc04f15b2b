package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/spawn"
)

// programs decides which programs a merged file may start. It compares files and
// not names: what would be executed with what is listed.
type programs struct {
	path    string   // the PATH that names are looked for in
	sources []string // folders that whoever writes experiments writes as well
}

func (c *Catalog) programs(sources []config.Source) programs {
	p := programs{path: os.Getenv("PATH"), sources: []string{filepath.Join(c.settings.State, "sources")}}
	for _, s := range sources {
		if s.Folder != "" {
			p.sources = append(p.sources, checkout(s.Folder))
		}
	}
	for _, folder := range p.sources {
		if real, err := filepath.EvalSymlinks(folder); err == nil {
			p.sources = append(p.sources, real)
		}
	}
	return p
}

// forbids says which entry of the list would allow a command, or why none would;
// both are empty if it is allowed.
func (p programs) forbids(c mishap.Command, listed []string) (entry, why string) {
	if c.Shell != "" {
		if slices.Contains(listed, c.Shell) {
			return "", p.elsewhere(c)
		}
		return c.Shell, ""
	}
	asked := p.meant(c.Program, c.Dir)
	for _, one := range listed {
		if asked.is(p.meant(one, "")) {
			return "", p.changed(asked)
		}
	}
	if strings.ContainsRune(c.Program, filepath.Separator) {
		return asked.path, ""
	}
	return c.Program, ""
}

// program is what a name means.
type program struct {
	path string // as it would be executed; the name alone if there is no such program
	real string // where that ends, links resolved; empty if nowhere
}

func (p programs) meant(name, dir string) program {
	path, err := spawn.Find(name, dir, p.path)
	if err != nil {
		if path = name; strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
			path = filepath.Join(dir, name)
		}
		return program{path: filepath.Clean(path)}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return program{path: path}
	}
	return program{path, real}
}

// is tells whether both are one program. A file that is several programs, such as
// busybox, is told by the name that it is called by.
func (p program) is(listed program) bool {
	return p.path == listed.path || p.real != "" && p.real == listed.real && filepath.Base(p.path) == filepath.Base(listed.path)
}

// elsewhere says why a listed text of a shell may mean something else than it did
// to who listed it: its relative names are meant in the folder that it runs in, and
// it begins with a program, as a command without a shell does.
func (p programs) elsewhere(c mishap.Command) (why string) {
	if c.Dir != "" {
		if who := p.changeable(absolute(c.Dir)); who != "" {
			return fmt.Sprintf("%q is listed, but not for the folder %s: %s", c.Shell, c.Dir, who)
		}
	}
	if words := strings.Fields(c.Shell); len(words) > 0 {
		return p.changed(p.meant(words[0], c.Dir))
	}
	return ""
}

// changed says who could put another program in the place of a listed one, or one
// where none is yet.
func (p programs) changed(asked program) (why string) {
	if !filepath.IsAbs(asked.path) {
		return "" // a name that PATH does not find: there is nothing that could be started, and the run says so
	}
	if who := p.changeable(asked.path); who != "" {
		return asked.path + " is listed, but " + who
	}
	return ""
}

// changeable says who else than root and the server's user decides what an absolute
// path means: who writes a source, or a folder or a link on the way to it.
func (p programs) changeable(path string) (who string) {
	refuse := func(reason string) error {
		who = reason
		return fs.ErrPermission
	}
	open := "" // the last place, if it is a folder that others can make files in
	_, err := spawn.Follow(path, func(at string, info fs.FileInfo) error {
		if open = ""; info.IsDir() && info.Mode().Perm()&0o022 != 0 {
			open = at
		}
		if liesIn("/proc", at) {
			return refuse("its path leads through /proc, and means another file to the process that starts it")
		}
		if folder := p.inSource(at); folder != "" {
			return refuse("it lies in " + folder + ", which whoever writes experiments can change")
		}
		if others := spawn.OthersChange(at, info); others != "" {
			return refuse(others)
		}
		return nil
	})
	switch {
	case who != "":
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		who = "cannot be looked at: " + err.Error()
	case open != "" && err != nil:
		who = "is not there, and others can make it in " + open
	case open != "":
		who = "others can make files in " + open
	}
	return who
}

// led says that a listed file lies elsewhere by its name, but is reached through
// what whoever writes experiments can change.
func (p programs) led(path string) (why string) {
	if p.inSource(path) != "" {
		return "" // it is opened there, and does not lead out
	}
	_, _ = spawn.Follow(path, func(at string, _ fs.FileInfo) error {
		if folder := p.inSource(at); folder != "" {
			why = fmt.Sprintf("%s is listed, but leads through %s, which whoever writes experiments can change", path, folder)
			return fs.ErrPermission
		}
		return nil
	})
	return why // a file that is not there yet is no use to anybody
}

// inSource is the folder of a source that a path lies in.
func (p programs) inSource(path string) string {
	for _, folder := range p.sources {
		if liesIn(folder, path) {
			return folder
		}
	}
	return ""
}

// liesIn tells whether a place is a folder or in it.
func liesIn(folder, at string) bool {
	inside, err := filepath.Rel(folder, at)
	return err == nil && filepath.IsLocal(inside)
}
