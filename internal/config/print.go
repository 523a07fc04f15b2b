package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Print writes one line per setting with its value and where it came from.
func (s Settings) Print(w io.Writer) error {
	for _, v := range s.Values {
		text := fmt.Sprint(v.Value)
		switch list := v.Value.(type) {
		case []string:
			text = strings.Join(list, ", ")
		case json.RawMessage:
			text = string(list)
		case []Proxy:
			text = ""
			for _, p := range list {
				text += fmt.Sprintf("\n  %s: %s -> %s\n    control %s", p.Name, p.Listen, p.Upstream, p.Control)
			}
		case nil:
			text = ""
		}
		if text == "" {
			text = "(none)"
		}
		line := strings.ReplaceAll(fmt.Sprintf("%-13s %s", v.Key+":", text), " \n", "\n")
		if _, err := fmt.Fprintf(w, "%s\n%-13s from %s\n", line, "", v.From); err != nil {
			return err
		}
	}
	return nil
}
