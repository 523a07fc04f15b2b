package outside

import (
	"net"
	"net/url"
)

// HostPort is what a URL of the web connects to, with the port of its scheme if
// it names none.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
