package toxiproxy

import (
	"encoding/json"
	"errors"
	"time"
)

// lease is how long a toxic stays, in JSON "30s" or a number of milliseconds; 0 is until it is removed.
type lease time.Duration

// MarshalJSON writes "30s".
func (l lease) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(l).String()) }

// UnmarshalJSON reads both forms.
func (l *lease) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil:
		return nil
	case float64:
		*l = lease(millis(v))
	case string:
		d, err := time.ParseDuration(v)
		if err != nil {
			return errLease()
		}
		*l = lease(d)
	default:
		return errLease()
	}
	if *l < 0 {
		return errLease()
	}
	return nil
}

func errLease() error {
	return errors.New(`expires must be a duration, for example "30s", or a number of milliseconds`)
}

// millis is a number of milliseconds as a duration. What is too long for one is refused as too long for a fault.
func millis(ms float64) time.Duration { return scaled(ms, time.Millisecond) }

func scaled(n float64, unit time.Duration) time.Duration {
	const most = float64(1 << 62)
	return time.Duration(max(min(n*float64(unit), most), -most))
}
