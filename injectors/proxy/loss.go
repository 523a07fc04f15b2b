package proxy

import "mishap"

type lossWith struct {
	Rate      mishap.Share `json:"rate" jsonschema:"part of the datagrams to lose, such as 5%"`
	Direction string       `json:"direction,omitempty" jsonschema:"upstream, downstream (default) or both"`
	Share     mishap.Share `json:"share,omitempty" jsonschema:"part of the clients (address and port), above 0%; default 100%"`
	Seed      uint64       `json:"seed,omitempty" jsonschema:"seed of which datagrams are lost, and of which clients are hit"`
}

func loss() kind {
	return kind{
		name: "proxy-loss", symptom: mishap.SymptomUnreachable, effect: "loss", protocols: "udp", verb: "loses datagrams", ramps: true,
		summary: "loses a part of the datagrams that pass a mishap proxy",
		doc:     "It is for proxies with `protocol: udp`, such as one in front of a name server: lost queries show who asks again, and how soon.",
		example: "injector: proxy-loss\ntargets: {proxy: dns}\nwith: {rate: 20%}\nfor: 2m",
		params:  lossWith{}, read: readWith(lossWith{Direction: "downstream", Share: 1}),
	}
}

func (w lossWith) hit() hit { return hit{w.Direction, w.Share, w.Seed} }

func (w lossWith) problems() []error {
	if w.Rate > 0 {
		return nil
	}
	return []error{&mishap.FieldError{Path: "with.rate", Msg: "must be above 0%", Hint: "for example rate: 5%"}}
}

func (w lossWith) effect() any { return map[string]any{"rate": float64(w.Rate)} }

func (w lossWith) asked() mishap.Duration { return 0 }
