package experiments

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"mishap"
)

// environmentsFolder holds one file of values per environment, such as
// environments/prod.yaml, beside or above the experiments that use them.
const environmentsFolder = "environments"

// overlays are the values of one environment, by the folder of an experiment.
type overlays struct {
	name    string
	folders map[string]*overlay
	files   map[string]*overlay // by path, so that each is read once
}

// overlay is one file of values.
type overlay struct {
	path     string
	values   map[string]string
	problems Problems
}

func newOverlays(name string) *overlays {
	return &overlays{name: name, folders: map[string]*overlay{}, files: map[string]*overlay{}}
}

// of finds the nearest file of the environment at or above a folder; nil if
// there is none. It does not leave the git repository that the folder is in.
func (o *overlays) of(folder string) *overlay {
	if found, known := o.folders[folder]; known {
		return found
	}
	path := filepath.Join(folder, environmentsFolder, o.name+".yaml")
	var found *overlay
	if _, err := os.Stat(path); err == nil {
		found = o.read(path, folder)
	} else if parent := filepath.Dir(folder); parent != folder && !isRepository(folder) {
		found = o.of(parent)
	}
	o.folders[folder] = found
	return found
}

func isRepository(folder string) bool {
	_, err := os.Lstat(filepath.Join(folder, ".git"))
	return err == nil
}

func (o *overlays) read(path, tree string) *overlay {
	if known := o.files[path]; known != nil {
		return known
	}
	f := &file{path: path, tree: tree}
	found := &overlay{path: path, values: map[string]string{}}
	o.files[path] = found
	data, ok := f.read()
	if ok {
		f.lines = splitLines(data)
		ok = f.checkText(data)
	}
	if ok {
		if root := f.parse(data); root != nil && root.shape != broken {
			f.fill(root, reflect.ValueOf(&found.values).Elem())
		}
	}
	found.problems = f.problems
	return found
}

// overlaid returns the values that one file gets from outside: those of the
// environment, and over them those that were given by name.
func (f *file) overlaid(o *Options, declaresAny bool) map[string]string {
	if o.overlays == nil || !declaresAny {
		return o.Vars
	}
	folder, err := filepath.Abs(filepath.Dir(f.path))
	if err != nil {
		folder = filepath.Dir(f.path)
	}
	found := o.overlays.of(folder)
	if found == nil {
		f.add(0, 0, fmt.Sprintf("there is no %s/%s.yaml beside or above it", environmentsFolder, o.overlays.name),
			environmentHint(o.overlays.name, folder))
		return o.Vars
	}
	merged := maps.Clone(found.values)
	maps.Copy(merged, o.Vars)
	return merged
}

// environmentHint names the environment that is nearest to one that there is not.
func environmentHint(name, folder string) string {
	var names []string
	for {
		files, _ := filepath.Glob(filepath.Join(folder, environmentsFolder, "*.yaml"))
		for _, path := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".yaml"))
		}
		parent := filepath.Dir(folder)
		if parent == folder || isRepository(folder) {
			break
		}
		folder = parent
	}
	if names == nil {
		return "write one that gives values to its vars, or choose another environment"
	}
	return mishap.Suggest(name, names)
}

// problems are those of the files of values themselves.
func (o *overlays) problems() (all Problems) {
	if o == nil {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(o.files)) {
		all = append(all, o.files[path].problems...)
	}
	return all
}
