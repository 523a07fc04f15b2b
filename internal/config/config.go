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
	OptInTag     string          // key=value that a target outside this machine must carry
	Vault        string          // path of parameters where what reverts faults in AWS is kept; none: nowhere
	VaultKey     string          // of KMS, that encrypts them; empty: the account's own for parameters
	LongestRun   mishap.Duration // the longest that faults may be in
	RevertWithin mishap.Duration // how long a revert is tried before it is stranded
	Lease        mishap.Duration // how long a fault in a proxy lives without renewal
	Ledger       string          // address of a PostgreSQL database; empty: a file in State
	OTLP         string          // where metrics of OpenTelemetry are received, while a run compares by them
	ServerLease  mishap.Duration // how long a server that is lost keeps its runs, with a ledger in PostgreSQL
	Proxies      []Proxy
	Listen       string // address of the server's API; none: only its socket
	Server       Server

	File   string  // the settings file; empty if there is none
	Values []Value // every setting and where it came from

	read Options   // where they are
	tree *ast.File // of the file
	live *live     // what may change while a server runs, see [Settings.Live]
}

// Value is one setting as `mishap config` shows it.
type Value struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	From  string `json:"from"` // "default", "mishap.yaml:3", "environment MISHAP_STATE", "flag --state"

	given any // as it was read, before anything was made of it
}

// Options says where to look. Flags hold what was given on the command line, by
// key.
type Options struct {
	File      string // from --config; empty means search
	Flags     map[string]string
	LookupEnv func(string) (string, bool) // nil means this process's environment
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
	s := Settings{File: file, read: o, live: newLive(new(Live))}
	v := viper.New()
	lines := map[string]int{}
	var problems []error
	if file != "" {
		if lines, s.tree, err = checkFile(file, settings(o)); s.tree == nil && err != nil {
			return s, err
		}
		problems = append(problems, err)
		v.SetConfigFile(file)
		v.SetConfigType("yaml")
		if bad := v.ReadInConfig(); bad != nil && err == nil {
			return s, fmt.Errorf("read settings: %w", bad)
		}
	}
	for _, one := range settings(o) {
		s.Values = append(s.Values, read(v, one, o, file, lines))
	}
	problems = append(problems, s.fill(v)...)
	if s.tree != nil {
		problems = append(problems, s.fillSections(file, s.tree))
	}
	s.remember(o)
	return s, errors.Join(slices.Concat(problems, s.checkAccounts(), s.checkProxies(), s.checkServer())...)
}

// Reread reads the settings as they are now, where these were read, and puts none in force.
func (s *Settings) Reread() (Settings, error) { return Load(s.read) }

// remember keeps what was read of the settings that may change, to tell whether they did.
func (s *Settings) remember(o Options) {
	l := s.Live()
	l.given = map[string]any{}
	for _, one := range settings(o) {
		if one.reload == taken {
			l.given[one.key] = s.given(one.key)
		}
	}
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
	value.given = value.Value
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
	l := s.Live()
	l.Hosts, l.Protected = v.GetStringSlice("hosts"), v.GetStringSlice("protected")
	s.OptInTag = v.GetString("optInTag")
	s.Vault, s.VaultKey = v.GetString("vault"), v.GetString("vaultKey")
	if s.Vault != NoVault && !isVault(s.Vault) {
		problems = append(problems, s.wrong("vault", "%q is neither a path of parameters like /mishap nor none", s.Vault))
	}
	if s.Listen = v.GetString("listen"); s.Listen != "none" && !isAddress(s.Listen) {
		problems = append(problems, s.wrong("listen", "%q is neither an address like host:port nor none", s.Listen))
	}
	if l.PublicURL = strings.TrimSuffix(v.GetString("publicURL"), "/"); l.PublicURL != "" && !isPublicURL(l.PublicURL) {
		problems = append(problems, s.wrong("publicURL", "%q is not an address of a server like https://mishap.example, without a path", l.PublicURL))
	}
	if key, value, ok := strings.Cut(s.OptInTag, "="); !ok || key == "" || value == "" {
		problems = append(problems, s.wrong("optInTag", "%q is not a tag; write it like mishap=allow", s.OptInTag))
	}
	for _, pattern := range l.Protected {
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

// part is the path of one of a list.
func part(list string, i int, keys ...string) string {
	return strings.Join(append([]string{fmt.Sprintf("%s[%d]", list, i)}, keys...), ".")
}

// Invalid is a setting that cannot be used.
type Invalid struct{ error }

// wrong is what is wrong with a setting, or with a part of it, such as tokens[1].role:
// where it stands, which setting it is, and what.
func (s *Settings) wrong(path, format string, args ...any) error {
	key, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
	return Invalid{fmt.Errorf("%s: %s: %s", s.At(path), key, fmt.Sprintf(format, args...))}
}

// At says where a setting or a part of it stands, as closely as that is known:
// mishap.yaml:3:12 for what is in the file, else as [Settings.From].
func (s *Settings) At(path string) string {
	key, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
	if s.tree == nil || !s.fromFile(key) {
		return s.From(key)
	}
	if _, body := sectionOf(s.tree, key); body != nil {
		return positionOf(s.File, body, path)
	}
	return s.From(key)
}
