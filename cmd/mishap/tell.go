package main

import (
	"fmt"
	"io"
	"strings"

	"mishap/experiments"
	"mishap/internal/plaintext"
	"mishap/internal/report/words"
)

// tell says something on the way. The lines are those of the format: what is filled
// in may be of a system under test, a server or a file, and stays on its line. It is
// folded to what there is room for.
func (c *cli) tell(format string, args ...any) {
	_ = say(c.err, format, args...)
}

// result is what a verb was asked for, with the same care.
func (c *cli) result(format string, args ...any) error { return say(c.out, format, args...) }

func say(to io.Writer, format string, args ...any) error {
	for i, arg := range args {
		switch arg := arg.(type) {
		case error:
			args[i] = sentence(arg)
		case fmt.Stringer:
			args[i] = plaintext.Line(arg.String())
		case string:
			args[i] = plaintext.Line(arg)
		}
	}
	_, err := io.WriteString(to, words.Fold(fmt.Sprintf(format, args...), foldsOf(to)))
	return err
}

// sentence is an error as a person is told it. One that consists of several has their
// lines, and what is wrong with files has its own; any other is one line, whatever
// it repeats.
func sentence(err error) string {
	var inner []error
	switch e := err.(type) {
	case experiments.Problems:
		return e.Error()
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	case interface{ Unwrap() error }:
		if one := e.Unwrap(); one != nil {
			inner = []error{one}
		}
	}
	var out strings.Builder
	left := err.Error()
	for _, one := range inner {
		before, after, found := strings.Cut(left, one.Error())
		if !found {
			continue // it is not told
		}
		if before != "\n" || out.Len() == 0 { // which is how errors are joined
			before = plaintext.Line(before)
		}
		out.WriteString(before + sentence(one))
		left = after
	}
	out.WriteString(plaintext.Line(left))
	return out.String()
}
