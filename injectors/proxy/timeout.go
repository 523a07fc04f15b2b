package proxy

import "mishap"

type timeoutWith struct {
	After mishap.Duration `json:"after,omitempty" jsonschema:"reset a connection so long after the fault has reached it; default never"`
	Data  string          `json:"data,omitempty" jsonschema:"hold (default): bytes go on when the fault ends; drop: they are lost, and the connection is reset then"`
	streamWith
}

func timeout() kind {
	return kind{
		name: "proxy-timeout", symptom: mishap.SymptomUnreachable, effect: "timeout", protocols: "tcp udp", verb: "swallows the bytes of connections",
		summary: "lets nothing pass a mishap proxy any more, without closing a connection",
		doc: "A black hole: whoever waits for an answer waits until it gives up, as in a network partition. " +
			"A stream with a hole never goes on: connections that lost bytes are reset. Datagrams are lost.",
		example: "injector: proxy-timeout\ntargets: {proxy: payments}\nwith: {direction: both}\nfor: 2m",
		params:  timeoutWith{}, read: readWith(timeoutWith{streamWith: allStreams()}),
	}
}

func (w timeoutWith) problems() []error {
	return append(wait("with.after", w.After, true), oneOf("with.data", w.Data, "hold", "drop")...)
}

func (w timeoutWith) effect() any { return map[string]any{"after": w.After, "data": w.Data} }

func (w timeoutWith) asked() mishap.Duration { return 0 }
