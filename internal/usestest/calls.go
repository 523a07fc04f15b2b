package usestest

import (
	"encoding/hex"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// use is one thing that was started, opened, changed or connected to, or that it
// was tried with.
type use struct {
	call    string // the system call
	program string // that was started
	argv    []string
	env     []string
	file    string // that was opened or changed
	host    string // host:port, or unix: and a path
}

// between reads what strace wrote between the marks.
func between(log []byte) ([]use, error) {
	var all []use
	begun := false
	for line := range strings.Lines(string(log)) {
		for _, u := range uses(line) {
			switch {
			case u.file == begin:
				begun = true
			case u.file == end:
				return all, nil
			case begun:
				all = append(all, u)
			}
		}
	}
	return nil, errors.New("it does not have the beginning and the end of the work")
}

// uses reads one line. A call that is interrupted by another thread's is written in
// two, and the first one has the arguments.
func uses(line string) []use {
	m := regexp.MustCompile(`^\d+ +(\w+)\((.*)`).FindStringSubmatch(line)
	if m == nil {
		return nil // of a call that was interrupted, or how a thread ended
	}
	call, args := m[1], m[2]
	switch call {
	case "connect", "sendto", "sendmsg", "sendmmsg":
		return hosts(call, args)
	case "execve", "execveat":
		lists := strings.SplitN(args, "[", 3)
		for len(lists) < 3 {
			lists = append(lists, "")
		}
		return []use{{call: call, program: firstPath(lists[0]), argv: texts(lists[1]), env: texts(lists[2])}}
	}
	return []use{{call: call, file: firstPath(args)}}
}

const text = `"((?:\\x[0-9a-f]{2})*)"`

// firstPath is the first one of the arguments, with the folder that it is meant in.
func firstPath(args string) string {
	all := texts(args)
	if len(all) == 0 {
		return args // it could not be read, which is as good as any path that nobody declares
	}
	if m := regexp.MustCompile(`^(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>`).FindStringSubmatch(args); m != nil && !filepath.IsAbs(all[0]) {
		return filepath.Join(plain(m[1]), all[0])
	}
	return filepath.Clean(all[0])
}

func texts(args string) (all []string) {
	for _, m := range regexp.MustCompile(text).FindAllStringSubmatch(args, -1) {
		all = append(all, plain(m[1]))
	}
	return all
}

// plain is a text that strace wrote as \x2f\x65.
func plain(escaped string) string {
	raw, _ := hex.DecodeString(strings.ReplaceAll(escaped, `\x`, ""))
	return string(raw)
}

// hosts are the addresses in the arguments. Those of the kernel are none, and where
// there is none at all, the socket has been connected before.
func hosts(call, args string) (all []use) {
	for _, m := range regexp.MustCompile(`sin_port=htons\((\d+)\), sin_addr=inet_addr\(`+text).FindAllStringSubmatch(args, -1) {
		all = append(all, use{call: call, host: net.JoinHostPort(plain(m[2]), m[1])})
	}
	for _, m := range regexp.MustCompile(`sin6_port=htons\((\d+)\), [^}]*inet_pton\(AF_INET6, `+text).FindAllStringSubmatch(args, -1) {
		all = append(all, use{call: call, host: net.JoinHostPort(plain(m[2]), m[1])})
	}
	for _, m := range regexp.MustCompile(`sun_path=(@?)`+text).FindAllStringSubmatch(args, -1) {
		all = append(all, use{call: call, host: "unix:" + m[1] + plain(m[2])})
	}
	families := regexp.MustCompile(`sa_family=(\w+)`).FindAllStringSubmatch(args, -1)
	families = slices.DeleteFunc(families, func(m []string) bool { return m[1] == "AF_NETLINK" || m[1] == "AF_UNSPEC" })
	if len(families) != len(all) {
		all = append(all, use{call: call, host: args}) // of a family that no kind has any business with
	}
	return all
}
