package words_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"mishap/internal/report/words"
)

// says fails for each value that is not said as it should be.
func says[in any](t *testing.T, what string, say func(in) string, all []struct {
	in   in
	want string
},
) {
	t.Helper()
	for _, tt := range all {
		if got := say(tt.in); got != tt.want {
			t.Errorf("%s of %v is %q, want %q", what, tt.in, got, tt.want)
		}
	}
}

// said is a value and what is said of it.
type said[in any] = struct {
	in   in
	want string
}

func TestNumbersHaveTheDigitsThatTheyDeserve(t *testing.T) {
	says(t, "the percentage", words.Percent, []said[float64]{
		{0, "0 %"},
		{1, "100 %"},
		{.5, "50.0 %"},
		{.994, "99.40 %"},
		{.00002, "0.0020 %"},
		{.99999, "99.9990 %"},
	})
	says(t, "the proof", words.Proof, []said[float64]{{0, "0 %"}, {-1, "0 %"}, {math.NaN(), "0 %"}, {.999, "99 %"}, {1, "100 %"}, {7, "100 %"}})
	says(t, "the short form", words.Short, []said[float64]{
		{0, "0"},
		{.001, "0"},
		{.42, "0.42"},
		{1.04, "1"},
		{1.26, "1.3"},
		{12.6, "13"},
		{-2.5, "-2.5"},
		{math.NaN(), "?"},
		{math.Inf(1), "?"},
		{1e9, "?"},
	})
	says(t, "the amount", words.Money, []said[float64]{{1.8, "1.80"}, {0, "0.00"}, {math.Inf(-1), "?"}, {math.NaN(), "?"}})
	says(t, "the rate", words.Rate, []said[float64]{{0, "0.0"}, {9.96, "10.0"}, {99.94, "99.9"}, {100, "100"}, {1234.5, "1234"}})
	says(t, "the size", words.Size, []said[int64]{{0, "0 bytes"}, {1, "1 byte"}, {9999, "9999 bytes"}, {10_000, "10 kB"}, {999_999, "999 kB"}, {1_200_000, "1.2 MB"}})
}

func TestDifferencesSayTheirSide(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      string
	}{
		{1, 2, "1 to 2 pp more"},
		{-2, -1, "1 to 2 pp fewer"},
		{-1, 2, "1 pp fewer to 2 pp more"},
		{0, 0, "0 to 0 pp more"},
		{-1, 0, "1 pp fewer to 0 pp more"},
	} {
		if got := words.Sides(tt.low, tt.high, " pp", "more", "fewer"); got != tt.want {
			t.Errorf("%v to %v is %q, want %q", tt.low, tt.high, got, tt.want)
		}
	}
	if more, less := words.Side(.4, " pp", "more", "fewer"), words.Side(-.4, " pp", "more", "fewer"); more != "0.40 pp more" || less != "0.40 pp fewer" {
		t.Errorf("%q and %q", more, less)
	}
}

func TestTimesHaveAboutThreeDigits(t *testing.T) {
	says(t, "the span", words.Took, []said[time.Duration]{
		{0, "0s"},
		{1500 * time.Nanosecond, "2µs"},
		{12_345 * time.Microsecond, "12ms"},
		{1_234 * time.Millisecond, "1.23s"},
		{12_345 * time.Millisecond, "12.3s"},
		{83 * time.Second, "1m23s"},
		{time.Hour, "1h"},
		{-1500 * time.Millisecond, "-1.5s"},
		{-90 * time.Minute, "-1h30m"},
	})
	says(t, "the latency", words.Quick, []said[time.Duration]{
		{0, "-"},
		{-1, "-"},
		{123_456, "123µs"},
		{1_234_567, "1.23ms"},
		{123_456_789, "123ms"},
		{1_234_567_890, "1.23s"},
		{12_345_678_901, "12.3s"},
	})
	at := time.Date(2026, 11, 23, 11, 5, 9, 0, time.FixedZone("", 3600))
	if words.Clock(at) != "10:05:09" || words.Moment(at) != "2026-11-23 10:05:09 UTC" || words.Between(at, at.Add(time.Minute)) != time.Minute {
		t.Errorf("%s, %s, %s", words.Clock(at), words.Moment(at), words.Between(at, at.Add(time.Minute)))
	}
}

