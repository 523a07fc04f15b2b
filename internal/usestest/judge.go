package usestest

import (
	"fmt"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mishap"
)

// judge says what was used and not declared, and what was declared and not used.
func (s statement) judge(all []use) (undeclared, unused []string) {
	seen := map[string]bool{} // what was declared, by what it was declared as
	for _, u := range all {
		as, problem := s.declares(u)
		if problem != "" {
			undeclared = append(undeclared, fmt.Sprintf("%s: %s (%s)", s.Kind, problem, u.call))
		}
		seen[as] = true
	}
	for _, as := range s.everything() {
		if !seen[as] {
			unused = append(unused, as)
		}
	}
	slices.Sort(undeclared)
	return slices.Compact(undeclared), unused
}

// everything is all that is declared and leaves a trace, in words.
func (s statement) everything() (all []string) {
	for _, c := range s.Declared.Commands {
		all = append(all, command(c))
	}
	for _, f := range s.Declared.Files {
		all = append(all, "file "+f)
	}
	for _, h := range s.Declared.Hosts {
		all = append(all, "host "+h)
	}
	return all
}

func command(c mishap.Command) string {
	if c.Shell != "" {
		return fmt.Sprintf("shell %q", c.Shell)
	}
	return "command " + c.Program
}

// declares says as what a use was declared; empty if it needs no declaration. It
// is a problem if it was not.
func (s statement) declares(u use) (as, problem string) {
	switch {
	case u.program != "":
		return s.command(u)
	case u.host != "":
		return s.host(u.host)
	case !strings.Contains(u.call, "open"):
		return "", fmt.Sprintf("it changes %s, and no kind changes files but by a command that it starts", u.file)
	}
	return s.file(u.file)
}

func (s statement) command(u use) (as, problem string) {
	for i, c := range s.Declared.Commands {
		asShell := u.program == "/bin/sh" && slices.Equal(u.argv, []string{"/bin/sh", "-c", c.Shell})
		if c.Shell != "" && !asShell || c.Shell == "" && u.program != s.Programs[i] {
			continue
		}
		for _, name := range s.sets(u.env) {
			if !slices.Contains(c.Env, name) {
				return "", fmt.Sprintf("it starts %s with the variable %s, which Env of that command in its Uses does not have", u.program, name)
			}
		}
		return command(c), ""
	}
	return "", fmt.Sprintf("it starts %q as %q, which Commands of its Uses does not have", u.argv, u.program)
}

// sets are the variables that a command got beside those of the process that
// started it, but not those that say which run it is of and by which it is found,
// and its folder, which package exec sets.
func (s statement) sets(env []string) (names []string) {
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(s.Environ, pair) && name != "PWD" && !slices.Contains([]string{"MISHAP_RUN", "MISHAP_FAULT", "MISHAP_INJECTION", "MISHAP_COMMAND"}, name) {
			names = append(names, name)
		}
	}
	return names
}

func (s statement) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(s.Dir, path)
}

func (s statement) file(opened string) (as, problem string) {
	for _, f := range s.Declared.Files {
		if s.absolute(f) == opened {
			return "file " + f, ""
		}
	}
	for _, pattern := range slices.Concat(s.Granted.Files, ofGo(), ofSpawn()) {
		if is, err := path.Match(pattern, opened); is && err == nil {
			return "", ""
		}
	}
	for _, folder := range foldersOfGo() {
		if strings.HasPrefix(opened, folder) {
			return "", ""
		}
	}
	return "", fmt.Sprintf("it opens %s, which Files of its Uses does not have", opened)
}

// ofGo is what Go opens for a program on its own account.
func ofGo() []string {
	return []string{
		"/dev/null",                                            // input and output of a command that is given none
		"/etc/localtime",                                       // the clock
		"/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", // how names are looked up
		"/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem", "/etc/pki/tls/certs/ca-bundle.crt", // whom the system trusts
		"/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/proc/self/*",
	}
}

// ofSpawn is where package spawn looks for what a command that it kills has started.
func ofSpawn() []string { return []string{"/proc", "/proc/*/environ"} }

// foldersOfGo are those whose files Go opens: the clocks of time zones, whose names
// cannot lead out of their folder, and whom the system trusts.
func foldersOfGo() []string {
	return []string{"/usr/share/zoneinfo/", "/usr/share/lib/zoneinfo/", "/usr/lib/locale/TZ/", "/etc/zoneinfo/", "/etc/ssl/certs/"}
}

func (s statement) host(reached string) (as, problem string) {
	host, port, _ := net.SplitHostPort(reached)
	for _, h := range s.Declared.Hosts {
		if sameHost(h, host, port) {
			return "host " + h, ""
		}
	}
	for _, h := range s.Granted.Hosts {
		if h == reached || sameHost(h, host, port) {
			return "", ""
		}
	}
	return "", fmt.Sprintf("it connects to %s, which Hosts of its Uses does not have", reached)
}

// sameHost tells whether a host that is declared has the address. To look a name
// up is to ask servers of names, and to ask the kernel for a way to each address.
func sameHost(declared, address, port string) bool {
	const names = "53"
	name, wanted, err := net.SplitHostPort(declared)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(name); ip != nil {
		return port == wanted && ip.Equal(net.ParseIP(address))
	}
	if port == names {
		return true
	}
	found, err := net.LookupHost(name)
	return err == nil && port == wanted && slices.Contains(found, address)
}
