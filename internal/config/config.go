// Package config reads settings: what mishap may touch, where it keeps its
// state, and its proxies. It knows where each value came from.
//
// Settings are not experiments. They are read from one file, from MISHAP_*
// variables and from flags, and later ones win; an experiment cannot change
// them, so that nobody allows their own account by merging a file.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/spf13/viper"

	"mishap"
)

// Settings is everything that can be set.
type Settings struct {
	State        string          // folder of the ledger and all else that mishap writes
	Accounts     []Account       // AWS accounts whose things may be touched, and where
	Regions      []string        // AWS regions where they may be, of accounts that have none of their own
	Hosts        []string        // other machines that may be touched
	OptInTag     string          // key=value that a target outside this machine must carry
	Vault        string          // path of parameters where what reverts faults in AWS is kept; none: nowhere
	VaultKey     string          // of KMS, that encrypts them; empty: the account's own for parameters
	Protected    []string        // patterns on kind/id and kind/name of what is never touched
	LongestRun   mishap.Duration // the longest that faults may be in
	RevertWithin mishap.Duration // how long a revert is tried before it is stranded
	Lease        mishap.Duration // how long a fault in a proxy lives without renewal
	Ledger       string          // address of a PostgreSQL database; empty: a file in State
	OTLP         string          // where metrics of OpenTelemetry are received, while a run compares by them
	ServerLease  mishap.Duration // how long a server that is lost keeps its runs, with a ledger in PostgreSQL
	Proxies      []Proxy
	Listen       string            // address of the server's API; none: only its socket
	PublicURL    string            // by which people reach the server's pages, for links to them; empty: none
	Labels       map[string]string // of this server: it runs what needs no others
	Server       Server

	File   string  // the settings file; empty if there is none
	Values []Value // every setting and where it came from
}

// Value is one setting as `mishap config` shows it.
type Value struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	From  string `json:"from"` // "default", "mishap.yaml:3", "environment MISHAP_STATE", "flag --state"
}

// Options says where to look. Flags hold what was given on the command line, by
// key.
type Options struct {
	File      string // from --config; empty means search
	Flags     map[string]string
	LookupEnv func(string) (string, bool) // nil means this process's environment
}

// setting describes one key of the file.
type setting struct {
	key  string
	env  string
	def  any
	list bool
}

func settings(o Options) []setting {
	return []setting{
		{key: "state", env: "MISHAP_STATE", def: defaultState(o)},
		{key: "accounts", env: "MISHAP_ACCOUNTS", def: []string{}, list: true},
		{key: "regions", env: "MISHAP_REGIONS", def: []string{}, list: true},
		{key: "hosts", env: "MISHAP_HOSTS", def: []string{}, list: true},
		{key: "optInTag", env: "MISHAP_OPT_IN_TAG", def: "mishap=allow"},
		{key: "vault", env: "MISHAP_VAULT", def: "/mishap"},
		{key: "vaultKey", env: "MISHAP_VAULT_KEY", def: ""},
		{key: "protected", env: "MISHAP_PROTECTED", def: []string{}, list: true},
		{key: "longestRun", env: "MISHAP_LONGEST_RUN", def: "1h"},
		{key: "revertWithin", env: "MISHAP_REVERT_WITHIN", def: "2m"},
		{key: "lease", env: "MISHAP_LEASE", def: "10s"},
		{key: "ledger", env: "MISHAP_LEDGER", def: ""},
		{key: "serverLease", env: "MISHAP_SERVER_LEASE", def: "15s"},
		{key: "proxies"},
		{key: "otlp", env: "MISHAP_OTLP", def: "127.0.0.1:4318"},
		{key: "listen", env: "MISHAP_LISTEN", def: "127.0.0.1:7676"},
		{key: "publicURL", env: "MISHAP_PUBLIC_URL", def: ""},
		{key: "sources"},
		{key: "governor"},
		{key: "allow"},
		{key: "notify"},
		{key: "webhook"},
		{key: "tokens"},
		{key: "tls"},
		{key: "keep"},
		{key: "notices"},
		{key: "labels"},
		{key: "oidc"},
	}
}

