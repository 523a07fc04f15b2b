package proxy

import "mishap"

type latencyWith struct {
	spreadWith
	Per string `json:"per,omitempty" jsonschema:"chunk (default): each read draws a delay; connection: each connection draws once"`
	streamWith
}

func latency() kind {
	return kind{
		name: "proxy-latency", symptom: mishap.SymptomSlow, effect: "latency", protocols: "tcp udp", verb: "delays connections", ramps: true,
		summary: "delays the traffic that passes a mishap proxy",
		doc: "Connections that are open are delayed too, and none is broken. " +
			"Nothing is ever early: a stream keeps its order, so that with a jitter a chunk may wait for the one before it; `per: connection` avoids that. " +
			"Datagrams of a proxy with `protocol: udp` do not wait for each other, and change their order. " +
			"The same seed draws the same delays. What was asked for and what was delivered are reported side by side.",
		example: "injector: proxy-latency\ntargets: {proxy: payments}\nwith: {delay: 300ms, jitter: 50ms, distribution: normal}\nfor: 5m",
		params:  latencyWith{}, read: readWith(latencyWith{streamWith: allStreams()}),
	}
}

func (w latencyWith) problems() []error {
	return append(w.spreadWith.problems(), oneOf("with.per", w.Per, "chunk", "connection")...)
}

func (w latencyWith) effect() any {
	effect := w.spreadWith.effect()
	effect["per"] = w.Per
	return effect
}

func (w latencyWith) asked() mishap.Duration { return w.spreadWith.asked() }
