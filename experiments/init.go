package experiments

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"text/template"

	"mishap"
)

// firstPort is where the first proxy listens, on this machine only.
const firstPort = 18080

// Asked is what a first pair of experiments is to be about.
type Asked struct {
	URL          string   // of the service: http or https
	Dependencies []string // of the service: HOST:PORT or NAME=HOST:PORT
	Load         string   // the command that makes load, for who reads the files
	Known        []Proxy  // of the settings that there are

	Taken func(port int) bool // somebody listens on the port of this machine; nil: nobody does
}

// Proxy is a proxy of the settings, as far as [Init] needs it.
type Proxy struct {
	Name, Listen, Upstream string
	HTTPS                  bool // it asks the upstream with TLS, and takes requests without
}

// First is what [Init] makes.
type First struct {
	Added  []Proxy           // that the settings lack
	Behind []Proxy           // what the experiments put faults into, those that were there too
	Files  map[string][]byte // the experiments, by path
	Start  string            // of them, to look at first
	Probe  string            // the URL that they ask
}

// Init makes two experiments for each dependency of a service: one makes it slow,
// and one takes it away, so that what comes out depends on what the service does
// about it. Without any they are about the service itself, behind a proxy. All is
// complete, and runs as it is.
func Init(a Asked) (First, error) {
	u, err := parseService(a.URL)
	if err != nil {
		return First{}, err
	}
	out := First{Files: map[string][]byte{}, Probe: u.String()}
	if len(a.Dependencies) == 0 {
		return out, out.service(u, a)
	}
	for _, text := range a.Dependencies {
		name, upstream, err := parseDependency(text)
		if err != nil {
			return First{}, err
		}
		p := out.proxy(a, Proxy{Name: name, Upstream: upstream})
		if err := out.write(dependencyTrials(u, p, a.Load)); err != nil {
			return First{}, err
		}
	}
	return out, nil
}

// service makes experiments on a service without a dependency: their probe is a
// caller of it, through the proxy.
func (f *First) service(u *url.URL, a Asked) error {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	p := f.proxy(a, Proxy{Name: serviceName(u.Hostname()), Upstream: net.JoinHostPort(u.Hostname(), port), HTTPS: u.Scheme == "https"})
	through := *u
	through.Scheme, through.Host = "http", p.Listen
	f.Probe = through.String()
	return f.write(serviceTrials(u, p, a.Load, f.Probe))
}

// proxy gives the proxy of the settings that has this upstream, or adds one: with a
// name and a port of its own, the first that is free.
func (f *First) proxy(a Asked, p Proxy) Proxy {
	all := append(append([]Proxy{}, a.Known...), f.Added...)
	taken := func(name string) bool {
		for _, other := range all {
			if other.Name == name {
				return true
			}
		}
		return false
	}
	for _, other := range all {
		if other.Upstream == p.Upstream && other.HTTPS == p.HTTPS {
			f.Behind = append(f.Behind, other)
			return other
		}
	}
	for name, n := p.Name, 2; taken(p.Name); n++ {
		p.Name = fmt.Sprintf("%s-%d", name, n)
	}
	port := firstPort
	for ; port < firstPort+1000 && (used(all, p.Upstream, port) || a.Taken != nil && a.Taken(port)); port++ {
		continue
	}
	p.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	f.Added, f.Behind = append(f.Added, p), append(f.Behind, p)
	return p
}

// used reports whether a port is one of a proxy, or of what it is to stand before.
func used(all []Proxy, upstream string, port int) bool {
	ends := ":" + strconv.Itoa(port)
	if strings.HasSuffix(upstream, ends) {
		return true
	}
	for _, p := range all {
		if strings.HasSuffix(p.Listen, ends) {
			return true
		}
	}
	return false
}

func (f *First) write(trials []trial) error {
	t, err := template.New("").Funcs(template.FuncMap{"quoted": func(s string) string { return quoted(escapeVars(s)) }, "line": printable}).Parse(firstExperiment)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	for _, one := range trials {
		var b bytes.Buffer
		if err := t.Execute(&b, one); err != nil {
			return fmt.Errorf("write experiment: %w", err)
		}
		path := "experiments/" + one.Name + ".yaml"
		f.Files[path] = b.Bytes()
		f.Start = cmp.Or(f.Start, path)
	}
	return nil
}

func parseService(rawURL string) (*url.URL, error) {
	const example = "for example `mishap init http://localhost:8080/health`"
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q is not a URL", shorten(rawURL)), example)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q does not begin with http:// or https:// and a host", shorten(rawURL)), example)
	case u.User != nil:
		return nil, mishap.WithHint(fmt.Errorf("read URL: it holds a user or password, which would be written to a file"), "leave it out, and add headers: {Authorization: {env: NAME}} to the probe")
	case !plainHost(u.Hostname()):
		return nil, mishap.WithHint(fmt.Errorf("read URL: %q is not a host", shorten(u.Hostname())), example)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// parseDependency reads HOST:PORT or NAME=HOST:PORT.
func parseDependency(text string) (name, upstream string, err error) {
	const hint = "write HOST:PORT, such as db.internal:5432, or NAME=HOST:PORT"
	name, upstream, named := strings.Cut(text, "=")
	if !named {
		name, upstream = "", text
	}
	host, port, err := net.SplitHostPort(upstream)
	if err != nil || host == "" || !plainHost(host) {
		return "", "", mishap.WithHint(fmt.Errorf("read dependency: %q has no host and port", shorten(text)), hint)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", mishap.WithHint(fmt.Errorf("read dependency: %q is not a port", shorten(port)), hint)
	}
	switch {
	case !named:
		name = dependencyName(host, port)
	case slug(name) != name:
		return "", "", mishap.WithHint(fmt.Errorf("read dependency: %q is not a name", shorten(name)), "a name has lowercase letters, digits and dashes")
	}
	return name, upstream, nil
}

// dependencyName is what people call what listens at a port, or else the host.
func dependencyName(host, port string) string {
	if name := map[string]string{
		"1433": "sqlserver", "2379": "etcd", "3306": "mysql", "4222": "nats", "5432": "postgres", "5672": "rabbitmq",
		"6379": "redis", "9042": "cassandra", "9092": "kafka", "9200": "elasticsearch", "11211": "memcached", "27017": "mongodb",
	}[port]; name != "" {
		return name
	}
	if name := serviceName(host); name != "service" {
		return name
	}
	return "dependency-" + port
}

// serviceName is the first label of a host; of this machine and of addresses,
// service.
func serviceName(host string) string {
	label, _, _ := strings.Cut(host, ".")
	if host == "localhost" || net.ParseIP(host) != nil {
		return "service"
	}
	return slug(label)
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
	if s = strings.Trim(s[:min(len(s), 40)], "-"); s == "" {
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
