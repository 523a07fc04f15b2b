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

// Nothing but an address itself lets it be asked, whatever it is written as.
func TestCredentialsOfACloudAreAskedForByNoAddress(t *testing.T) {
	var all Hosts
	for text, allowed := range map[string]bool{
		"169.254.170.2": false, "fd00:ec2::23": false, "fd20:ce::254": false, "168.63.129.16": false,
		"fd00:c1::a9fe:a9fe": false, "192.0.0.192": false, "100.100.100.200": false, "fd00:42::42": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b:1::a9fe:a9fe": false, "2002:a9fe:a9fe::1": false, "::169.254.169.254": false,
		"64:ff9b::6464:64c8": false,
		"64:ff9b::c000:201":  true, "2002:c000:201::1": true, "::1": true, "127.0.0.1": true, "fd00::1": true, "168.63.129.17": true,
	} {
		if err := all.forbidsAddress(netip.MustParseAddr(text), "80", false); (err == nil) != allowed {
			t.Errorf("%s: %v", text, err)
		}
	}
	listed, err := ParseHosts([]string{"fd00:ec2::254"})
	if err != nil {
		t.Fatal(err)
	}
	if err := listed.forbidsAddress(netip.MustParseAddr("fd00:ec2::254"), "80", false); err != nil {
		t.Errorf("one that is listed: %v", err)
	}
}
