package experiments

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/spawn"
)

// longestGit is how long one call of git may take.
const longestGit = 10 * time.Second

// mostPathspecs is how many files git is asked about by name; beyond it, the
// folder that holds them all is asked about.
const mostPathspecs = 50

// workTree is a git repository that holds experiments.
type workTree struct {
	root    string         // real path
	members map[int]string // index of the experiment → path inside the work tree, with slashes
}

// addProvenance says for each experiment which commit it is from. What git
// does not know stays empty: no git, no repository, no commit.
func addProvenance(ctx context.Context, all []mishap.Experiment) {
	git, err := exec.LookPath("git")
	if err != nil {
		return
	}
	for _, tree := range workTrees(all) {
		tree.describe(ctx, git, all)
	}
}

// workTrees finds the repositories without asking git about each file.
func workTrees(all []mishap.Experiment) map[string]*workTree {
	trees, roots, reals := map[string]*workTree{}, map[string]string{}, map[string]string{}
	for i, e := range all {
		file := realFile(e.Source.File, reals)
		root := rootOf(filepath.Dir(file), roots)
		if root == "" {
			continue
		}
		inside, err := filepath.Rel(root, file)
		if err != nil {
			continue
		}
		if trees[root] == nil {
			trees[root] = &workTree{root: root, members: map[int]string{}}
		}
		trees[root].members[i] = filepath.ToSlash(inside)
	}
	return trees
}

// realFile returns the path of what a file's content lies in, without links: a
// link is in a commit if what it leads to is. reals remembers folders.
func realFile(file string, reals map[string]string) string {
	if info, err := os.Lstat(file); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return realPath(file)
	}
	folder := filepath.Dir(file)
	if _, known := reals[folder]; !known {
		reals[folder] = realPath(folder)
	}
	if reals[folder] == "" {
		return ""
	}
	return filepath.Join(reals[folder], filepath.Base(file))
}

// realPath returns the absolute path without links; "" if there is none.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return ""
	}
	return real
}

// rootOf returns the nearest folder at or above with a .git in it.
func rootOf(folder string, known map[string]string) string {
	if folder == "" || folder == "." {
		return ""
	}
	if root, ok := known[folder]; ok {
		return root
	}
	root := ""
	if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
		root = folder
	} else if parent := filepath.Dir(folder); parent != folder {
		root = rootOf(parent, known)
	}
	known[folder] = root
	return root
}

// describe fills in the sources of the tree's experiments with three calls.
func (t *workTree) describe(ctx context.Context, git string, all []mishap.Experiment) {
	head, err := t.git(ctx, git, "log", "-1", "--no-show-signature", "--format=%H%n%an <%ae>", "HEAD")
	commit, author, ok := strings.Cut(strings.TrimSpace(head), "\n")
	if err != nil || !ok {
		return // no commit, or git refuses to read this repository
	}
	repository := t.root
	if remote, err := t.git(ctx, git, "config", "--get", "remote.origin.url"); err == nil && remote != "" {
		repository = withoutCredentials(remote, t.root)
	}
	status, err := t.git(ctx, git, append([]string{"--literal-pathspecs", "status", "--porcelain", "-z", "--untracked-files=all", "--ignored", "--no-renames", "--"}, t.pathspecs()...)...)
	changed := map[string]bool{}
	for entry := range strings.SplitSeq(status, "\x00") {
		if len(entry) > 3 {
			changed[entry[3:]] = true
		}
	}
	for i, path := range t.members {
		s := &all[i].Source
		s.Commit, s.Author, s.Repository, s.Path = commit, author, repository, path
		// What cannot be told is not that commit; and git says nothing of its own files.
		s.Dirty = err != nil || changed[path] || slices.Contains(strings.Split(path, "/"), ".git")
	}
}

// pathspecs returns what of the work tree git shall look at.
func (t *workTree) pathspecs() []string {
	var paths []string
	for _, path := range t.members {
		paths = append(paths, path)
	}
	if len(paths) <= mostPathspecs {
		return paths
	}
	common := strings.Split(filepath.ToSlash(filepath.Dir(paths[0])), "/")
	for _, path := range paths {
		folders := strings.Split(filepath.ToSlash(filepath.Dir(path)), "/")
		n := 0
		for n < len(common) && n < len(folders) && common[n] == folders[n] {
			n++
		}
		common = common[:n]
	}
	if len(common) == 0 {
		return []string{"."}
	}
	return []string{strings.Join(common, "/")}
}

// git runs git in the work tree, so that it writes nothing and runs nothing
// that the repository names.
func (t *workTree) git(ctx context.Context, git string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, longestGit)
	defer cancel()
	cmd := spawn.CommandContext(ctx, git, append([]string{"-C", t.root, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false"}, args...)...)
	cmd.WaitDelay = time.Second
	for _, v := range os.Environ() {
		// A git hook that calls mishap points these at its own repository.
		if !strings.HasPrefix(v, "GIT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.Output()
	if args[0] != "config" {
		return string(out), err
	}
	return string(bytes.TrimSpace(out)), err
}

// withoutCredentials returns the remote without what may be secret; otherwise
// is the answer if that cannot be told.
func withoutCredentials(remote, otherwise string) string {
	if !strings.Contains(remote, "://") {
		// git@host:path, or a folder
		user, rest, ok := strings.Cut(remote, "@")
		if ok && strings.Contains(user, ":") {
			return rest
		}
		return remote
	}
	u, err := url.Parse(remote)
	if err != nil {
		return otherwise
	}
	switch {
	case u.User == nil:
	case u.Scheme == "ssh" || u.Scheme == "git+ssh":
		u.User = url.User(u.User.Username())
	default:
		u.User = nil
	}
	u.RawQuery, u.ForceQuery, u.Fragment = "", false, ""
	return u.String()
}
