package experiments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"text/template"

	"mishap"
)

// firstPort is where the first proxy listens, on this machine only.
const firstPort = "18080"

// first is what the files of [Init] are made of.
type first struct {
	Name, Host, Listen, Upstream string
	Claim, URL, HostHeader       string // quoted
}

// Init returns the files of a first experiment on the service at rawURL, by
// path: the settings, with one proxy in front of the service, and an
// experiment that makes the service slow behind that proxy. Both are complete.
// Only http is possible: the proxy passes bytes on, so that for https the
// certificate would have to be that of the proxy's address.
func Init(rawURL string) (map[string][]byte, error) {
	u, err := parseService(rawURL)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	listen := net.JoinHostPort("127.0.0.1", firstPort)
	upstream := net.JoinHostPort(u.Hostname(), port)
	if port == firstPort {
		listen = net.JoinHostPort("127.0.0.1", "18081")
	}
	through := *u
	through.Host, through.Fragment, through.RawFragment = listen, "", ""
	values := first{
		Claim: quoted(u.Host + " still answers within two seconds when every answer is 300 ms late."),
		Name:  "slow-" + slug(u.Hostname()), Host: u.Host, Listen: listen, Upstream: quoted(upstream),
		URL: quoted(escapeVars(through.String())), HostHeader: quoted(u.Host),
	}
	settings, err := render(firstSettings, values)
	if err != nil {
		return nil, err
	}
	experiment, err := render(firstExperiment, values)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"mishap.yaml": settings, "experiments/" + values.Name + ".yaml": experiment}, nil
}

func parseService(rawURL string) (*url.URL, error) {
	const example = "for example `mishap init http://localhost:8080/health`"
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q is not a URL", shorten(rawURL)), example)
	case u.Scheme == "https":
		return nil, mishap.WithHint(fmt.Errorf("make experiment: the first experiment reaches %s through a proxy on this machine, and its certificate is not for that address", u.Host),
			"give an http:// URL of the service behind the TLS endpoint, or put a proxy in front of one of its dependencies by hand")
	case u.Scheme != "http" || u.Hostname() == "":
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q does not begin with http:// and a host", shorten(rawURL)), example)
	case u.User != nil:
		return nil, mishap.WithHint(fmt.Errorf("read URL: it holds a user or password, which would be written to a file"), "leave it out, and add headers: {Authorization: {env: NAME}} to the probe")
	case !plainHost(u.Hostname()):
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q is not a host", shorten(u.Hostname())), example)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// plainHost reports whether host has only what names and addresses have.
func plainHost(host string) bool {
	for _, r := range host {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", r) {
			return false
		}
	}
	return len(host) <= 253
}

// slug turns a host into a part of an experiment's name.
func slug(host string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(host) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	s := b.String()
	if s = strings.Trim(s[:min(len(s), 50)], "-"); s == "" {
		return "service"
	}
	return s
}

// escapeVars makes a text one that holds no variables.
func escapeVars(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// quoted writes a text as JSON does, which YAML reads.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string is always written
	return strings.TrimSpace(b.String())
}

func render(text string, values first) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return nil, fmt.Errorf("write file: %w", err)
	}
	return b.Bytes(), nil
}

const firstSettings = `# Settings of mishap. ` + "`mishap config`" + ` shows all of them and where each comes from.

# A proxy passes TCP bytes on, and is where faults on traffic are put in. Start
# it with ` + "`mishap proxy`" + `, and let callers connect to listen instead of upstream.
proxies:
  - name: service
    listen: {{.Listen}}
    upstream: {{.Upstream}}
    control: ./.mishap/proxy.sock # where mishap talks to it; only for you
`

const firstExperiment = `# A first experiment: does {{.Host}} still answer in time when it is slow?
#
#   mishap proxy                    in one terminal; it listens on {{.Listen}}
#   mishap plan experiments/{{.Name}}.yaml     says what would happen
#   mishap run experiments/{{.Name}}.yaml      does it, and undoes it
version: 1
name: {{.Name}}
claim: {{.Claim}}

# What must be so before, while and after the fault is in. The probe is the
# traffic: it asks through the proxy, so that it feels the fault.
steadyState:
  - name: it answers
    probe: http
    with:
      url: {{.URL}}
      headers: {Host: {{.HostHeader}}} # the service sees its own name, not that of the proxy
    expect: {status: 2xx, latency: "<= 2s"}
    every: 1s
    timeout: 5s
    allow: 2 of 20 # unmet observations tolerated while the fault is in

# What goes wrong, and for how long at most.
faults:
  - name: it is slow
    injector: proxy-latency
    targets: {proxy: service} # a name in mishap.yaml
    with: {delay: 300ms, jitter: 50ms}
    for: 30s

# The most that a run may touch: one proxy.
blastRadius: {targets: 1}

# How long it may take until all is well again after the fault was taken out.
recovery: {within: 1m}
`
