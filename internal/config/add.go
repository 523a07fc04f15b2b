package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mishap"
)

const newSettings = "# Settings of mishap. `mishap config` shows all of them and where each comes from.\n\n" +
	"# A proxy passes traffic on, and is where faults on it are injected. Start all of them\n" +
	"# with `mishap proxy`, and let callers connect to listen instead of upstream.\nproxies:\n"

// AddProxies writes proxies to the end of those of a settings file, and leaves
// every other line as it is. Where there is no file it makes one. It writes the
// file only if it can be read afterwards and has the proxies of before and these.
func AddProxies(path string, add []Proxy) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return replace(path, append([]byte(newSettings), itemsOf(add, "  ", "./.mishap/proxy.sock")...), nil, add)
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	settings, err := Load(Options{File: path})
	if err != nil {
		return err
	}
	lines, indent, found := endOfProxies(old)
	if !found && len(settings.Proxies) > 0 {
		return mishap.WithHint(fmt.Errorf("add to %s: its proxies are not a list with a line for each", path), "add them by hand: "+flow(add))
	}
	control := ""
	if len(settings.Proxies) == 0 {
		control = "./.mishap/proxy.sock"
	}
	items := itemsOf(add, indent, control)
	if !found {
		text := bytes.TrimRight(old, "\n")
		return replace(path, slices.Concat(text, []byte("\n\nproxies:\n"), items), settings.Proxies, add)
	}
	return replace(path, slices.Concat([]byte(strings.Join(lines[0], "")), items, []byte(strings.Join(lines[1], ""))), settings.Proxies, add)
}

// endOfProxies cuts a file where the list of its proxies ends, and says how its
// items are indented.
func endOfProxies(text []byte) (parts [2][]string, indent string, found bool) {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(slices.Clone(text), '\n')
	}
	all := slices.Collect(strings.Lines(string(text)))
	begins := slices.IndexFunc(all, regexp.MustCompile(`^proxies:\s*(#.*)?\s*$`).MatchString)
	if begins < 0 {
		return parts, "  ", false
	}
	end := begins + 1
	item := regexp.MustCompile(`^( *)- `)
	for i, line := range all[begins+1:] {
		rest := strings.TrimSpace(line)
		m := item.FindStringSubmatch(line)
		switch {
		case m != nil && (!found || m[1] == indent):
			indent, found = m[1], true
		case rest == "" || strings.HasPrefix(rest, "#"):
			continue // belongs to the list only if more of it follows
		case !strings.HasPrefix(line, " "):
			return [2][]string{all[:end], all[end:]}, indent, found
		}
		end = begins + 2 + i
	}
	return [2][]string{all[:end], all[end:]}, indent, found
}

// itemsOf are proxies as items of a list; control is where the first is spoken to.
func itemsOf(all []Proxy, indent, control string) (text []byte) {
	for _, p := range all {
		text = fmt.Appendf(text, "%s- name: %s\n%s  listen: %q\n%s  upstream: %q\n", indent, p.Name, indent, p.Listen, indent, p.Upstream)
		if p.Protocol != "" {
			text = fmt.Appendf(text, "%s  protocol: %s\n", indent, p.Protocol)
		}
		if p.UpstreamTLS != nil {
			text = fmt.Appendf(text, "%s  upstreamTLS: {} # ca: PATH, where the certificate is not of an authority that this machine trusts\n", indent)
		}
		if control != "" {
			text = fmt.Appendf(text, "%s  control: %s # where mishap talks to it; only for you\n", indent, control)
			control = ""
		}
	}
	return text
}

// flow are proxies on one line.
func flow(all []Proxy) string {
	var items []string
	for _, p := range all {
		more := ""
		if p.UpstreamTLS != nil {
			more = ", protocol: http, upstreamTLS: {}"
		}
		items = append(items, fmt.Sprintf("{name: %s, listen: %q, upstream: %q%s}", p.Name, p.Listen, p.Upstream, more))
	}
	return strings.Join(items, ", ")
}

// replace writes the file beside itself, reads it as mishap does, and puts it in
// its place if it says what it is to.
func replace(path string, text []byte, had, add []Proxy) (err error) {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".mishap-*.yaml")
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	settings, err := Load(Options{File: f.Name()})
	if err != nil {
		return fmt.Errorf("add to %s: %w", path, err)
	}
	var is, want []string
	for _, p := range settings.Proxies {
		is = append(is, p.Name+" "+p.Listen+" "+p.Upstream)
	}
	for _, p := range slices.Concat(had, add) {
		want = append(want, p.Name+" "+p.Listen+" "+p.Upstream)
	}
	if !slices.Equal(is, want) {
		return mishap.WithHint(fmt.Errorf("add to %s: its list of proxies is written in a way that cannot be added to", path), "add them by hand: "+flow(add))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}
