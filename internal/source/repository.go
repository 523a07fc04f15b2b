package source

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/plumbing/transport/ssh"

	"mishap"
)

// repository says where experiments come from.
type repository struct {
	URL        string                 // https, http, ssh, git or file, or git@host:path
	Ref        string                 // branch, tag or full hash; empty: the remote's HEAD
	Path       string                 // folder inside the repository; empty: all of it
	Username   string                 // for http with a secret, default "git"; for ssh that of the URL wins
	Secret     func() (string, error) // password or token for http, private key (PEM) for ssh, asked at each fetch; nil: none
	KnownHosts string                 // for ssh: path of a known_hosts file; empty: the user's and the system's
	SignedBy   []string               // SSH public keys (authorized_keys lines) or armored PGP keys; if any, one must have signed the commit
	Limits     limits
}

// limits are what a tree may be. Zero values get defaults.
type limits struct {
	Entries    int           // files and folders that are looked at, wanted or not; default 100,000
	Files      int           // experiment files, default 10,000
	FileBytes  int64         // of one, default 1 MiB
	TotalBytes int64         // of all, default 64 MiB
	Timeout    time.Duration // of one fetch, default 60 s

	// Of what is fetched, which is the whole commit and not only its experiments.
	PackBytes     int64 // as it comes, default 256 MiB; a clone of more is made anew
	Objects       int   // default 250,000
	ObjectBytes   int64 // of one object, which is in memory for a moment, default 64 MiB
	UnpackedBytes int64 // of all, with what differences are of, default 1 GiB
}

// deltaBytes is how large an object may be that is kept as a difference, or that
// one is of: several are in memory at a time.
func (l *limits) deltaBytes() uint64 { return uint64(l.ObjectBytes / 4) }

func (l *limits) setDefaults() {
	if l.Entries <= 0 {
		l.Entries = 100_000
	}
	if l.Files <= 0 {
		l.Files = 10_000
	}
	if l.FileBytes <= 0 {
		l.FileBytes = 1 << 20
	}
	if l.TotalBytes <= 0 {
		l.TotalBytes = 64 << 20
	}
	if l.Timeout <= 0 {
		l.Timeout = time.Minute
	}
	if l.PackBytes <= 0 {
		l.PackBytes = 256 << 20
	}
	if l.Objects <= 0 {
		l.Objects = 250_000
	}
	if l.ObjectBytes <= 0 {
		l.ObjectBytes = 64 << 20
	}
	if l.UnpackedBytes <= 0 {
		l.UnpackedBytes = 1 << 30
	}
}

// checkout is one commit's experiments on disk.
type checkout struct {
	Dir        string // holds the files of Path
	Commit     string // full hash
	Author     string // "Name <mail>", as the commit says
	Repository string // URL without anything secret
	Path       string // as in the repository; "." for all of it

	// Signed answers why none of the keys has signed the commit; nil if one has,
	// or if there are no keys. Whoever uses the tree asks again with the keys of
	// that moment. It is nil for a tree without a known commit.
	Signed func(keys []string) error
}

// mirror follows one repository.
type mirror struct {
	dir    string
	about  repository
	public string // URL without anything secret
	last   string // commit that was handed out last

	refused plumbing.Hash // that was looked at last, and cannot be used
	because error
}

// newMirror makes a mirror that keeps its clone and its trees below dir.
func newMirror(dir string, r repository) (*mirror, error) {
	endpoint, err := transport.NewEndpoint(r.URL)
	if err != nil || r.URL == "" {
		return nil, mishap.WithHint(errors.New("read repository: its URL is not one that git understands"), "write it like https://git.example/team/experiments.git")
	}
	if r.Path != "" && (path.IsAbs(r.Path) || !filepath.IsLocal(r.Path)) {
		return nil, mishap.WithHint(fmt.Errorf("read repository: path %q is not a folder inside the repository", r.Path), "write it like experiments/checkout")
	}
	r.Path = path.Clean(r.Path)
	r.Limits.setDefaults()
	if err := os.MkdirAll(filepath.Join(dir, "trees"), 0o700); err != nil {
		return nil, fmt.Errorf("read repository: %w", err)
	}
	return &mirror{dir: dir, about: r, public: public(r.URL, endpoint)}, nil
}

// public is the URL without what may be secret.
func public(text string, e *transport.Endpoint) string {
	if e.Protocol == "ssh" && !strings.Contains(text, "://") {
		return text // git@host:path
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return text // a folder
	}
	if e.Protocol == "ssh" && u.User != nil {
		u.User = url.User(u.User.Username())
	} else {
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}

// auth looks the secret up and makes of it what the transport wants.
func (m *mirror) auth(url string) (method transport.AuthMethod, secret string, err error) {
	endpoint, err := transport.NewEndpoint(url)
	if err != nil {
		return nil, "", errors.New("its URL is not one that git understands")
	}
	if m.about.Secret != nil {
		if secret, err = m.about.Secret(); err != nil {
			return nil, "", fmt.Errorf("look up its secret: %w", err)
		}
	}
	user := m.about.Username
	if user == "" {
		user = "git"
	}
	switch {
	case endpoint.Protocol == "ssh":
		method, err = m.sshAuth(endpoint, user, secret)
		return method, secret, err
	case secret != "":
		return &http.BasicAuth{Username: user, Password: secret}, secret, nil
	}
	return nil, "", nil
}

func (m *mirror) sshAuth(e *transport.Endpoint, user, key string) (transport.AuthMethod, error) {
	if e.User != "" {
		user = e.User
	}
	var hosts []string
	if m.about.KnownHosts != "" {
		hosts = []string{m.about.KnownHosts}
	}
	check, err := ssh.NewKnownHostsCallback(hosts...)
	if err != nil {
		return nil, mishap.WithHint(fmt.Errorf("read known hosts: %w", err), "give knownHosts, a file with the server's key")
	}
	if key == "" {
		agent, err := ssh.NewSSHAgentAuth(user)
		if err != nil {
			return nil, mishap.WithHint(fmt.Errorf("no key for ssh: %w", err), "give secret: {file: PATH} with a private key")
		}
		agent.HostKeyCallback = check
		return agent, nil
	}
	keys, err := ssh.NewPublicKeys(user, []byte(key+"\n"), "")
	if err != nil {
		return nil, errors.New("its secret is not a private key that can be used without a passphrase")
	}
	keys.HostKeyCallback = check
	return keys, nil
}

// scrub removes the secret from a message, wherever a library put it.
func scrub(err error, secrets ...string) error {
	text := err.Error()
	for _, s := range secrets {
		if len(s) > 3 {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
