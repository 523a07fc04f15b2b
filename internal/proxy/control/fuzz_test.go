package control_test

import (
	"encoding/json"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/proxytest"
	"reflect"
	"testing"
)

// FuzzFaultIsReadOrRefused: no body makes the control API panic, and what it takes it writes so that it reads the same
// again.
func FuzzFaultIsReadOrRefused(f *testing.F) {
	for _, e := range proxytest.Effects() {
		data, err := json.Marshal(proxytest.Fault("f", e))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"kind": "latency", "with": {"trace": ["1ms", "2ms"]}, "share": 0.5, "expires": "1s", "proxy": "p"}`))
	f.Add([]byte(`{"kind": "loss", "with": null, "expires": "-1s"} {}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fault, err := control.Decode("f", body)
		if err != nil {
			return
		}
		again, err := json.Marshal(fault)
		if err != nil {
			t.Fatalf("cannot write %+v: %v", fault, err)
		}
		if same, err := control.Decode("f", again); err != nil || !reflect.DeepEqual(fault, same) {
			t.Fatalf("%s became %s, %v", body, again, err)
		}
	})
}
