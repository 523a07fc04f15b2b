package proxy

import (
	"maps"

	"mishap"
)

type httpLatencyWith struct {
	spreadWith
	Point string `json:"point,omitempty" jsonschema:"request (default): before the upstream is asked; response: before its answer goes on"`
	requestWith
}

func httpLatency() kind {
	return kind{
		name: "proxy-http-latency", symptom: mishap.SymptomSlow, effect: "http-latency", protocols: "http", arms: true, verb: "delays requests", ramps: true,
		summary: "delays requests that pass a mishap proxy with protocol http",
		doc: "Each request draws its own delay, and no request waits for another. Requests that wait already are delayed too, " +
			"counted from when they came, and a fault that ends lets go of them.",
		example: "injector: proxy-http-latency\ntargets: {proxy: payments}\nwith: {delay: 300ms, method: POST, path: /pay/*, share: 10%, key: \"cookie:session\"}\nfor: 5m",
		params:  httpLatencyWith{}, read: readWith(httpLatencyWith{requestWith: allRequests()}),
	}
}

func (w httpLatencyWith) problems() []error {
	return append(append(w.spreadWith.problems(), w.requestWith.problems()...), oneOf("with.point", w.Point, "request", "response")...)
}

func (w httpLatencyWith) effect() any {
	effect := w.fields()
	maps.Copy(effect, w.spreadWith.effect())
	effect["point"] = w.Point
	return effect
}

func (w httpLatencyWith) asked() mishap.Duration { return w.spreadWith.asked() }
