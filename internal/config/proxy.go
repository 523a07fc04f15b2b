package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// Proxy is one listener of `mishap proxy`.
type Proxy struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Protocol string `json:"protocol,omitempty"` // tcp (default), udp or http
	Control  string `json:"control,omitempty"`  // path of the control socket, or tcp://host:port; that of another, else in state
	// ControlTLS makes the control API one for other machines: mutual TLS on tcp://host:port.
	ControlTLS ControlTLS `json:"controlTLS,omitzero"`

	Edge   bool `json:"edge,omitempty"`   // of http: clients are outside, and what they say of arms is taken out
	Egress bool `json:"egress,omitempty"` // of http: the upstream is outside, and is told nothing of arms

	SNI map[string]string `json:"sni,omitempty"` // of tcp: by the name in a TLS hello, upstreams other than the usual one

	TLS         *ServerTLS `json:"tls,omitempty"`         // of http: how clients are answered
	UpstreamTLS *ClientTLS `json:"upstreamTLS,omitempty"` // of http: how the upstream is asked
}

// ControlTLS are PEM files: our certificate and key, and who must have signed the other side's.
type ControlTLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca"`
}

// ServerTLS names the PEM files of a proxy that answers with TLS.
type ServerTLS struct {
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	ClientCA string `json:"clientCA,omitempty"` // clients must show a certificate that it has signed
}

// ClientTLS says how a proxy asks an upstream with TLS, whose certificate it always verifies.
type ClientTLS struct {
	ServerName string `json:"serverName,omitempty"` // default the host of upstream
	CA         string `json:"ca,omitempty"`         // PEM file; default the system's authorities
	Cert       string `json:"cert,omitempty"`
	Key        string `json:"key,omitempty"`
}

// files are the paths that the proxy names.
func (p *Proxy) files() []*string {
	files := []*string{&p.ControlTLS.Cert, &p.ControlTLS.Key, &p.ControlTLS.CA}
	if t := p.TLS; t != nil {
		files = append(files, &t.Cert, &t.Key, &t.ClientCA)
	}
	if t := p.UpstreamTLS; t != nil {
		files = append(files, &t.CA, &t.Cert, &t.Key)
	}
	if !strings.HasPrefix(p.Control, "tcp://") {
		files = append(files, &p.Control)
	}
	return files
}

// shareControl gives the control socket that one proxy names to those that name
// none: there is one for all. If nobody names one, or some name others than
// others, as those of several machines do, it is in the state folder.
func (s *Settings) shareControl() {
	named := Proxy{Control: filepath.Join(s.State, "proxy.sock")}
	own := func(p Proxy) bool { return p.Control != "" }
	if i := slices.IndexFunc(s.Proxies, own); i >= 0 && !slices.ContainsFunc(s.Proxies, func(p Proxy) bool { return own(p) && p.Control != s.Proxies[i].Control }) {
		named = s.Proxies[i]
	}
	for i := range s.Proxies {
		p := &s.Proxies[i]
		if p.Control == "" {
			p.Control = named.Control
		}
		if p.Control == named.Control && p.ControlTLS == (ControlTLS{}) {
			p.ControlTLS = named.ControlTLS
		}
	}
}

// checkProxies checks the proxies and makes their paths absolute.
func (s *Settings) checkProxies() (problems []error) {
	s.shareControl()
	names, protocols := map[string]bool{}, []string{"", "tcp", "udp", "http"}
	for i := range s.Proxies {
		p := &s.Proxies[i]
		if p.Name == "" || names[p.Name] {
			problems = append(problems, s.wrong(part("proxies", i), "proxy %d needs a name of its own, not %q", i+1, p.Name))
		}
		names[p.Name] = true
		for what, address := range map[string]string{"listen": p.Listen, "upstream": p.Upstream} {
			if !isAddress(address) && (what == "listen" || address != "original") {
				problems = append(problems, s.wrong(part("proxies", i, what), "%s of proxy %q is %q; write host:port", what, p.Name, address))
			}
		}
		if !slices.Contains(protocols, p.Protocol) {
			problems = append(problems, s.wrong(part("proxies", i, "protocol"), "protocol of proxy %q is %q; write tcp, udp or http", p.Name, p.Protocol))
		}
		if (p.Edge || p.Egress) && p.Protocol != "http" {
			problems = append(problems, s.wrong(part("proxies", i), "proxy %q has edge or egress, which is for protocol http: others know no baggage", p.Name))
		}
		for _, file := range p.files() {
			if path, err := s.path("proxies", *file); err == nil && *file != "" {
				*file = path
			}
		}
	}
	if s.Proxies != nil {
		s.set("proxies", s.Proxies)
	}
	return problems
}