func TestPhrases(t *testing.T) {
	says(t, "the sentence", words.Sentence, []said[string]{{"", ""}, {"it held", "It held."}, {"was it?", "Was it?"}, {"é done!", "É done!"}, {"Done.", "Done."}})
	for got, want := range map[string]string{
		words.Joined(", ", "", "a", "", "b"): "a, b",
		words.Joined(", "):                   "",
		words.Once(0, "notes"):               "notes",
		words.Once(1, "notes"):               "",
		words.OrElse("", "none"):             "none",
		words.OrElse("some", "none"):         "some",
		words.Cut("abcdef", 4):               "abc…",
		words.Cut("abcd", 4):                 "abcd",
		words.Cut("漢字漢字", 5):                 "漢字…",
		words.Fit("漢字漢字", 5):                 "漢字",
		words.Pad("ab", 4):                   "ab  ",
		words.Pad("漢字", 3):                   "漢字",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := words.WithoutExcerpts("a.yaml:1:1: wrong\n    nme: x\n    ^\n  hint: name"); !reflect.DeepEqual(got, []string{"a.yaml:1:1: wrong", "hint: name"}) {
		t.Errorf("%q", got)
	}
}

func TestTextCannotDrawOnATerminal(t *testing.T) {
	says(t, "the clean form", words.Clean, []said[string]{
		{"plain", "plain"},
		{"\x1b[31mred\x1b[0m", "red"},
		{"\x1b]0;title\aafter", "after"},
		{"\x1bPq\x1b\\after", "after"},
		{"a\nb\tc\r\u2028d", "a b c  d"},
		{"a\x07\x00\u202eb", "ab"},
		{"\x1b[31", "[31"},
		{"\uffff", "\ufffd"},
	})
	if n := words.Cells("a漢e\u0301😀"); n != 6 {
		t.Errorf("%d columns", n)
	}
	says(t, "the Markdown", words.Markdown, []said[string]{{"a|b <c> `d` *e*", "a\\|b \\<c\\> \\`d\\` \\*e\\*"}, {"@all", "@<!-- -->all"}, {"a @ b", "a @ b"}})
	if got := words.Link("x", "https://a/) y"); got != "[x](https://a/%29%20y)" || words.Link("x", "") != "x" {
		t.Errorf("%q", got)
	}
}

func TestLinesFit(t *testing.T) {
	for _, tt := range []struct {
		text        string
		first, most int
		want        []string
	}{
		{"", 10, 10, []string{""}},
		{"one two three", 7, 7, []string{"one two", "three"}},
		{"one two three", 3, 9, []string{"one", "two three"}},
		{"abcdefghij", 4, 4, []string{"abcd", "efgh", "ij"}},
		{"checkout-survives-everything", 20, 20, []string{"checkout-survives-", "everything"}},
		{"a 5 % b", 3, 3, []string{"a", "5 %", "b"}},
		{"type `mishap run x` now", 14, 14, []string{"type", "`mishap run x`", "now"}},
		{"漢字漢字", 5, 5, []string{"漢字", "漢字"}},
		{"漢", 1, 1, []string{"漢"}},
	} {
		if got := words.Wrap(tt.text, tt.first, tt.most); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q in %d and %d: %q, want %q", tt.text, tt.first, tt.most, got, tt.want)
		}
	}
	if got := words.Lines("see /a/rather/long/path of it", 8); !reflect.DeepEqual(got, []string{"see", "/a/rather/long/path", "of it"}) {
		t.Errorf("%q", got)
	}
}

func TestFoldedTextKeepsItsIndentsItsCommandsAndItsCarets(t *testing.T) {
	says(t, "the fold at 20", func(text string) string { return words.Fold(text, 20) }, []said[string]{
		{"short\n", "short\n"},
		{"mishap: one two three four\n", "mishap: one two\n  three four\n"},
		{"  in: one two three four\nnext", "  in: one two\n    three four\nnext"},
		{"    mishap approve x --reason WHY\n", "    mishap approve x --reason WHY\n"},
		{"    key: a value of some length\n    ^\n", "    key: a value of…\n    ^\n"},
		{"    key: a value of some length\n                       ^\n", "    f some length\n         ^\n"},
	})
	long := "    " + strings.Repeat("x", 30)
	for at := range 30 {
		out := strings.Split(words.Fold(long+"\n    "+strings.Repeat(" ", at)+"^", 20), "\n")
		if words.Cells(out[0]) > 20 || words.Cells(out[1]) > 20 || !strings.HasSuffix(out[1], "^") || len(out[1]) > words.Cells(out[0]) {
			t.Errorf("at %d:\n%s\n%s", at, out[0], out[1])
		}
	}
}
