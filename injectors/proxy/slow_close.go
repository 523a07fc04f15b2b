package proxy

import "mishap"

type slowCloseWith struct {
	Delay mishap.Duration `json:"delay" jsonschema:"how much later the end of a stream is passed on"`
	streamWith
}

func slowClose() kind {
	return kind{
		name: "proxy-slow-close", symptom: mishap.SymptomSlow, effect: "slow-close", protocols: "tcp", verb: "closes connections late",
		summary: "lets connections that pass a mishap proxy close late",
		doc:     "Bytes pass at once, only the end of the stream (FIN) is late: pools fill up with connections that are over.",
		example: "injector: proxy-slow-close\ntargets: {proxy: database}\nwith: {delay: 30s}\nfor: 5m",
		params:  slowCloseWith{}, read: readWith(slowCloseWith{streamWith: allStreams()}),
	}
}

func (w slowCloseWith) problems() []error { return wait("with.delay", w.Delay, false) }

func (w slowCloseWith) effect() any { return map[string]any{"delay": w.Delay} }

func (w slowCloseWith) asked() mishap.Duration { return w.Delay }
