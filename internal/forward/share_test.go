package forward_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"mishap/internal/forward"
)

// TestSipHashIsTheOneThatIsPublished uses the vectors of the reference implementation (key 00..0f, text 00..0e).
func TestSipHashIsTheOneThatIsPublished(t *testing.T) {
	var key [16]byte
	var text []byte
	for i := range key {
		key[i] = byte(i)
	}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137,
		8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		text = text[:0]
		for i := range n {
			text = append(text, byte(i))
		}
		if got := forward.SipHash(key, string(text)); got != want {
			t.Errorf("hash of %d bytes is %x, want %x", n, got, want)
		}
	}
}

func unit(i int) *forward.Asked {
	return &forward.Asked{Header: map[string][]string{"X-User": {fmt.Sprint("user-", i)}, "Cookie": {fmt.Sprint("a=b; id=", i)}},
		Source: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Connection: uint64(i)}
}

// TestSharesAreStickyAndOnlyGrow looks at 20000 units under each key: the share is what was asked for, nobody changes
// sides, and a larger share has everybody of the smaller.
func TestSharesAreStickyAndOnlyGrow(t *testing.T) {
	const units = 20_000
	for _, name := range []string{"header:x-user", "cookie:id", "source", "connection"} {
		key, err := forward.ParseKey(name)
		if err != nil {
			t.Fatal(err)
		}
		before := make([]bool, units)
		for _, millionths := range []uint32{1, 10_000, 50_000, 500_000, 999_999, forward.Whole} {
			share := forward.Share{Millionths: millionths, Key: key, Secret: [16]byte{1}}
			hit := 0
			for i := range units {
				in := share.Hits(unit(i))
				if in != share.Hits(unit(i)) {
					t.Fatalf("%s: unit %d changed sides", name, i)
				}
				if before[i] && !in {
					t.Fatalf("%s: unit %d left when the share grew to %d", name, i, millionths)
				}
				if before[i] = in; in {
					hit++
				}
			}
			p := float64(millionths) / forward.Whole
			if want, sigma := p*units, math.Sqrt(units*p*(1-p)); math.Abs(float64(hit)-want) > 5*sigma+1 {
				t.Errorf("%s: %d of %d hit at %d millionths", name, hit, units, millionths)
			}
		}
	}
}

func TestTwoSecretsPickIndependently(t *testing.T) {
	key, _ := forward.ParseKey("header:X-User")
	a := forward.Share{Millionths: 500_000, Key: key, Secret: [16]byte{1}}
	b := forward.Share{Millionths: 500_000, Key: key, Secret: [16]byte{2}}
	both := 0
	for i := range 10_000 {
		if a.Hits(unit(i)) && b.Hits(unit(i)) {
			both++
		}
	}
	if both < 2250 || both > 2750 {
		t.Errorf("%d of 10000 in both halves, want about a quarter", both)
	}
}

func TestARequestWithoutTheKeyIsSpared(t *testing.T) {
	for _, name := range []string{"header:x-user", "cookie:id"} {
		key, _ := forward.ParseKey(name)
		if (forward.Share{Millionths: forward.Whole, Key: key}).Hits(&forward.Asked{}) {
			t.Errorf("%s: a request without it was hit", name)
		}
	}
}

func TestKeysAreReadAndWritten(t *testing.T) {
	for _, text := range []string{"header:X-User", "cookie:id", "source", "connection", "request"} {
		key, err := forward.ParseKey(text)
		if err != nil || key.String() != text {
			t.Errorf("%q became %q, %v", text, key, err)
		}
	}
	for _, text := range []string{"header:", "header", "cookie:a b", "x", "user"} {
		if _, err := forward.ParseKey(text); err == nil {
			t.Errorf("%q was not refused", text)
		}
	}
}
