package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Duration is a time.Duration that is a string in JSON.
type Duration time.Duration

// MarshalText writes what time.ParseDuration reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration; write for example \"300ms\" or \"10s\"", text)
	}
	*d = Duration(v)
	return nil
}

// DecodeStrict reads exactly one JSON value and refuses unknown fields.
func DecodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return explainJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body must hold one JSON object and nothing after it")
	}
	return nil
}

// explainJSON says in a sentence what is wrong with a body.
func explainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		wrong.Field = strings.TrimPrefix(wrong.Field, "Spread.") // which is embedded, and no name of a field
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body must be one whole JSON object")
	case errors.As(err, &wrong) && wrong.Type.Name() == "Duration":
		return fmt.Errorf("field %s must be a duration in quotes, for example \"300ms\", not a %s", wrong.Field,
			wrong.Value)
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("field %s cannot be a %s", wrong.Field, wrong.Value)
	default:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
}
