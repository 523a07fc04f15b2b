package proxy

import "mishap"

type refuseWith struct {
	How string `json:"how,omitempty" jsonschema:"reset (default) or close"`
	connectionWith
}

func refuse() kind {
	return kind{
		name: "proxy-refuse", symptom: mishap.SymptomUnreachable, effect: "refuse", protocols: "tcp", verb: "refuses new connections",
		summary: "refuses new connections through a mishap proxy",
		doc: "The kernel accepts for the proxy, so that a client sees its connection reset (or closed) at once, and not refused. " +
			"Connections that are open are not touched; proxy-reset ends those.",
		example: "injector: proxy-refuse\ntargets: {proxy: database}\nwith: {share: 50%}\nfor: 2m",
		params:  refuseWith{}, read: readWith(refuseWith{connectionWith: allConnections()}),
	}
}

func (w refuseWith) problems() []error { return oneOf("with.how", w.How, "reset", "close") }

func (w refuseWith) effect() any { return map[string]any{"how": w.How} }

func (w refuseWith) asked() mishap.Duration { return 0 }
