package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"

	"mishap"
)

// fetched is the one ref of the clone.
const fetched = plumbing.ReferenceName("refs/mishap/fetched")

// unreached is what was not looked at: what is there is not known.
type unreached struct{ error }

func (u unreached) Unwrap() error { return u.error }

// isUnreached reports whether an error says that the repository was not looked at,
// rather than that what is there cannot be used.
func isUnreached(err error) bool { return errors.As(err, new(unreached)) }

// Latest fetches and answers the newest tree; changed is false if it is the one
// that was answered before. On an error, see [Unreached], the last tree stays as
// it is.
func (m *mirror) Latest(ctx context.Context) (t checkout, changed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.about.Limits.Timeout)
	defer cancel()
	auth, secret, err := m.auth(m.about.URL)
	if err != nil {
		return t, false, unreached{m.failed(err, secret)}
	}
	name, hash, err := m.resolve(ctx, auth)
	if err != nil {
		return t, false, unreached{m.failed(err, secret)}
	}
	t = m.tree(hash.String())
	if m.last == t.Commit && exists(t.Dir) {
		return t, false, nil
	}
	if m.refused == hash {
		return t, false, m.because
	}
	commit, err := m.fetch(ctx, auth, name, hash)
	if err != nil && !errors.As(err, new(unfit)) {
		return t, false, unreached{m.failed(err, secret)}
	}
	if err == nil {
		err = signedBy(commit, m.about.SignedBy)
	}
	if err == nil {
		err = m.export(ctx, commit, m.tree(commit.Hash.String()).Dir)
	}
	if err != nil {
		failed := m.failed(err, secret)
		if errors.As(err, new(unfit)) { // it will be as unfit at the next look, and costs no more work
			m.refused, m.because = hash, failed
		}
		return t, false, failed
	}
	m.last = commit.Hash.String()
	return m.treeOf(commit), true, nil
}

// unfit is what a commit is whose content is not taken, whoever signed it.
type unfit struct{ error }

func (u unfit) Unwrap() error { return u.error }

// refuse makes an error of what a commit holds.
func refuse(hint, format string, args ...any) error {
	return mishap.WithHint(unfit{fmt.Errorf(format, args...)}, hint)
}

// Again lets the next tree count as changed.
func (m *mirror) Again() { m.last = "" }

// At answers the tree of a commit that was fetched before; false if it is not
// on disk, or not signed as it must be now.
func (m *mirror) At(commit string) (checkout, bool) {
	t := m.tree(commit)
	if !plumbing.IsHash(commit) || !exists(t.Dir) {
		return t, false
	}
	if !exists(m.clone()) {
		return t, false
	}
	repo, err := m.open(context.Background())
	if err != nil {
		return t, false
	}
	found, err := repo.CommitObject(plumbing.NewHash(commit))
	if err != nil {
		return t, false // who wrote it is not known
	}
	return m.treeOf(found), signedBy(found, m.about.SignedBy) == nil
}

// treeOf is the tree of a commit, with who wrote and who signed it.
func (m *mirror) treeOf(commit *object.Commit) checkout {
	t := m.tree(commit.Hash.String())
	t.Author = author(commit)
	t.Signed = func(keys []string) error { return signedBy(commit, keys) }
	return t
}

// author is who wrote the commit, by its own word.
func author(c *object.Commit) string { return fmt.Sprintf("%s <%s>", c.Author.Name, c.Author.Email) }

// Prune removes all trees but these from the disk.
func (m *mirror) Prune(keep ...string) error {
	found, err := os.ReadDir(filepath.Join(m.dir, "trees"))
	if err != nil {
		return fmt.Errorf("remove old trees: %w", err)
	}
	wanted := map[string]bool{m.cached(m.last): true}
	for _, k := range keep {
		wanted[m.cached(k)] = true
	}
	var problems []error
	for _, f := range found {
		if !wanted[f.Name()] {
			problems = append(problems, os.RemoveAll(filepath.Join(m.dir, "trees", f.Name())))
		}
	}
	return errors.Join(problems...)
}

// cached is the name of a commit's folder on disk, which holds one path of it.
func (m *mirror) cached(commit string) string {
	sum := sha256.Sum256([]byte(m.about.Path))
	return commit + "-" + hex.EncodeToString(sum[:8])
}

