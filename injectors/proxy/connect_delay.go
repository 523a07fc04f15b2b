package proxy

import "mishap"

type connectDelayWith struct {
	spreadWith
	connectionWith
}

func connectDelay() kind {
	return kind{
		name: "proxy-connect-delay", symptom: mishap.SymptomSlow, effect: "connect-delay", protocols: "tcp", verb: "delays new connections", ramps: true,
		summary: "lets new connections through a mishap proxy wait before they reach the upstream",
		doc: "A client's connect succeeds at once, because the kernel accepts for the proxy; what is late is the first byte. " +
			"Connections that are open are not touched: it shows who keeps connections, and who makes one for each request.",
		example: "injector: proxy-connect-delay\ntargets: {proxy: database}\nwith: {delay: 2s}\nfor: 5m",
		params:  connectDelayWith{}, read: readWith(connectDelayWith{connectionWith: allConnections()}),
	}
}

func (w connectDelayWith) effect() any { return w.spreadWith.effect() }

func (w connectDelayWith) asked() mishap.Duration { return w.spreadWith.asked() }
