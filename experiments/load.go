package experiments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/links"
)

// Catalogs are the kinds that a file may name.
type Catalogs struct {
	Injectors  []mishap.InjectorKind
	Probes     []mishap.ProbeKind
	Safeguards []mishap.SafeguardKind
	Sources    []mishap.SourceKind
}

// Options are what files are checked against.
type Options struct {
	Catalogs
	Vars         map[string]string // override the variables of the files; one that no file declares is a problem
	Proxies      []string          // names of the proxies in the settings
	CheckProxies bool              // whether a fault on any other proxy is a problem
	LongestRun   time.Duration     // longest time that faults may be in; 0 means that it is not checked
	// Schedule checks the schedule of an experiment, of which all else is in
	// order. Problems are [*mishap.FieldError] and [*mishap.Warning] values, joined.
	// Nil checks nothing.
	Schedule func(mishap.Experiment) error
	// Compare does the same for what a comparison can tell of the experiment's faults.
	Compare func(mishap.Experiment) error
	// Environment names the file of values environments/NAME.yaml; empty: none.
	Environment string
	// Cache spares reading what did not change; nil reads everything. It is not
	// used together with an environment, whose files may change by themselves.
	Cache *Cache
	// Origin says where a file comes from, instead of asking git about the
	// folder that it lies in. Nil asks git.
	Origin func(file string) mishap.Source
	// Warn gets what keeps no experiment from running, in order; nil drops it. It
	// is not told again of files that the cache knows.
	Warn func(Problem)
	// AllowEmpty lets a folder hold no experiment.
	AllowEmpty bool

	overlays *overlays
}

// loaded is one file's experiment and where its name stands.
type loaded struct {
	experiment mishap.Experiment
	file       *file
	name       *node
	vars       []string // that it declares
	read       bool     // whether it could be read as YAML
}

// Load reads the experiments in paths: files, and folders, which are walked
// for *.yaml and *.yml in the order of their paths. The error is [Problems] if
// anything is wrong with any file; then no experiment is returned.
func Load(ctx context.Context, paths []string, o Options) ([]mishap.Experiment, error) {
	files, problems := find(paths, o.AllowEmpty)
	if o.Environment != "" {
		o.overlays, o.Cache = newOverlays(o.Environment), nil
	}
	all := make([]loaded, 0, len(files))
	for _, one := range files {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("load experiments: %w", err)
		}
		l := load(one, &o)
		problems = append(problems, l.file.problems...)
		all = append(all, l)
	}
	o.Cache.keep(files)
	problems = append(problems, o.overlays.problems()...)
	problems = append(problems, checkNames(all)...)
	problems = append(problems, checkGivenVars(o.Vars, all)...)
	o.tell(all)
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	out := make([]mishap.Experiment, len(all))
	for i, l := range all {
		out[i] = l.experiment
	}
	if o.Origin == nil {
		addProvenance(ctx, out)
		return out, nil
	}
	for i, e := range out {
		from := o.Origin(e.Source.File)
		from.Digest = e.Source.Digest
		if from.File == "" {
			from.File = e.Source.File
		}
		out[i].Source = from
	}
	return out, nil
}

// tell hands out the warnings of all files.
func (o *Options) tell(all []loaded) {
	if o.Warn == nil {
		return
	}
	var warnings Problems
	for _, l := range all {
		warnings = append(warnings, l.file.warnings...)
	}
	for _, w := range warnings.sorted() {
		o.Warn(w)
	}
}

// load reads one file.
func load(from found, o *Options) loaded {
	f := &file{path: from.path, tree: from.tree}
	l := loaded{file: f}
	data, ok := f.read()
	if !ok {
		return l
	}
	f.lines = splitLines(data)
	if known, ok := o.Cache.get(f, data); ok {
		return known
	}
	if !f.checkText(data) {
		return l
	}
	root := f.parse(data)
	if root == nil || root.shape == broken {
		return l
	}
	l.read = true
	if vars := root.get("vars"); vars != nil {
		for _, p := range vars.value.pairs {
			l.vars = append(l.vars, p.key)
		}
	}
	form, ok := f.decode(root, o)
	if p := root.get("name"); p != nil && p.value.shape == text {
		l.name = p.value
	}
	if !ok || len(f.problems) > 0 {
		return l
	}
	l.experiment = form.experiment()
	l.experiment.Claim = strings.Trim(l.experiment.Claim, " \t\n")
	digest, err := digest(l.experiment)
	if err != nil {
		f.add(0, 0, err.Error(), "")
	}
	l.experiment.Source = mishap.Source{File: from.path, Digest: digest}
	o.Cache.put(l, data)
	return l
}

