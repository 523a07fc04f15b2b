package keeper

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"mishap"
)

// wholeFile is the undo file of two injections, of which one is in.
func wholeFile(t *testing.T) [][]byte {
	t.Helper()
	one := mishap.Injection{ID: "r.1", Run: "r", Injector: "exec", Undo: json.RawMessage(`{"revert":["rm","a"]}`), Keys: []mishap.Key{{Thing: "one", Attribute: "a"}}}
	two := one
	two.ID, two.Keys = "r.2", []mishap.Key{{Thing: "two", Attribute: "a"}}
	var all [][]byte
	for _, r := range []record{
		{Hold: &one, Holds: 1}, {Hold: &two, Holds: 2},
		{ID: "r.1", To: mishap.InjectionInjecting, Holds: 2, Keys: one.Keys}, {ID: "r.2", To: mishap.InjectionInjecting, Holds: 2, Keys: two.Keys},
		{ID: "r.1", To: mishap.InjectionInjected, Holds: 2, Keys: one.Keys},
	} {
		line, err := r.line()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	return all
}

func readText(text []byte) Undo {
	var u Undo
	u.read(bytes.NewReader(text))
	return u
}

// TestABitThatHasTurnedInAnUndoFileIsSeen turns each: what is read is what was
// written, or is damaged, and nothing that may be in is hidden by it.
func TestABitThatHasTurnedInAnUndoFileIsSeen(t *testing.T) {
	text := slices.Concat(wholeFile(t)...)
	whole := readText(text)
	if whole.Damage != nil || whole.cut || len(whole.Outstanding()) != 2 {
		t.Fatalf("%+v", whole)
	}
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			u := readText(text)
			if u.Damage == nil && !u.cut && !reflect.DeepEqual(u, whole) {
				t.Fatalf("bit %d of byte %d of %s is not noticed: %+v", bit, i, text, u)
			}
			for _, h := range u.Held {
				if !slices.ContainsFunc(whole.Held, func(w Held) bool { return reflect.DeepEqual(w.Injection, h.Injection) }) {
					t.Fatalf("bit %d of byte %d: it holds what was never written: %+v", bit, i, h)
				}
			}
			if len(u.Outstanding()) != len(u.Held) {
				t.Fatalf("bit %d of byte %d: something that may be in is hidden: %+v", bit, i, u)
			}
			text[i] ^= 1 << bit
		}
	}
}

// TestTheKeysOfADamagedLineAreReadElsewhere damages each line.
func TestTheKeysOfADamagedLineAreReadElsewhere(t *testing.T) {
	for damaged := range wholeFile(t) {
		lines := wholeFile(t)
		lines[damaged][20] ^= 4
		u := readText(slices.Concat(lines...))
		keys, all := u.Keys()
		if last := damaged == len(lines)-1; all == last && u.Damage != nil {
			t.Errorf("line %d: all keys are known: %v", damaged+1, all)
		}
		for _, want := range []string{"one", "two"} {
			if !slices.ContainsFunc(keys, func(k mishap.Key) bool { return k.Thing == want }) {
				t.Errorf("line %d: %q is not known: %v", damaged+1, want, keys)
			}
		}
	}
}

// TestUndoOfAnOlderMishapIsRead has no checksums.
func TestUndoOfAnOlderMishapIsRead(t *testing.T) {
	const hold = `{"at":"2026-01-02T03:04:05Z","hold":{"id":"r.1","run":"r","injector":"files","target":{"id":"x"}}}` + "\n"
	u := readText([]byte(hold + `{"at":"2026-01-02T03:04:05Z","id":"r.1","to":"injected","detail":"x"}` + "\n"))
	if u.Damage != nil || len(u.Outstanding()) != 1 {
		t.Errorf("%+v", u)
	}
	if u := readText([]byte(hold + `{"id":"r.1","to":"injected","sun":"12345678"}` + "\n" + hold)); u.Damage == nil {
		t.Errorf("a checksum whose name is damaged is taken for an older line: %+v", u)
	}
}

// TestWhatFollowsARecordIsDamage has no checksum that would tell.
func TestWhatFollowsARecordIsDamage(t *testing.T) {
	const hold = `{"at":"2026-01-02T03:04:05Z","hold":{"id":"r.1","run":"r","injector":"files","target":{"id":"x"}}}`
	for _, after := range []string{"}", "]", "{", ",", "1", hold, "x"} {
		if u := readText([]byte(hold + after + "\n" + hold + "\n")); u.Damage == nil {
			t.Errorf("%q after a record is no damage: %+v", after, u)
		}
	}
}
