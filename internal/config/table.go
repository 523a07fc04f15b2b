package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// setting describes one key of the file.
type setting struct {
	key    string
	env    string
	def    any
	list   bool
	reload string // taken, or why a server that runs keeps what it has until it is started again
}

// taken is what [setting] says of a key whose value a server takes over while it runs: it
// stands in [Live].
const taken = "taken"

// Variables are those of an environment, NAME=VALUE each, that say a setting.
func Variables(environ []string) (all []string) {
	known := settings(Options{LookupEnv: func(string) (string, bool) { return "", false }})
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		if slices.ContainsFunc(known, func(s setting) bool { return s.env != "" && s.env == name }) {
			all = append(all, v)
		}
	}
	return all
}

func settings(o Options) []setting {
	return []setting{
		{key: "state", env: "MISHAP_STATE", def: defaultState(o), reload: "ledger, locks and sockets are in it"},
		{key: "accounts", env: "MISHAP_ACCOUNTS", def: []string{}, list: true, reload: "what is in force there is reverted with it"},
		{key: "regions", env: "MISHAP_REGIONS", def: []string{}, list: true, reload: "what is in force there is reverted with it"},
		{key: "hosts", env: "MISHAP_HOSTS", def: []string{}, list: true, reload: taken},
		{key: "optInTag", env: "MISHAP_OPT_IN_TAG", def: "mishap=allow", reload: "the permissions in AWS are written for it"},
		{key: "vault", env: "MISHAP_VAULT", def: "/mishap", reload: "what reverts faults under way is kept there"},
		{key: "vaultKey", env: "MISHAP_VAULT_KEY", def: "", reload: "what reverts faults under way is kept with it"},
		{key: "protected", env: "MISHAP_PROTECTED", def: []string{}, list: true, reload: taken},
		{key: "longestRun", env: "MISHAP_LONGEST_RUN", def: "1h", reload: "the experiments in force were read by it"},
		{key: "revertWithin", env: "MISHAP_REVERT_WITHIN", def: "2m", reload: "keepers of runs under way go by it"},
		{key: "lease", env: "MISHAP_LEASE", def: "10s", reload: "faults in proxies are renewed by it"},
		{key: "ledger", env: "MISHAP_LEDGER", def: "", reload: "it is open"},
		{key: "serverLease", env: "MISHAP_SERVER_LEASE", def: "15s", reload: "the other servers go by it"},
		{key: "proxies", reload: "runs under way reach them there"},
		{key: "otlp", env: "MISHAP_OTLP", def: "127.0.0.1:4318", reload: "runs under way receive metrics there"},
		{key: "listen", env: "MISHAP_LISTEN", def: "127.0.0.1:7676", reload: "the address is open"},
		{key: "publicURL", env: "MISHAP_PUBLIC_URL", def: "", reload: taken},
		{key: "sources", reload: "each is followed from the start"},
		{key: "governor", reload: taken},
		{key: "allow", reload: "runs under way read and reach by it"},
		{key: "notify", reload: taken},
		{key: "webhook", reload: taken},
		{key: "tokens", reload: taken},
		{key: "tls", reload: "the address is open with it"},
		{key: "keep", reload: taken},
		{key: "notices", reload: taken},
		{key: "labels", reload: taken},
		{key: "oidc", reload: taken},
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