func (m *mirror) tree(commit string) checkout {
	return checkout{Dir: filepath.Join(m.dir, "trees", m.cached(commit)), Commit: commit, Repository: m.public, Path: m.about.Path}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// failed says what went wrong, without anything secret, and what to do.
func (m *mirror) failed(err error, secret string) error {
	secrets := []string{secret}
	if u, parsed := url.Parse(m.about.URL); parsed == nil && u.User != nil {
		if password, has := u.User.Password(); has {
			secrets = append(secrets, password, url.QueryEscape(password))
		}
	}
	hint := "look at the repository's URL, ref and path, and whether this machine reaches it"
	var hinted *mishap.Hinted
	switch {
	case errors.As(err, &hinted):
		hint = hinted.Hint
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		hint = "give the source a secret: {env: NAME} or {file: PATH} that may read it"
	case errors.Is(err, context.DeadlineExceeded):
		hint = fmt.Sprintf("it did not answer within %s", m.about.Limits.Timeout)
	}
	return mishap.WithHint(fmt.Errorf("read repository %s: %w", m.public, scrub(err, secrets...)), hint)
}

// resolve asks the remote which commit the ref is at, which costs little.
func (m *mirror) resolve(ctx context.Context, auth transport.AuthMethod) (plumbing.ReferenceName, plumbing.Hash, error) {
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: "origin", URLs: []string{m.about.URL}})
	refs, err := remote.ListContext(ctx, &git.ListOptions{Auth: auth, PeelingOption: git.AppendPeeled})
	if err != nil {
		return "", plumbing.ZeroHash, err
	}
	known := map[plumbing.ReferenceName]*plumbing.Reference{}
	for _, r := range refs {
		known[r.Name()] = r
	}
	ref := m.about.Ref
	if plumbing.IsHash(ref) {
		return "", plumbing.NewHash(ref), nil
	}
	names := []plumbing.ReferenceName{plumbing.HEAD}
	if ref != "" {
		names = []plumbing.ReferenceName{plumbing.NewBranchReferenceName(ref), plumbing.NewTagReferenceName(ref), plumbing.ReferenceName(ref)}
	}
	for _, name := range names {
		r := known[name]
		if r == nil {
			continue
		}
		if r.Type() == plumbing.SymbolicReference {
			name, r = r.Target(), known[r.Target()]
			if r == nil {
				break
			}
		}
		hash := r.Hash()
		if peeled := known[name+"^{}"]; peeled != nil {
			hash = peeled.Hash()
		}
		return name, hash, nil
	}
	if ref == "" {
		return "", plumbing.ZeroHash, mishap.WithHint(errors.New("it has no commit that its HEAD names"), "push something, or give a ref")
	}
	var all []string
	for name := range known {
		if name.IsBranch() || name.IsTag() {
			all = append(all, name.Short())
		}
	}
	return "", plumbing.ZeroHash, mishap.WithHint(fmt.Errorf("it has no branch or tag %q", ref), mishap.Suggest(ref, all))
}

// fetch gets one commit without its history. A clone that does not work, be it
// damaged or of another history, is thrown away and made anew, once.
func (m *mirror) fetch(ctx context.Context, auth transport.AuthMethod, name plumbing.ReferenceName, hash plumbing.Hash) (*object.Commit, error) {
	if err := m.tidy(); err != nil {
		return nil, err
	}
	commit, err := m.fetchInto(ctx, auth, name, hash)
	if err == nil || ctx.Err() != nil || errors.As(err, new(unfit)) {
		return commit, err
	}
	if err := os.RemoveAll(m.clone()); err != nil {
		return nil, err
	}
	return m.fetchInto(ctx, auth, name, hash)
}

func (m *mirror) fetchInto(ctx context.Context, auth transport.AuthMethod, name plumbing.ReferenceName, hash plumbing.Hash) (*object.Commit, error) {
	repo, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	from := string(name)
	if name == "" {
		from = hash.String()
	}
	remote := git.NewRemote(repo.Storer, &config.RemoteConfig{Name: "origin", URLs: []string{m.about.URL}})
	err = remote.FetchContext(ctx, &git.FetchOptions{
		Auth: auth, Depth: 1, Force: true, Tags: git.NoTags,
		RefSpecs: []config.RefSpec{config.RefSpec("+" + from + ":" + string(fetched))},
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return nil, err
	}
	at, err := repo.ResolveRevision(plumbing.Revision(fetched))
	if err != nil {
		return nil, err
	}
	commit, err := repo.CommitObject(*at)
	if err != nil {
		return nil, err
	}
	// Reading all of it shows damage now and not half way through.
	return commit, readable(commit, m.about.Path)
}

func readable(commit *object.Commit, path string) error {
	tree, err := commit.Tree()
	if err != nil {
		return err
	}
	if path == "." {
		return nil
	}
	if _, err = tree.Tree(path); errors.Is(err, object.ErrDirectoryNotFound) {
		return refuse("correct path", "commit %.12s has no folder %s", commit.Hash, path)
	}
	return err
}
