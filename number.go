package mishap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
)

// Number is a number exactly as it was written in decimal, or an infinity. It
// is what values are compared as: a float64 cannot tell 2^53+1 from 2^53. The
// zero value is 0.
type Number struct {
	value    *big.Rat // nil is 0
	infinite int      // -1 or 1 of an infinity
}

// MostCounted is the highest number up to which a float64 tells every whole
// number from the next: 2^53-1. A count beyond it is not believed.
const MostCounted = 1<<53 - 1

// Limits of a number, so that none costs more to compare than it is worth.
const (
	longestNumber   = 1000
	largestExponent = 10_000
)

// decimal is what people and programs agree to read alike; a leading zero means
// nothing.
var decimal = regexp.MustCompile(`^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+))?$`)

// ParseNumber reads a decimal number such as -12, 0.5, 007 (seven) or 1e400.
// Infinity, NaN, hexadecimal (0x10) and digits that are grouped (1_000) are
// refused, and so are a number of more than 1000 characters and an exponent
// beyond 10000.
func ParseNumber(text string) (Number, error) {
	if len(text) > longestNumber {
		return Number{}, fmt.Errorf("a number of %d characters is too long to be compared", len(text))
	}
	parts := decimal.FindStringSubmatch(text)
	if parts == nil {
		return Number{}, fmt.Errorf("%q is not a decimal number", text)
	}
	if exponent, err := strconv.Atoi(parts[1]); parts[1] != "" && (err != nil || exponent < -largestExponent || exponent > largestExponent) {
		return Number{}, fmt.Errorf("the exponent of %s is beyond %d", text, largestExponent)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return Number{}, fmt.Errorf("%q is not a decimal number", text)
	}
	return Number{value: value}, nil
}

// NumberOf is the decimal number that v is written as, so that 0.1 is one tenth.
// The error says that v is NaN.
func NumberOf(v float64) (Number, error) {
	switch {
	case math.IsNaN(v):
		return Number{}, errors.New("NaN is not a number")
	case math.IsInf(v, 0):
		return Number{infinite: int(math.Copysign(1, v))}, nil
	}
	value, _ := new(big.Rat).SetString(strconv.FormatFloat(v, 'g', -1, 64))
	return Number{value: value}, nil
}

func (n Number) rat() *big.Rat {
	if n.value == nil {
		return new(big.Rat)
	}
	return n.value
}

// Cmp is -1, 0 or 1 if n is below, equal to or above other. An infinity is
// equal to itself.
func (n Number) Cmp(other Number) int {
	if n.infinite != 0 || other.infinite != 0 {
		return min(max(n.infinite-other.infinite, -1), 1)
	}
	return n.rat().Cmp(other.rat())
}

// Add is the exact sum of two numbers that are not infinite.
func (n Number) Add(other Number) Number {
	return Number{value: new(big.Rat).Add(n.rat(), other.rat())}
}

// Per is the exact n-th part of a number that is not infinite.
func (n Number) Per(parts int64) Number {
	return Number{value: new(big.Rat).Quo(n.rat(), new(big.Rat).SetInt64(parts))}
}

// Float is the float64 nearest to n.
func (n Number) Float() float64 {
	if n.infinite != 0 {
		return math.Inf(n.infinite)
	}
	v, _ := n.rat().Float64()
	return v
}

// DecodeNumbers reads one JSON value and nothing after it. Numbers without a
// type of their own become [json.Number], as they were written.
func DecodeNumbers(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return DecodeWhole(decoder, into)
}

// ErrMore is text after the one value that was to be read.
var ErrMore = errors.New("there is more after the value")

// DecodeWhole reads the one JSON value that the decoder's input holds. What follows
// it, other than space, is [ErrMore], also a bracket: [json.Decoder.More] takes that
// for the end of something.
func DecodeWhole(decoder *json.Decoder, into any) error {
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ErrMore
	}
	return nil
}

// SameValue reports whether two values that [DecodeNumbers] read are the same:
// 1, 1.0 and 1e0 are, "1" and true are others. The error says that a number is
// too large to be compared.
func SameValue(a, b any) (bool, error) {
	switch a := a.(type) {
	case json.Number:
		other, ok := b.(json.Number)
		if !ok || a == other {
			return ok, nil
		}
		one, errOne := ParseNumber(string(a))
		two, errTwo := ParseNumber(string(other))
		if err := errors.Join(errOne, errTwo); err != nil {
			return false, err
		}
		return one.Cmp(two) == 0, nil
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			return false, nil
		}
		return allSame(len(a), func(i int) (bool, error) { return SameValue(a[i], other[i]) })
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok || len(a) != len(other) {
			return false, nil
		}
		keys := make([]string, 0, len(a))
		for key := range a {
			keys = append(keys, key)
		}
		return allSame(len(keys), func(i int) (bool, error) {
			value, there := other[keys[i]]
			if !there {
				return false, nil
			}
			return SameValue(a[keys[i]], value)
		})
	default:
		return a == b, nil // a text, a boolean or nothing
	}
}

// allSame asks until something differs; what cannot be compared matters only if
// nothing does.
func allSame(n int, same func(int) (bool, error)) (bool, error) {
	var unknown error
	for i := range n {
		switch ok, err := same(i); {
		case err != nil:
			unknown = err
		case !ok:
			return false, nil
		}
	}
	return unknown == nil, unknown
}
