package proxy

import "mishap"

type limitWith struct {
	Bytes Size   `json:"bytes" jsonschema:"how many bytes pass before the end, such as 64KB; 0B ends it at the first byte"`
	How   string `json:"how,omitempty" jsonschema:"close (default), as a peer that has finished; or reset"`
	streamWith
}

func limit() kind {
	return kind{
		name: "proxy-limit", symptom: mishap.SymptomUnreachable, effect: "limit", protocols: "tcp", verb: "cuts off connections",
		summary: "ends the connections that pass a mishap proxy after so many bytes",
		doc: "Answers are cut off in their middle. With close the end looks like a normal one: a client that does not check the length takes half an answer for a whole one. " +
			"Bytes are counted from when the fault has reached a connection.",
		example: "injector: proxy-limit\ntargets: {proxy: images}\nwith: {bytes: 100KB}\nfor: 2m",
		params:  limitWith{}, read: readWith(limitWith{streamWith: allStreams()}),
	}
}

func (w limitWith) problems() []error { return oneOf("with.how", w.How, "close", "reset") }

func (w limitWith) effect() any { return map[string]any{"bytes": int64(w.Bytes), "how": w.How} }

func (w limitWith) asked() mishap.Duration { return 0 }
