package toxiproxy

import (
	"context"
	"net"
	"net/netip"
)

// resolve gives an address to listen on with an IP address in the place of a name, as net.ResolveTCPAddr does, but not for
// longer than ctx allows: the caller must not wait for a name server under a lock.
func resolve(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if _, notIP := netip.ParseAddr(host); err == nil && host != "" && notIP != nil {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return "", err
		}
		listen = net.JoinHostPort(preferred(found).Unmap().String(), port)
	}
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return "", err
	}
	return address.String(), nil
}

// preferred is the first address of IPv4, or the first.
func preferred(list []netip.Addr) netip.Addr {
	for _, a := range list {
		if a.Unmap().Is4() {
			return a
		}
	}
	return list[0]
}
