package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/app"
)

var update = flag.Bool("update", false, "write the generated pages")

func TestTheCatalogPageIsCurrent(t *testing.T) {
	t.Chdir("../..")
	a, err := app.New(app.Options{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	page := catalogPage(entries(a))
	const path = "docs/catalog.md"
	if *update {
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, page) {
		t.Errorf("%s is not what the catalogs say (%v); write it with: go test ./cmd/mishap -run CatalogPage -update", path, err)
	}
}

// catalogPage is the reference of all catalogs as Markdown.
func catalogPage(all []entry) []byte {
	var b bytes.Buffer
	b.WriteString("# Catalog\n\nGenerated from the code; `mishap catalog NAME` prints the same.\n")
	last := ""
	for _, e := range all {
		if e.Catalog != last {
			last = e.Catalog
			fmt.Fprintf(&b, "\n## %ss\n", strings.ToUpper(last[:1])+last[1:])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n\n%s\n", e.Name, strings.ToUpper(e.Summary[:1])+e.Summary[1:], e.Doc)
		if sees := e.Symptom.Sentence(); sees != "" {
			fmt.Fprintf(&b, "\n%s\n", sees)
		}
		for _, g := range e.fields {
			for i, f := range mishap.Fields(g.params) {
				if i == 0 {
					fmt.Fprintf(&b, "\n| %s | |\n|---|---|\n", g.name)
				}
				fmt.Fprintf(&b, "| `%s` | %s |\n", f.Name, f.Doc)
			}
		}
		fmt.Fprintf(&b, "\n```yaml\n%s\n```\n", strings.TrimSpace(e.Example))
	}
	return b.Bytes()
}
