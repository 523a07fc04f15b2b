package toxiproxy

import (
	"encoding/json"
	"net/http"
)

// newToxic is a toxic that a client wants, and what is wrong with its attributes, which is told after all else.
type newToxic struct {
	toxic
	attributes error
}

// toxicBody is a toxic as clients write it. What only a new one may say is not looked at in a change.
type toxicBody struct {
	Attributes json.RawMessage `json:"attributes"`
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Stream     string          `json:"stream"`
	Toxicity   *float32        `json:"toxicity"`
	Expires    *lease          `json:"expires"`
}

func bodyOf(r *http.Request) (b toxicBody, err error) {
	b.Stream = "downstream"
	return b, decode(r, &b)
}

// readToxic reads a new toxic.
func readToxic(r *http.Request) (t newToxic, err error) {
	b, err := bodyOf(r)
	if err != nil {
		return t, err
	}
	t.toxic = toxic{Name: b.Name, Type: b.Type, Stream: b.Stream, Toxicity: 1, Attributes: newAttributes(b.Type)}
	switch {
	case t.way() == "":
		return t, &problem{"stream was invalid, can be either upstream or downstream", http.StatusBadRequest}
	case t.Attributes == nil:
		return t, &problem{"invalid toxic type", http.StatusBadRequest}
	case t.Name == "":
		t.Name = b.Type + "_" + b.Stream
	}
	t.attributes = b.over(&t.toxic)
	return t, nil
}

// over writes what a body says over a toxic, whose attributes are copied before.
func (b toxicBody) over(t *toxic) error {
	t.Attributes = t.Attributes.copied()
	if len(b.Attributes) > 0 && string(b.Attributes) != "null" {
		if err := json.Unmarshal(b.Attributes, t.Attributes); err != nil {
			return badBody(err)
		}
	}
	if b.Toxicity != nil {
		t.Toxicity = *b.Toxicity
	}
	if b.Expires != nil {
		t.Expires = *b.Expires
	}
	return nil
}
