package outside_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"mishap/internal/nettest"
	"mishap/internal/outside"
)

func hosts(t *testing.T, entries ...string) outside.Hosts {
	t.Helper()
	h, err := outside.ParseHosts(entries)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHostsAreListedByNamePortAndRange(t *testing.T) {
	for _, c := range []struct {
		listed  string
		to      string
		allowed bool
	}{
		{"", "api.example:80", true},
		{"", "127.0.0.1:80", true},
		{"", "169.254.169.254:80", false},
		{"", "[::ffff:169.254.169.254]:80", false},
		{"", "[fe80::1%eth0]:80", false},
		{"", "[fd00:ec2::254]:80", false},
		{"", "100.100.100.200:80", false},
		{"169.254.169.254", "169.254.169.254:80", true},
		{"169.254.0.0/16", "169.254.169.254:80", true},
		{"169.254.169.254:81", "169.254.169.254:80", false},
		{"api.example", "API.example.:443", true},
		{"api.example", "api.example.evil:443", false},
		{"api.example", "xapi.example:443", false},
		{"api.example:443", "api.example:80", false},
		{"api.example:443", "api.example:443", true},
		{"*.example", "a.b.example:1", true},
		{"*.example", "example:1", false},
		{"*.example", "evilexample:1", false},
		{"10.0.0.0/8", "10.9.8.7:1", true},
		{"10.0.0.0/8", "11.9.8.7:1", false},
		{"[::1]:80", "[::1]:80", true},
		{"[::1]:80", "[::1]:81", false},
		{"10.0.0.0/8 api.example", "127.0.0.1:80", false},
	} {
		err := hosts(t, strings.Fields(c.listed)...).Forbids(c.to)
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, outside.ErrForbidden) {
			t.Errorf("listed %q, asked for %s: %v, want allowed %v", c.listed, c.to, err, c.allowed)
		}
	}
	for _, entry := range []string{"", "*", "http://a", "a/b", "*.*"} {
		if _, err := outside.ParseHosts([]string{entry}); err == nil {
			t.Errorf("%q is taken for a host", entry)
		}
	}
}

// The address is what decides, at the moment of connecting: whoever owns a name
// may point it anywhere.
func TestANameCannotBePointedAtWhatIsNotListed(t *testing.T) {
	listener := nettest.Listen(t)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for listed, allowed := range map[string]bool{"": true, "10.0.0.0/8": false, "127.0.0.0/8 ::1": true, "localhost": true, "localhost:" + port: true, "localhost:1": false} {
		conn, err := hosts(t, strings.Fields(listed)...).Dial(t.Context(), "tcp", "localhost:"+port)
		if conn != nil {
			conn.Close()
		}
		if (err == nil) != allowed || !allowed && !errors.Is(err, outside.ErrForbidden) {
			t.Errorf("listed %q: %v, want allowed %v", listed, err, allowed)
		}
	}
}

func TestAnotherPortOrSchemeIsAnotherHost(t *testing.T) {
	for to, want := range map[string]bool{"http://a:80/x": true, "http://A/": true, "http://a:81/": false, "https://a/": false, "https://a:80/": false, "http://b/": false} {
		first, err := url.Parse("http://a/")
		if err != nil {
			t.Fatal(err)
		}
		next, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if outside.SameHost(next, first) != want {
			t.Errorf("%s: want %v", to, want)
		}
	}
}
