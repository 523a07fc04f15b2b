package mishap

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"testing"
)

// What is not told apart as a float64 is told apart as a Number.
func TestWholeNumbersBeyondTheReachOfFloatsAreComparedExactly(t *testing.T) {
	for _, c := range []struct {
		low, high string
		want      int
	}{
		{"9007199254740992", "9007199254740993", -1}, // 2^53 and one more
		{"9223372036854775807", "9223372036854775808", -1},
		{"18446744073709551615", "18446744073709551616", -1},
		{"123456789012345678901234567890", "123456789012345678901234567891", -1},
		{"-9007199254740993", "-9007199254740992", -1},
		{"0.1", "0.1000000000000000055511151231257827", -1},
		{"1e400", "1.0000000001e400", -1},
		{"0", "1e-400", -1},
		{"-0", "0", 0},
		{"-0.0e5", "+0", 0},
		{"007", "7", 0},
		{"010", "10", 0}, // a leading zero does not mean octal
		{".5", "0.50", 0},
		{"5.", "5", 0},
		{"1e3", "1000", 0},
		{"9007199254740993.0", "9007199254740993", 0},
	} {
		low, errLow := ParseNumber(c.low)
		high, errHigh := ParseNumber(c.high)
		if errLow != nil || errHigh != nil {
			t.Errorf("%s and %s: %v, %v", c.low, c.high, errLow, errHigh)
			continue
		}
		if got := low.Cmp(high); got != c.want || high.Cmp(low) != -c.want {
			t.Errorf("%s to %s is %d and back %d, want %d", c.low, c.high, got, high.Cmp(low), c.want)
		}
	}
}

func TestWhatIsNoDecimalNumberIsRefused(t *testing.T) {
	long := make([]byte, longestNumber+1)
	for i := range long {
		long[i] = '1'
	}
	for _, text := range []string{"", " ", "NaN", "nan", "Inf", "-inf", "+Infinity", "0x10", "0x1p4", "0b1", "0o7", "1_000", "1,000", "1 000",
		"1e", "e1", ".", "+", "-", "--1", "true", "null", `"5"`, "١", "1e10001", "1e-10001", "1e99999999999999999999", string(long)} {
		if n, err := ParseNumber(text); err == nil {
			t.Errorf("%.40q was read as %v", text, n.rat())
		}
	}
}

func TestInfinitiesAreBeyondEveryNumberAndNaNIsNone(t *testing.T) {
	above, _ := NumberOf(math.Inf(1))
	below, _ := NumberOf(math.Inf(-1))
	large, err := ParseNumber("1e10000")
	if err != nil || above.Cmp(large) != 1 || large.Cmp(above) != -1 || below.Cmp(large) != -1 || above.Cmp(below) != 1 || above.Cmp(above) != 0 {
		t.Errorf("%v: an infinity is not where it belongs", err)
	}
	if _, err := NumberOf(math.NaN()); err == nil {
		t.Error("NaN is a number")
	}
	tenth, _ := NumberOf(0.1)
	if want, _ := ParseNumber("0.1"); tenth.Cmp(want) != 0 {
		t.Error("0.1 is not a tenth")
	}
}

func TestSameValue(t *testing.T) {
	for _, c := range []struct {
		a, b    string
		same    bool
		unknown bool
	}{
		{a: `9007199254740992`, b: `9007199254740993`},
		{a: `{"id": [1, 9007199254740993]}`, b: `{"id": [1.0, 9007199254740993]}`, same: true},
		{a: `{"id": [1, 9007199254740992]}`, b: `{"id": [1, 9007199254740993]}`},
		{a: `1`, b: `1.0e0`, same: true},
		{a: `-0`, b: `0`, same: true},
		{a: `1e400`, b: `10e399`, same: true},
		{a: `"5"`, b: `5`},
		{a: `5`, b: `"5"`},
		{a: `true`, b: `1`},
		{a: `true`, b: `true`, same: true},
		{a: `null`, b: `null`, same: true},
		{a: `null`, b: `0`},
		{a: `{"a": 1}`, b: `{"b": 1}`},
		{a: `[1]`, b: `[1, 2]`},
		{a: `1e99999`, b: `1e99998`, unknown: true},
		{a: `[1e99999, 1]`, b: `[1e99998, 2]`}, // differs whatever the first is
	} {
		var a, b any
		if err := DecodeNumbers([]byte(c.a), &a); err != nil {
			t.Fatal(err)
		}
		if err := DecodeNumbers([]byte(c.b), &b); err != nil {
			t.Fatal(err)
		}
		if same, err := SameValue(a, b); same != c.same || (err != nil) != c.unknown {
			t.Errorf("%s and %s: same %v, error %v", c.a, c.b, same, err)
		}
	}
}

// FuzzNumber holds that what is read as a number is what big.Rat makes of it,
// and that all of JSON's numbers are read or refused for their size.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "9007199254740993", "1e400", "-1.5E-7", "007", "0x10", "1_0", "NaN", ".5", "5.", "1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		var number json.Number
		if isJSON := json.Unmarshal([]byte(s), &number) == nil && number != "" && json.Valid([]byte(s)) && s[0] != '"'; isJSON && err != nil && decimal.FindString(string(number)) == "" {
			t.Fatalf("%q is a number in JSON: %v", s, err)
		}
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(n.rat()) != 0 {
			t.Fatalf("%q was read as %v, want %v", s, n.rat(), want)
		}
		if v, err := strconv.ParseFloat(s, 64); err == nil && v != n.Float() {
			t.Fatalf("%q as a float is %v, want %v", s, n.Float(), v)
		}
	})
}
