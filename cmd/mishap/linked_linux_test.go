package main

import (
	"debug/elf"
	"debug/gosym"
	"os"
	"regexp"
	"strings"
	"testing"
)

// clientMethod is a method of a client of the AWS SDK, without the functions in it.
var clientMethod = regexp.MustCompile(`^github\.com/aws/aws-sdk-go-v2/service/\w+\.\(\*Client\)\.[A-Z]\w*$`)

// TestFewMethodsOfTheSDKsClientsAreLinked: what converts a client to an interface,
// or holds it where an interface's value reaches, links all of its methods. Those
// of EC2 alone are 2,439 functions, and 28 MiB.
func TestFewMethodsOfTheSDKsClientsAreLinked(t *testing.T) {
	n := 0
	for _, name := range functions(t) {
		if clientMethod.MatchString(name) && !strings.HasSuffix(name, ".Options") {
			n++
			t.Log(name)
		}
	}
	if n == 0 || n > 100 {
		t.Errorf("%d methods of the SDK's clients are linked; find what holds one with: go build -ldflags=-dumpdep ./cmd/mishap", n)
	}
}

// functions are the names of all that is linked into this test, which is the
// program and its tests.
func functions(t *testing.T) (names []string) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	lines, err := file.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, file.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range table.Funcs {
		names = append(names, f.Name)
	}
	return names
}
