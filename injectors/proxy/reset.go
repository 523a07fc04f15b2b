package proxy

import "mishap"

type resetWith struct {
	After mishap.Duration `json:"after,omitempty" jsonschema:"how long after the fault has reached a connection; default at once"`
	connectionWith
}

func reset() kind {
	return kind{
		name: "proxy-reset", symptom: mishap.SymptomUnreachable, effect: "reset", protocols: "tcp", verb: "resets connections",
		summary: "resets the connections that pass a mishap proxy",
		doc: "Both sides get a RST, as from a peer that crashed, or a firewall that lost its state. " +
			"Connections that are open are reset, and new ones after the same while.",
		example: "injector: proxy-reset\ntargets: {proxy: database}\nwith: {after: 10s, share: 20%}\nfor: 2m",
		params:  resetWith{}, read: readWith(resetWith{connectionWith: allConnections()}),
	}
}

func (w resetWith) problems() []error { return wait("with.after", w.After, true) }

func (w resetWith) effect() any { return map[string]any{"after": w.After} }

func (w resetWith) asked() mishap.Duration { return 0 }