// defaultState follows the XDG base directories; root has one for the machine.
func defaultState(o Options) string {
	if dir, ok := o.LookupEnv("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "mishap")
	}
	if os.Geteuid() == 0 {
		return "/var/lib/mishap"
	}
	home, ok := o.LookupEnv("HOME")
	if !ok {
		home = os.TempDir()
	}
	return filepath.Join(home, ".local", "state", "mishap")
}

// UsualStates lists the state directories that are used where nobody says
// another: root's, and this user's.
func UsualStates() []string {
	all := []string{"/var/lib/mishap"}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		all = append(all, filepath.Join(dir, "mishap"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, filepath.Join(home, ".local", "state", "mishap"))
	}
	return all
}

// Load reads the settings and reports all that is wrong with them at once.
func Load(o Options) (Settings, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	file, err := findFile(o)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{File: file}
	v := viper.New()
	lines := map[string]int{}
	var tree *ast.File
	if file != "" {
		if lines, tree, err = checkFile(file, settings(o)); err != nil {
			if tree != nil {
				err = errors.Join(err, s.fillSections(file, tree))
			}
			return s, err
		}
		v.SetConfigFile(file)
		v.SetConfigType("yaml")
		if err := v.ReadInConfig(); err != nil {
			return s, fmt.Errorf("read settings: %w", err)
		}
	}
	for _, one := range settings(o) {
		s.Values = append(s.Values, read(v, one, o, file, lines))
	}
	problems := s.fill(v)
	if tree != nil {
		problems = append(problems, s.fillSections(file, tree))
	}
	return s, errors.Join(slices.Concat(problems, s.checkAccounts(), s.checkProxies(), s.checkServer())...)
}

// findFile is the settings file; the first that exists wins.
func findFile(o Options) (string, error) {
	if o.File != "" {
		if _, err := os.Stat(o.File); err != nil {
			return "", mishap.WithHint(fmt.Errorf("read settings: %w", err), "correct --config")
		}
		return o.File, nil
	}
	home, ok := o.LookupEnv("XDG_CONFIG_HOME")
	if !ok || !filepath.IsAbs(home) {
		user, _ := o.LookupEnv("HOME")
		home = filepath.Join(user, ".config")
	}
	for _, path := range []string{"mishap.yaml", filepath.Join(home, "mishap", "mishap.yaml"), "/etc/mishap/mishap.yaml"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return "", fmt.Errorf("read settings: %w", err)
		}
	}
	return "", nil
}

// read takes one value from where it is given: flag, environment, file, default.
func read(v *viper.Viper, one setting, o Options, file string, lines map[string]int) Value {
	value := Value{Key: one.key, Value: one.def, From: "default"}
	if one.def != nil {
		v.SetDefault(one.key, one.def)
	}
	if line, ok := lines[one.key]; ok {
		value.From = fmt.Sprintf("%s:%d", file, line)
	}
	if text, ok := o.LookupEnv(one.env); ok && one.env != "" {
		v.Set(one.key, parse(one, text))
		value.From = "environment " + one.env
	}
	if text := o.Flags[one.key]; text != "" {
		v.Set(one.key, parse(one, text))
		value.From = "flag --" + one.key
	}
	if one.list {
		value.Value = v.GetStringSlice(one.key)
	} else if got := v.Get(one.key); got != nil {
		value.Value = got
	}
	return value
}