// decode turns the tree into a form and checks it.
func (f *file) decode(root *node, o *Options) (*experimentForm, bool) {
	if root.shape != mapping {
		f.misfit(root, "a mapping of keys to values", reflect.ValueOf(experimentForm{}))
		return nil, false
	}
	if v := root.get("version"); v != nil && v.value.shape == number && v.value.value != fmt.Sprint(mishap.Version) {
		f.reject(v.value, fmt.Sprintf("version %s is not known", shorten(v.value.value)), fmt.Sprintf("this program reads version: %d", mishap.Version))
		return nil, false
	}
	f.replaceVars(root, f.overlaid(o, root.get("vars") != nil))
	form := &experimentForm{}
	f.fill(root, reflect.ValueOf(form).Elem())
	c := &checker{file: f, root: root, form: form, options: o}
	c.check()
	return form, true
}

// read returns the file's content; its size and kind are looked at before.
func (f *file) read() ([]byte, bool) {
	refuse := func(msg, hint string) ([]byte, bool) {
		f.add(0, 0, msg, hint)
		return nil, false
	}
	in, err := f.open()
	var link *links.Refused
	if errors.As(err, &link) {
		return refuse(link.Error()+" is not followed", links.Hint)
	}
	if err != nil {
		return refuse("cannot read file: "+reason(err), "")
	}
	defer in.Close()
	info, err := in.Stat()
	switch {
	case err != nil:
		return refuse("cannot read file: "+reason(err), "")
	case !info.Mode().IsRegular():
		return refuse("not a regular file", "give a YAML file, or a folder of them")
	case info.Size() > mostBytes:
		return refuse(tooLarge(info.Size()), "an experiment is a page of text; is this the right file?")
	}
	data, err := io.ReadAll(io.LimitReader(in, mostBytes+1))
	switch {
	case err != nil:
		return refuse("cannot read file: "+reason(err), "")
	case len(data) > mostBytes:
		return refuse(tooLarge(int64(len(data))), "an experiment is a page of text; is this the right file?")
	}
	return data, true
}

func tooLarge(size int64) string {
	return fmt.Sprintf("file is larger than 1 MiB (%d bytes)", size)
}

// reason returns what is wrong without the path, which stands before it.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

// checkNames reports experiments with the name of another one.
func checkNames(all []loaded) Problems {
	var problems Problems
	first := map[string]loaded{}
	for _, l := range all {
		if l.name == nil {
			continue
		}
		other, twice := first[l.name.value]
		if !twice {
			first[l.name.value] = l
			continue
		}
		before := len(l.file.problems)
		l.file.add(l.name.line, l.name.column,
			fmt.Sprintf("there are two experiments named %q; the first is %s:%d", shorten(l.name.value), other.file.path, other.name.line),
			"give each experiment a name of its own")
		problems = append(problems, l.file.problems[before:]...)
	}
	return problems
}

// digest identifies what an experiment says, wherever its file is.
func digest(e mishap.Experiment) (string, error) {
	e.Source = mishap.Source{}
	data, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("compute digest: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// found is a file to read.
type found struct {
	path string
	tree string // folder that it was found in, which no link leads out of; empty: it was named itself
}

// find returns the files in paths in order, each once.
func find(paths []string, allowEmpty bool) ([]found, Problems) {
	var files []found
	var problems Problems
	seen := map[string]bool{}
	for _, path := range paths {
		some, problem := findIn(path, allowEmpty)
		if problem != nil {
			problems = append(problems, *problem)
		}
		for _, f := range some {
			key := f.path
			if abs, err := filepath.Abs(f.path); err == nil {
				key = abs
			}
			if !seen[key] {
				seen[key] = true
				files = append(files, f)
			}
		}
	}
	if len(paths) == 0 {
		problems = append(problems, Problem{Msg: "no experiment file was given", Hint: "name a YAML file, or a folder of them"})
	}
	return files, problems
}

// findIn returns path, or the experiment files below it if it is a folder.
func findIn(path string, allowEmpty bool) ([]found, *Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Problem{File: path, Msg: "cannot read file: " + reason(err)}
	}
	if !info.IsDir() {
		return []found{{path: path}}, nil
	}
	var files []found
	// The slash makes a link to a folder a folder.
	err = filepath.WalkDir(strings.TrimSuffix(path, "/")+"/", func(at string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(name, ".") || name == environmentsFolder) && filepath.Clean(at) != filepath.Clean(path):
			return filepath.SkipDir
		case entry.IsDir() || settingsFile(name):
		case strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml"):
			files = append(files, found{path: filepath.Clean(at), tree: filepath.Clean(path)})
		}
		return nil
	})
	if err != nil {
		return nil, &Problem{File: path, Msg: "cannot read folder: " + err.Error()}
	}
	if len(files) == 0 && !allowEmpty {
		return nil, &Problem{File: path, Msg: "folder holds no experiment", Hint: "experiments are files that end with .yaml or .yml; `mishap init` makes one to start from"}
	}
	slices.SortFunc(files, func(a, b found) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// settingsFile reports whether the name is that of settings, which may lie
// beside experiments.
func settingsFile(name string) bool {
	return name == "mishap.yaml" || name == ".mishap.yaml"
}
