package plaintext_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"mishap/internal/plaintext"
)

func TestNothingThatActsOnATerminalPasses(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":        "plain\ttext\n",
		"\x1b[2J":              "\uFFFD[2J",
		"\x1b]0;title\a":       "\uFFFD]0;title\uFFFD",
		"a\rb\bc\x00\x7f":      "a\uFFFDb\uFFFDc\uFFFD\uFFFD",
		"\u009b31m\u0085":      "\uFFFD31m\uFFFD",
		"\x9b31m":              "\uFFFD31m",
		"\xe2\x80":             "\uFFFD\uFFFD",
		"\u202egnp.exe\u2069":  "\uFFFDgnp.exe\uFFFD",
		"\u200e\u200f\u061c":   "\uFFFD\uFFFD\uFFFD",
		"नी\u200dक\u200c, 👩‍🔧": "नी\u200dक\u200c, 👩‍🔧", // joiners are part of how it is written
	} {
		if got := plaintext.Of(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// What is repeated within a line adds no line, whatever ends one somewhere.
func TestALineStaysOne(t *testing.T) {
	for in, want := range map[string]string{
		"one line": "one line", "": "", "a\nb": "a b", "a\r\nb\n": "a b", "\na\vb\fc\u0085d\u2028e\u2029f": "a b c d e f", "a\tb": "a\tb",
	} {
		if got := plaintext.Line(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := plaintext.Of("a\u2028b\u2029c"); got != "a\uFFFDb\uFFFDc" {
		t.Errorf("%q", got)
	}
}

func TestALetterMayBeSplitOverWrites(t *testing.T) {
	text := "ä€😀\u202e\xff\x1b" + "\xf0\x9f"
	var out bytes.Buffer
	f := &plaintext.Filter{To: &out}
	for i := range len(text) {
		if n, err := f.Write([]byte{text[i]}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if want := plaintext.Of(text); out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// FuzzFilter splits any text anywhere: what comes out acts on nothing, and JSON
// says the same as before.
func FuzzFilter(f *testing.F) {
	f.Add("a\x1b[31m\u009b\u202e\r\xff", 3)
	f.Fuzz(func(t *testing.T, text string, at int) {
		var out bytes.Buffer
		filter := &plaintext.Filter{To: &out}
		at = min(max(at, 0), len(text))
		_, _ = filter.Write([]byte(text[:at]))
		_, _ = filter.Write([]byte(text[at:]))
		_ = filter.Close()
		if got := out.String(); got != plaintext.Of(got) || !utf8.ValidString(got) || got != plaintext.Of(text) {
			t.Errorf("%q becomes %q", text, got)
		}
		var value string
		encoded, _ := json.Marshal(text)
		exact := (&plaintext.Filter{JSON: func() bool { return true }}).Clean(encoded)
		if err := json.Unmarshal(exact, &value); err != nil {
			t.Fatal(err)
		}
		var before string
		_ = json.Unmarshal(encoded, &before)
		if value != before || string(exact) != plaintext.Of(string(exact)) {
			t.Errorf("JSON of %q becomes %s", text, exact)
		}
	})
}
