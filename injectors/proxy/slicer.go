package proxy

import (
	"fmt"

	"mishap"
)

type slicerWith struct {
	Size  Size            `json:"size" jsonschema:"bytes of a piece, such as 64B; at most 32KiB"`
	Vary  Size            `json:"vary,omitempty" jsonschema:"the size of a piece is drawn between size - vary and size + vary"`
	Delay mishap.Duration `json:"delay,omitempty" jsonschema:"between two pieces of what was sent at once; default none"`
	streamWith
}

func slicer() kind {
	return kind{
		name: "proxy-slicer", symptom: mishap.SymptomSlow, effect: "slicer", protocols: "tcp", verb: "cuts the bytes of connections into pieces",
		summary: "cuts what passes a mishap proxy into small pieces that leave one by one",
		doc:     "It finds readers that take one read for one message, and timeouts that restart with every byte.",
		example: "injector: proxy-slicer\ntargets: {proxy: payments}\nwith: {size: 64B, vary: 32B, delay: 10ms}\nfor: 2m",
		params:  slicerWith{}, read: readWith(slicerWith{streamWith: allStreams()}),
	}
}

func (w slicerWith) problems() []error {
	const largest = 32 << 10
	problems := wait("with.delay", w.Delay, true)
	if w.Size < 1 || w.Size > largest {
		problems = append(problems, &mishap.FieldError{Path: "with.size", Msg: "must be from 1B to 32KiB", Hint: "for example size: 64B"})
	}
	if w.Vary > 0 && w.Vary >= w.Size {
		problems = append(problems, &mishap.FieldError{Path: "with.vary", Msg: fmt.Sprintf("%s must be below the size, %s", w.Vary, w.Size)})
	}
	return problems
}

func (w slicerWith) effect() any {
	return map[string]any{"size": int64(w.Size), "vary": int64(w.Vary), "delay": w.Delay}
}

func (w slicerWith) asked() mishap.Duration { return 0 }