func parse(one setting, text string) any {
	if !one.list {
		return text
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// fill checks the values and takes them over.
func (s *Settings) fill(v *viper.Viper) (problems []error) {
	if !s.fromFile("accounts") {
		s.Accounts = listed(v.GetStringSlice("accounts"))
	}
	s.Regions = v.GetStringSlice("regions")
	s.Hosts, s.Protected = v.GetStringSlice("hosts"), v.GetStringSlice("protected")
	s.OptInTag = v.GetString("optInTag")
	s.Vault, s.VaultKey = v.GetString("vault"), v.GetString("vaultKey")
	if s.Vault != NoVault && !isVault(s.Vault) {
		problems = append(problems, s.wrong("vault", "%q is neither a path of parameters like /mishap nor none", s.Vault))
	}
	if s.Listen = v.GetString("listen"); s.Listen != "none" && !isAddress(s.Listen) {
		problems = append(problems, s.wrong("listen", "%q is neither an address like host:port nor none", s.Listen))
	}
	if s.PublicURL = strings.TrimSuffix(v.GetString("publicURL"), "/"); s.PublicURL != "" && !isPublicURL(s.PublicURL) {
		problems = append(problems, s.wrong("publicURL", "%q is not an address of a server like https://mishap.example, without a path", s.PublicURL))
	}
	if key, value, ok := strings.Cut(s.OptInTag, "="); !ok || key == "" || value == "" {
		problems = append(problems, s.wrong("optInTag", "%q is not a tag; write it like mishap=allow", s.OptInTag))
	}
	for _, pattern := range s.Protected {
		if _, err := filepath.Match(pattern, ""); err != nil {
			problems = append(problems, s.wrong("protected", "%q is not a pattern; write it like process/sshd or ec2-instance/i-*", pattern))
		}
	}
	problems = append(problems,
		s.duration(v, "longestRun", &s.LongestRun, time.Second, 24*time.Hour),
		s.duration(v, "revertWithin", &s.RevertWithin, time.Second, time.Hour),
		s.duration(v, "lease", &s.Lease, time.Second, time.Minute),
		s.duration(v, "serverLease", &s.ServerLease, 3*time.Second, 5*time.Minute))
	s.OTLP = v.GetString("otlp")
	if host, _, err := net.SplitHostPort(s.OTLP); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		problems = append(problems, s.wrong("otlp", "must be host:port of this machine, like 127.0.0.1:4318; others reach it through a collector"))
	}
	s.Ledger = v.GetString("ledger")
	if u, err := url.Parse(s.Ledger); s.Ledger != "" && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql") {
		problems = append(problems, s.wrong("ledger", "must be the address of a PostgreSQL database, like postgres://user@host:5432/mishap"))
	} else if s.Ledger != "" {
		s.set("ledger", u.Redacted())
	}
	var err error
	if s.State, err = s.path("state", v.GetString("state")); err != nil || s.State == "" {
		problems = append(problems, s.wrong("state", "must be a folder: %v", err))
	}
	return problems
}

func (s *Settings) duration(v *viper.Viper, key string, into *mishap.Duration, least, most time.Duration) error {
	if err := into.UnmarshalText([]byte(v.GetString(key))); err != nil {
		return s.wrong(key, "%v", err)
	}
	if into.Std() < least || into.Std() > most {
		return s.wrong(key, "%s is outside of %s to %s", into, mishap.Duration(least), mishap.Duration(most))
	}
	return nil
}

func isAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	return err == nil && bad == nil && n >= 0 && n <= 65535
}

// path makes a path absolute: in a file it is relative to the file, elsewhere
// to the folder that mishap was started in.
func (s *Settings) path(key, path string) (string, error) {
	if path != "" && !filepath.IsAbs(path) && s.fromFile(key) {
		path = filepath.Join(filepath.Dir(s.File), path)
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		s.set(key, abs)
	}
	return abs, err
}

// From says where a setting comes from, such as mishap.yaml:3.
func (s *Settings) From(key string) string {
	for _, v := range s.Values {
		if v.Key == key {
			return v.From
		}
	}
	return ""
}

// fromFile reports whether a setting is as the file has it.
func (s *Settings) fromFile(key string) bool {
	return s.File != "" && strings.HasPrefix(s.From(key), s.File+":")
}

func (s *Settings) set(key string, value any) {
	for i := range s.Values {
		if s.Values[i].Key == key {
			s.Values[i].Value = value
		}
	}
}

// Invalid is a setting that cannot be used.
type Invalid struct{ error }

func (s *Settings) wrong(key, format string, args ...any) error {
	return Invalid{fmt.Errorf("%s: %s: %s", s.From(key), key, fmt.Sprintf(format, args...))}
}
