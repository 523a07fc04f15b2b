package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// odd are values that readers have stumbled over, and those that experiments take.
var odd = []string{
	"", "~", "null", "on", "yes", "true", "-1", "0", "1e309", "-0.0", ".inf", ".nan", "0x10", "0o17", "1_000", "9223372036854775808", "1e1000000000", strings.Repeat("9", 400),
	"1ns", "-5s", "9999999h", "292y", "0s", "1h1h", "100%", "101%", "-1%", "1e9%", "NaN%", "2 of 1", "0 of 0", "999999999 of 999999999", "1 of 1000000000", "<= ", ">= 1e308", "< -1", "!!", "== x",
	"[]", "{}", "[[[[]]]]", "{a: {b: {c: {}}}}", "{? x}", "[a, , b]", "'", "\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\x1b[2J\"", "|", ">-", "&a x", "*a", "<<: {}", "!!binary aGk=", "!!float 1", "@x", "`x`", "%x",
	"${}", "${x}", "${${x}}", "${host}${host}${host}", "{env: HOME}", "{file: /dev/zero}", "{env: A, file: B}", "{shell: \"true\"}", "{argv: []}", "{argv: [\"\"]}", "[\"\\0\"]",
	"\"@every 1ns\"", "\"* * * * *\"", "\"*/0 * * * *\"", "\"0-59/1 0-23/1 * * *\"", "\"0 0 30 2 *\"", "\"0 0 31 4 *\"", "\"CRON_TZ=X * * * * *\"", "\"@reboot\"", "\"60 24 32 13 8\"", "Europe/London", "../../etc/passwd", "UTC",
	"http://[::1", "http://a b", "tcp://127.0.0.1:99999", "file:///etc/passwd", "http://user:pass@x", "http://\u0000", "/a/*/**/b", "((((((((((a*)*)*)*)*)*)*)*)*)*", "[", "(?<x>", "a{1000}{1000}", "$..*..*..*", "$[?(@.a)]",
	"2027-02-30", "09:00-08:00", "24:00-25:00", "Mon-Xyz", "Fri-Mon", "\u202eabc", "é\u0301", "\ufeff", "\u2028", "\u00a0x",
}

var (
	keys   = regexp.MustCompile(`[A-Za-z][A-Za-z-]*:`)
	values = regexp.MustCompile(`: +[^{}\[\],\n]+`)
)

// changeLines changes an experiment by its grammar.
func changeLines(r *rand.Rand, lines, library []string) []string {
	n := r.IntN(len(lines))
	other := strings.SplitAfter(pick(r, library), "\n")
	switch r.IntN(12) {
	case 0:
		return slices.Delete(lines, n, n+1)
	case 1:
		return slices.Insert(lines, n, lines[n])
	case 2: // its twin from another experiment
		return slices.Insert(lines, n, pick(r, other))
	case 3:
		begin := r.IntN(len(other))
		return slices.Insert(lines, n, other[begin:min(len(other), begin+1+r.IntN(8))]...)
	case 4:
		lines[n] = strings.Repeat(" ", r.IntN(6)) + lines[n]
	case 5:
		lines[n] = strings.TrimPrefix(lines[n], pick(r, []string{" ", "  ", "    "}))
	case 6: // a key of another
		if found := keys.FindAllString(pick(r, library), -1); found != nil {
			lines[n] = replaceOne(r, keys, lines[n], pick(r, found))
		}
	case 7: // a value of another
		if found := values.FindAllString(pick(r, library), -1); found != nil {
			lines[n] = replaceOne(r, values, lines[n], pick(r, found))
		}
	case 8:
		m := r.IntN(len(lines))
		lines[n], lines[m] = lines[m], lines[n]
	case 9: // the same, so many times
		return slices.Insert(lines, n, slices.Repeat(lines[n:n+1], 1+r.IntN(300))...)
	default:
		lines[n] = replaceOne(r, values, lines[n], ": "+pick(r, odd))
	}
	return lines
}

