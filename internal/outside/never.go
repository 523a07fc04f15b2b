package outside

import "net/netip"

// never are the addresses that nothing is asked at unless they are listed
// themselves: link-local ones, and where clouds answer with credentials, also as
// addresses of IPv6 that a gateway translates to one of those.
func never(address netip.Addr) bool {
	if address.IsLinkLocalUnicast() {
		return true
	}
	for _, cloud := range metadata() {
		if cloud.Contains(address) {
			return true
		}
	}
	inner, ok := translated(address)
	return ok && never(inner)
}

// metadata are those that are not link-local.
func metadata() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("fd00:ec2::/32"),          // AWS: instance metadata, credentials of EKS pods
		netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
		netip.MustParsePrefix("168.63.129.16/32"),       // Azure's agent, with certificates and settings
		netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
		netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud, the older one
		netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
		netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	}
}

// translation is a prefix of addresses that hold one of IPv4.
type translation struct {
	of netip.Prefix
	at int // the byte that it begins at
}

// translations are those of NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), and of
// IPv4-compatible addresses (RFC 4291).
func translations() []translation {
	return []translation{
		{netip.MustParsePrefix("64:ff9b::/96"), 12},
		{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
		{netip.MustParsePrefix("2002::/16"), 2},
		{netip.MustParsePrefix("::/96"), 12},
	}
}

func translated(address netip.Addr) (inner netip.Addr, ok bool) {
	bytes := address.As16()
	for _, t := range translations() {
		if t.of.Contains(address) {
			return netip.AddrFrom4([4]byte(bytes[t.at : t.at+4])), true
		}
	}
	return inner, false
}
