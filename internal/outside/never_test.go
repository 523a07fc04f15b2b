package outside

import (
	"net/netip"
	"testing"
)

func TestAListedNameDoesNotLeadToMetadata(t *testing.T) {
	h, err := ParseHosts([]string{"api.example"})
	if err != nil {
		t.Fatal(err)
	}
	for text, allowed := range map[string]bool{"192.0.2.1": true, "169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1%lo": false, "fd00:ec2::254": false} {
		const named = true
		if err := h.forbidsAddress(netip.MustParseAddr(text), "80", named); (err == nil) != allowed {
			t.Errorf("%s: %v", text, err)
		}
	}
}
