package config

import (
	"path/filepath"
	"strings"

	"github.com/spf13/viper"
)

// Proxy is one listener of `mishap proxy`.
type Proxy struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Protocol string `json:"protocol,omitempty"` // tcp (default) or udp
	Control  string `json:"control"`            // path of the control socket, or tcp://host:port
	// ControlTLS makes the control API one for other machines: mutual TLS on tcp://host:port.
	ControlTLS ControlTLS `json:"controlTLS,omitzero" mapstructure:"controlTLS"`
}

// ControlTLS are PEM files: our certificate and key, and who must have signed the other side's.
type ControlTLS struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
}

func (s *Settings) fillProxies(v *viper.Viper) (problems []error) {
	if err := v.UnmarshalKey("proxies", &s.Proxies); err != nil {
		return []error{s.wrong("proxies", "must be a list of {name, listen, upstream, protocol, control, controlTLS}")}
	}
	names := map[string]bool{}
	for i := range s.Proxies {
		p := &s.Proxies[i]
		if p.Name == "" || names[p.Name] {
			problems = append(problems, s.wrong("proxies", "proxy %d needs a name of its own, not %q", i+1, p.Name))
		}
		names[p.Name] = true
		for what, address := range map[string]string{"listen": p.Listen, "upstream": p.Upstream} {
			if !isAddress(address) {
				problems = append(problems, s.wrong("proxies", "%s of proxy %q is %q; write host:port", what, p.Name, address))
			}
		}
		if p.Protocol != "" && p.Protocol != "tcp" && p.Protocol != "udp" {
			problems = append(problems, s.wrong("proxies", "protocol of proxy %q is %q; write tcp or udp", p.Name, p.Protocol))
		}
		for _, file := range []*string{&p.ControlTLS.Certificate, &p.ControlTLS.Key, &p.ControlTLS.CA} {
			if path, err := s.path("proxies", *file); err == nil && *file != "" {
				*file = path
			}
		}
		if p.Control == "" {
			p.Control = filepath.Join(s.State, "proxy.sock")
		} else if strings.HasPrefix(p.Control, "tcp://") {
			continue
		} else if path, err := s.path("proxies", p.Control); err == nil {
			p.Control = path
		}
	}
	if s.Proxies != nil {
		s.set("proxies", s.Proxies)
	}
	return problems
}
