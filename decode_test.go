package mishap_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mishap"
)

type decoded struct {
	Delay mishap.Duration `json:"delay"`
	Share mishap.Share    `json:"share"`
	Count int             `json:"count"`
	Args  []string        `json:"args"`
	Inner struct {
		On bool `json:"on"`
	} `json:"inner"`
}

func TestDecodeReportsEveryProblemWithItsPath(t *testing.T) {
	var d decoded
	err := mishap.Decode("with", json.RawMessage(`{"delay":"-1s","share":"120%","cuont":1,"args":["a",2],"inner":{"on":"yes"}}`), &d)
	for _, want := range []string{
		`with.delay: "-1s" is negative`, `with.share: "120%" is outside`, `with.cuont: unknown key "cuont"`,
		`with.args[1]: must be a text, not 2`, `with.inner.on: must be true or false, not the text "yes"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestAMisspeltKeyIsReadAsWhatWasMeantUnlessThatIsGiven(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want decoded
	}{
		{`{"dely":"300ms"}`, decoded{Delay: mishap.Duration(300 * time.Millisecond)}},
		{`{"dely":"300ms","delay":"1s"}`, decoded{Delay: mishap.Duration(time.Second)}},
		{`{"zzzzz":"300ms"}`, decoded{}},
	} {
		var d decoded
		if err := mishap.Decode("with", json.RawMessage(c.raw), &d); err == nil || !strings.Contains(err.Error(), "unknown key") {
			t.Errorf("%s: no problem: %v", c.raw, err)
		}
		if d.Delay != c.want.Delay {
			t.Errorf("%s was read as a delay of %s", c.raw, d.Delay)
		}
	}
}

func TestDecodeKeepsDefaults(t *testing.T) {
	d := decoded{Count: 7}
	if err := mishap.Decode("with", json.RawMessage(`{"delay":"300ms","share":"5%"}`), &d); err != nil {
		t.Fatal(err)
	}
	if d.Count != 7 || d.Delay.Std() != 300*time.Millisecond || d.Share != 0.05 {
		t.Errorf("decoded %+v", d)
	}
}

func TestSuggestFindsTheNearestWord(t *testing.T) {
	if got := mishap.Suggest("ulr", []string{"url", "body"}); got != `did you mean "url"?` {
		t.Errorf("got %s", got)
	}
	if got := mishap.Suggest("dealy", []string{"delay", "jitter"}); got != `did you mean "delay"?` {
		t.Error(got)
	}
	if got := mishap.Suggest("zzzzzz", []string{"delay", "jitter"}); got != "known: delay, jitter" {
		t.Error(got)
	}
}

func TestSecretsAreWrittenAsReferences(t *testing.T) {
	for in, want := range map[string]string{
		`"plain"`: `"plain"`, `{"env":"TOKEN"}`: `{"env":"TOKEN"}`, `{"file":"/run/token"}`: `{"file":"/run/token"}`,
	} {
		var s mishap.Secret
		if err := json.Unmarshal([]byte(in), &s); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(s); string(got) != want {
			t.Errorf("%s was written as %s", in, got)
		}
	}
	for _, bad := range []string{`{"ssm":"/x"}`, `{"env":""}`, `{"env":"A","file":"B"}`, `3`} {
		var s mishap.Secret
		if json.Unmarshal([]byte(bad), &s) == nil {
			t.Errorf("%s was read as a secret", bad)
		}
	}
}

func FuzzUnits(f *testing.F) {
	for _, s := range []string{"300ms", "5%", "2 of 20", "none", "-1s", "NaN%", "1e309%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d mishap.Duration
		if d.UnmarshalText([]byte(s)) == nil && d < 0 {
			t.Fatalf("%q gave a negative duration", s)
		}
		var share mishap.Share
		if share.UnmarshalText([]byte(s)) == nil && !(share >= 0 && share <= 1) {
			t.Fatalf("%q gave share %v", s, float64(share))
		}
		var a mishap.Allowance
		if a.UnmarshalText([]byte(s)) == nil && a.Count >= a.Window && a.Count != 0 {
			t.Fatalf("%q allows everything", s)
		}
	})
}
