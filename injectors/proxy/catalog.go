// Package proxy is the faults that a mishap proxy causes in the traffic that
// passes it: one file each.
package proxy

import "mishap"

// Catalog lists the faults.
func Catalog(d Deps) []mishap.InjectorKind {
	var all []mishap.InjectorKind
	for _, k := range kinds() {
		all = append(all, k.injectorKind(d))
	}
	return all
}

func kinds() []kind {
	return []kind{
		bandwidth(),
		connectDelay(),
		grpcError(),
		httpAbort(),
		httpBody(),
		httpError(),
		httpHeader(),
		httpLatency(),
		latency(),
		limit(),
		loss(),
		refuse(),
		reset(),
		slicer(),
		slowClose(),
		timeout(),
	}
}
