package vault_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/formattest"
	"mishap/internal/vault"
)

func TestAThousandInstancesAreTenRecords(t *testing.T) {
	records, texts, err := vault.Pack("7f3a9b21", "ann@laptop", stops("7f3a9b21", 1000, ireland())) // in calls of a hundred
	if err != nil || len(records) != 10 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	t.Logf("100 instances take %d bytes of %d", len(texts[0]), vault.Largest)
}

func TestARecordIsOfOneFaultInOnePlace(t *testing.T) {
	all := append(stops("7f3a9b21", 2, ireland()), stops("7f3a9b21", 2, frankfurt())...)
	all[1].Fault = "another"
	records, _, err := vault.Pack("7f3a9b21", "ann@laptop", all)
	if err != nil || len(records) != 3 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		for _, in := range r.Whole() {
			if in.Fault != r.Injections[0].Fault || in.Target.Where != r.Where || in.Run != "7f3a9b21" {
				t.Errorf("record of %s %v has %+v", r.Injections[0].Fault, r.Where, in)
			}
		}
	}
}

func TestARecordHoldsWhatRevertingNeedsAndNothingElse(t *testing.T) {
	_, texts, err := vault.Pack("7f3a9b21", "ann@laptop", stops("7f3a9b21", 1, ireland()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := vault.ParseRecord(texts[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, needless := range []string{"payments", "will replace it", "1000", `"pay"`} {
		if strings.Contains(string(text), needless) {
			t.Errorf("it has %q: %s", needless, text)
		}
	}
	for _, needed := range []string{"7f3a9b21.1.1", "ec2-stop", `"instance":"i-`, "arn:aws:ec2:", "aws/123456789012/eu-west-1/instance/i-", "#state", "5m", "eu-west-1"} {
		if !strings.Contains(string(text), needed) {
			t.Errorf("it lacks %q: %s", needed, text)
		}
	}
}

func TestWhatDoesNotFitIsRefusedWithItsSize(t *testing.T) {
	all := stops("7f3a9b21", 1, ireland())
	var noise strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&noise, "%x", i*i*i*2654435761)
	}
	all[0].Undo = json.RawMessage(`{"before": "` + noise.String() + `"}`)
	_, _, err := vault.Pack("7f3a9b21", "ann@laptop", all)
	if err == nil || !strings.Contains(err.Error(), "4096") || !strings.Contains(mishap.HintOf(err), "vault: none") {
		t.Errorf("%v; hint %s", err, mishap.HintOf(err))
	}
}

func TestADamagedRecordIsNeverReadAsAnother(t *testing.T) {
	_, texts, err := vault.Pack("7f3a9b21", "ann@laptop", stops("7f3a9b21", 3, ireland()))
	if err != nil {
		t.Fatal(err)
	}
	want, err := vault.ParseRecord(texts[0])
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := range len(texts[0]) {
		for _, bit := range []byte{1, 2, 4, 32} {
			text := []byte(texts[0])
			text[at] ^= bit
			got, err := vault.ParseRecord(string(text))
			if err != nil {
				refused++
			} else if !reflect.DeepEqual(got, want) {
				t.Fatalf("byte %d became %q, and was read as %+v", at, text[at], got)
			}
		}
		if _, err := vault.ParseRecord(texts[0][:at]); err == nil {
			t.Fatalf("the first %d bytes are read as a record", at)
		}
	}
	if _, err := vault.ParseRecord(texts[0] + texts[0]); err == nil {
		t.Error("two records are read as one")
	}
	t.Logf("%d of %d damages refused; the others are in what gzip does not read", refused, 4*len(texts[0]))
}

func TestWhatIsNoRecordIsRefused(t *testing.T) {
	_, texts, err := vault.Pack("7f3a9b21", "ann@laptop", stops("7f3a9b21", 1, ireland()))
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*vault.Record){
		"a newer mishap wrote it (version 2)":             func(r *vault.Record) { r.Version = 2 },
		"it is no record of mishap":                       func(r *vault.Record) { r.Run = "" },
		"an injection in it does not say what it is":      func(r *vault.Record) { r.Injections[0].Injector = "" },
		"it is no record of mishap: without injections":   func(r *vault.Record) { r.Injections = nil },
		"it is no record of mishap: held for ever":        func(r *vault.Record) { r.Held = mishap.Duration(vault.HeldFor * 1e6) },
		"it is no record of mishap: held for no time":     func(r *vault.Record) { r.Held = 0 },
		"it is no record of mishap: of no account at all": func(r *vault.Record) { r.Where = mishap.Place{} },
	} {
		r, err := vault.ParseRecord(texts[0])
		if err != nil {
			t.Fatal(err)
		}
		change(&r)
		text, err := r.Text()
		if err != nil {
			t.Fatal(err)
		}
		said, _, _ := strings.Cut(what, ":")
		if _, err := vault.ParseRecord(text); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestARecordOfBeforeIsStillRead: a vault outlives the program that wrote it.
func TestARecordOfBeforeIsStillRead(t *testing.T) {
	all := stops("7f3a9b21", 2, ireland())
	r, err := vault.ParseRecord(strings.TrimSpace(string(formattest.Read(t, "vault", "record.txt"))))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	formattest.Kept(t, "vault/record.json", text)
	for i, in := range r.Whole() {
		want := vault.Bare(all[i])
		want.Run, want.Target.Where = all[i].Run, all[i].Target.Where
		if !reflect.DeepEqual(in, want) {
			t.Errorf("injection %d: %+v, want %+v", i, in, want)
		}
	}
	for _, name := range []string{"claim.json", "hold.json"} {
		if err := vault.ParseMark(string(formattest.Read(t, "vault", name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRecordsOfAnyUndoAreReadAsTheyWereWritten(f *testing.F) {
	f.Add(3, "i-1", `{"before":"x"}`)
	f.Add(300, "arn:aws:sqs:eu-west-1:123456789012:q", `{"policy":{"Sid":"a"}}`)
	f.Fuzz(func(t *testing.T, n int, id, undo string) {
		if n < 1 || n > 500 || id == "" || !json.Valid([]byte(undo)) {
			t.Skip()
		}
		var all []mishap.Injection
		for i, in := range stops("7f3a9b21", n, ireland()) {
			in.Target.ID = strings.ToValidUTF8(fmt.Sprintf("%s%d", id, i), "?")
			in.Undo = json.RawMessage(undo)
			all = append(all, in)
		}
		records, texts, err := vault.Pack("7f3a9b21", "ann@laptop", all)
		if err != nil {
			t.Skip() // too large for one, which is refused
		}
		var back []mishap.Injection
		for i, text := range texts {
			if len(text) > vault.Largest {
				t.Fatalf("record %d has %d bytes", i, len(text))
			}
			r, err := vault.ParseRecord(text)
			if err != nil || len(r.Injections) != len(records[i].Injections) {
				t.Fatalf("record %d: %d injections of %d, %v", i, len(r.Injections), len(records[i].Injections), err)
			}
			back = append(back, r.Whole()...)
		}
		if len(back) != len(all) {
			t.Fatalf("%d of %d injections", len(back), len(all))
		}
		for i := range back {
			if back[i].ID != all[i].ID || back[i].Target.ID != all[i].Target.ID || back[i].Target.Where != all[i].Target.Where {
				t.Fatalf("injection %d: %+v, was %+v", i, back[i], all[i])
			}
		}
	})
}

func FuzzNoTextMakesTheReaderFail(f *testing.F) {
	_, texts, err := vault.Pack("7f3a9b21", "ann@laptop", stops("7f3a9b21", 2, ireland()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(texts[0])
	f.Add(`{"version":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := vault.ParseRecord(text); err == nil && (r.Run == "" || len(r.Injections) == 0) {
			t.Errorf("%q is read as %+v", text, r)
		}
		_ = vault.ParseMark(text)
	})
}
