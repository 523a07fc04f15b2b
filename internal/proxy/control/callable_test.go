package control

import "testing"

func TestAControlOnEveryInterfaceIsCalledByLocalhost(t *testing.T) {
	for listens, called := range map[string]string{
		"0.0.0.0:7677": "localhost:7677", "[::]:7677": "localhost:7677", ":7677": "localhost:7677",
		"127.0.0.1:1": "127.0.0.1:1", "10.0.0.1:1": "10.0.0.1:1", "proxy.test:1": "proxy.test:1", "[::1]:1": "[::1]:1",
	} {
		if got := callable(listens); got != called {
			t.Errorf("%s is called by %s, want %s", listens, got, called)
		}
	}
}
