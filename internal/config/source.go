package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"time"

	"mishap"
)

// Source is where a server reads experiments from: a folder or a repository.
type Source struct {
	Name        string          `json:"name"`
	Folder      string          `json:"folder,omitempty"`     // usually a checkout
	Repository  string          `json:"repository,omitempty"` // URL of a git repository
	Ref         string          `json:"ref,omitempty"`        // branch, tag or commit; default: the remote's own
	Path        string          `json:"path,omitempty"`       // folder inside the repository
	Poll        mishap.Duration `json:"poll,omitempty"`       // default 5s for a folder, 30s for a repository
	Environment string          `json:"environment,omitempty"`
	AllowDirty  bool            `json:"allowDirty,omitempty"` // also run what differs from its commit
	Username    string          `json:"username,omitempty"`
	Secret      mishap.Secret   `json:"secret,omitzero"` // password or token, or a private key for ssh
	KnownHosts  string          `json:"knownHosts,omitempty"`
	SignedBy    []string        `json:"signedBy,omitempty"` // keys, one of which must have signed the commit
	StaleFor    mishap.Duration `json:"staleFor,omitempty"` // how old what was read may be to run while a source that was not reached since the start is not; default: nothing of it runs
}

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (s *Settings) checkSource(i int, one *Source) error {
	least, def := time.Second, folderPoll
	var problems []error
	if one.Repository != "" {
		def = repositoryPoll
		if u, err := url.Parse(one.Repository); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				problems = append(problems, s.wrong(part("sources", i, "repository"), "source %d has a password in its URL; give it as secret: {env: NAME} or {file: PATH}", i+1))
			}
		}
	}
	if (one.Folder == "") == (one.Repository == "") {
		problems = append(problems, s.wrong(part("sources", i), "source %d needs either a folder or a repository", i+1))
	}
	if one.Poll == 0 {
		one.Poll = mishap.Duration(def)
	}
	if one.Poll.Std() < least || one.Poll.Std() > 24*time.Hour {
		problems = append(problems, s.wrong(part("sources", i, "poll"), "poll of source %d is %s, outside of 1s to 24h", i+1, one.Poll))
	}
	if one.StaleFor < 0 {
		problems = append(problems, s.wrong(part("sources", i, "staleFor"), "staleFor of source %d must not be negative", i+1))
	}
	if one.Folder != "" && !filepath.IsAbs(one.Folder) {
		one.Folder, _ = filepath.Abs(filepath.Join(filepath.Dir(s.File), one.Folder))
	}
	if !one.Secret.IsReference() && one.Secret.Value != "" {
		problems = append(problems, s.wrong(part("sources", i, "secret"), "the secret of source %d must be a reference: {env: NAME} or {file: PATH}", i+1))
	}
	return errors.Join(problems...)
}

// FolderSource is a source that a flag names.
func FolderSource(folder string) (Source, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return Source{}, fmt.Errorf("find folder %s: %w", folder, err)
	}
	return Source{Name: "experiments", Folder: abs, Poll: mishap.Duration(time.Second)}, nil
}
