package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Joined puts together what is not empty.
func Joined(separator string, parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, separator)
}

// Once is the label of the first line of several.
func Once(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// OrElse is the text, or another if it is empty.
func OrElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// Sentence makes one of a phrase; of nothing, nothing.
func Sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(phrase)
	text := string(unicode.ToUpper(first)) + phrase[size:]
	if strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}
