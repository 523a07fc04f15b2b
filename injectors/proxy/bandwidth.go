package proxy

import "mishap"

type bandwidthWith struct {
	Rate Size `json:"rate" jsonschema:"bytes per second on each way of each connection, such as 64KB"`
	streamWith
}

func bandwidth() kind {
	return kind{
		name: "proxy-bandwidth", symptom: mishap.SymptomSlow, effect: "bandwidth", protocols: "tcp", verb: "slows down connections", ramps: true,
		summary: "limits how many bytes pass a mishap proxy in a second",
		doc: "Each connection has a bottleneck of its own on each way. Little is read ahead of it, so that the sender feels it too. " +
			"How long bytes waited for it is reported.",
		example: "injector: proxy-bandwidth\ntargets: {proxy: images}\nwith: {rate: 64KB}\nfor: 5m",
		params:  bandwidthWith{}, read: readWith(bandwidthWith{streamWith: allStreams()}),
	}
}

func (w bandwidthWith) problems() []error {
	if w.Rate > 0 {
		return nil
	}
	return []error{&mishap.FieldError{Path: "with.rate", Msg: "must be above 0", Hint: "for example rate: 64KB"}}
}

func (w bandwidthWith) effect() any { return map[string]any{"rate": int64(w.Rate)} }

func (w bandwidthWith) asked() mishap.Duration { return 0 }
