package mishap_test

import (
	"encoding/json"
	"testing"

	"mishap"
)

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	for text, want := range map[string]mishap.Key{
		`"proxy/c/payments#latency"`: {Thing: "proxy/c/payments", Attribute: "latency"},
		`"exec/a#b#command"`:         {Thing: "exec/a#b", Attribute: "command"},
		`"process/b/1/2/state"`:      {Thing: "process/b/1/2/state"}, // of a journal of before
	} {
		var got mishap.Key
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
		if back, err := json.Marshal(got); err != nil || string(back) != text {
			t.Errorf("%+v is written as %s, %v", got, back, err)
		}
	}
}