// replaceOne replaces one of the places that a pattern matches.
func replaceOne(r *rand.Rand, pattern *regexp.Regexp, line, by string) string {
	found := pattern.FindAllStringIndex(line, -1)
	if found == nil {
		return line
	}
	at := pick(r, found)
	return line[:at[0]] + by + line[at[1]:]
}

// changeBytes changes a file without knowing what it is.
func changeBytes(r *rand.Rand, text []byte) []byte {
	for range 1 + r.IntN(8) {
		if len(text) == 0 {
			return text
		}
		n := r.IntN(len(text))
		switch r.IntN(7) {
		case 0:
			text[n] ^= 1 << r.IntN(8)
		case 1:
			text[n] = byte(r.IntN(256))
		case 2:
			text = text[:n]
		case 3:
			text = slices.Insert(text, n, []byte(pick(r, odd))...)
		case 4:
			end := min(len(text), n+r.IntN(64))
			text = slices.Insert(text, n, slices.Repeat(text[n:end], 1+r.IntN(100))...)
		case 5:
			text = slices.Delete(text, n, min(len(text), n+r.IntN(32)))
		case 6:
			text = slices.Insert(text, n, pick(r, []byte("\x00\t\r\n\xff\xfe:-#{}[]&*!|>'\"%@`?,")))
		}
	}
	return text
}

// monsters are files that are small or large and stand for much more.
var monsters = []func(*rand.Rand) string{
	func(r *rand.Rand) string { // a billion laughs
		var b strings.Builder
		b.WriteString("a0: &a0 lol\n")
		for i := 1; i < 10+r.IntN(50); i++ {
			fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 1+r.IntN(20)), i-1)
		}
		return b.String()
	},
	func(r *rand.Rand) string {
		return strings.Repeat(pick(r, []string{"[", "{", "{a: ", "[[", "- ", "? ", "a: ", "&x ", "!a "}), 1<<r.IntN(18))
	},
	func(r *rand.Rand) string { return strings.Repeat("\n", r.IntN(2<<20)) },
	func(r *rand.Rand) string { return "name: " + strings.Repeat("x", r.IntN(2<<20)) },
	func(r *rand.Rand) string { return strings.Repeat("#\n", r.IntN(1<<20)) },
	func(r *rand.Rand) string { // as deep as blocks go
		var b strings.Builder
		for i := range r.IntN(2000) {
			fmt.Fprintf(&b, "%sk:\n", strings.Repeat(" ", i))
		}
		return b.String()
	},
	func(r *rand.Rand) string { return manyOf(r.IntN(6000), "k%d: v\n", "") },
	func(r *rand.Rand) string {
		return manyOf(r.IntN(3000), "  - {name: f%[1]d, injector: exec, targets: {name: t%[1]d}, with: {inject: [a], revert: [b]}, for: 1s}\n", "faults:\n")
	},
	func(r *rand.Rand) string {
		return manyOf(r.IntN(3000), "  - {name: p%d, probe: http, with: {url: \"http://x\"}, expect: {bodyMatches: \"(a|b)*c{99}\"}}\n", "steadyState:\n")
	},
	func(r *rand.Rand) string { return manyOf(r.IntN(3000), "  v%d: \"${v0}${v1}\"\n", "vars:\n") },
	func(r *rand.Rand) string { return strings.Repeat("%YAML 1.2\n---\n", r.IntN(2000)) },
	func(r *rand.Rand) string { return "a: \"" + strings.Repeat("\\x", r.IntN(100000)) },
	func(r *rand.Rand) string { return "a: |" + strings.Repeat("\n\n  x", r.IntN(200000)) },
	func(r *rand.Rand) string {
		b := make([]byte, r.IntN(4096))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return string(b)
	},
}

// manyOf is a format, so many times.
func manyOf(n int, format, before string) string {
	var b strings.Builder
	b.WriteString("version: 1\nname: many\nclaim: Much.\n" + before)
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
