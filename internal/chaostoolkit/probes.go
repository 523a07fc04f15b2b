package chaostoolkit

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"mishap"
)

// probe makes a probe of an activity of the steady state; else it says why not. One
// without its tolerance would judge something else, so it is all or nothing.
func (i *importing) probe(p *part) (made yaml.MapSlice, why string) {
	provider := p.part("provider")
	kind := provider.text("type")
	var with, expect yaml.MapSlice
	tolerance, _ := p.take("tolerance")
	switch kind {
	case "http":
		if with, why = request(provider); why == "" {
			expect, why = statusOf(tolerance)
		}
	case "process":
		argv, cannot := command(provider)
		with = yaml.MapSlice{{Key: "argv", Value: argv}}
		if why = cannot; why == "" {
			expect, why = exitOf(tolerance)
		}
	case "python":
		return nil, pythonProbe(provider)
	default:
		return nil, ofType(kind)
	}
	if why != "" {
		return nil, why
	}
	p.take("type")
	name := p.text("name")
	if name == "" {
		name = fmt.Sprintf("probe %d", len(i.steady)+1)
	}
	made = yaml.MapSlice{{Key: "name", Value: name}, {Key: "probe", Value: map[string]string{"http": "http", "process": "exec"}[kind]}, {Key: "with", Value: with}}
	if len(expect) > 0 {
		made = append(made, yaml.MapItem{Key: "expect", Value: expect})
	}
	if seconds, is := provider.number("timeout"); is {
		made = append(made, yaml.MapItem{Key: "timeout", Value: lasting(seconds)})
	}
	return made, ""
}

func lasting(seconds float64) string {
	return mishap.Duration(time.Duration(seconds * float64(time.Second))).String()
}

// request is what an http probe is given.
func request(provider *part) (with yaml.MapSlice, why string) {
	url, method := provider.text("url"), strings.ToUpper(provider.text("method"))
	headers := provider.part("headers")
	if url == "" {
		return nil, "it has no URL"
	}
	if method != "" && method != "GET" {
		with = append(with, yaml.MapItem{Key: "method", Value: method})
	}
	with = append(with, yaml.MapItem{Key: "url", Value: url})
	json := false
	if len(headers.all) > 0 {
		var all yaml.MapSlice
		for _, pair := range headers.all {
			key := fmt.Sprint(pair.Key)
			json = json || strings.EqualFold(key, "Content-Type") && pair.Value == "application/json"
			all, headers.taken[key] = append(all, yaml.MapItem{Key: key, Value: plain(pair.Value)}), true
		}
		with = append(with, yaml.MapItem{Key: "headers", Value: all})
	}
	if verify, has := provider.take("verify_tls"); has && verify != true {
		return nil, "it trusts any certificate, which no probe does: `caFile` names those that are trusted"
	}
	arguments, has := provider.take("arguments")
	switch text, is := arguments.(string); {
	case !has:
	case is && method != "" && method != "GET":
		with = append(with, yaml.MapItem{Key: "body", Value: text})
	case json && method != "" && method != "GET":
		with = append(with, yaml.MapItem{Key: "body", Value: jsonOf(arguments)})
	default:
		return nil, "its arguments are made into a query or a form: write them into `url` or `body`"
	}
	return with, ""
}

// statusOf is what a tolerance expects of an answer.
func statusOf(tolerance any) (expect yaml.MapSlice, why string) {
	switch t := tolerance.(type) {
	case nil:
		return nil, "it has no tolerance, and judges nothing"
	case int64, uint64:
		return yaml.MapSlice{{Key: "status", Value: t}}, ""
	case []any:
		return yaml.MapSlice{{Key: "status", Value: t}}, ""
	case yaml.MapSlice:
		return answerOf(newPart("tolerance", t))
	}
	return nil, "its tolerance of " + jsonOf(tolerance) + " is never met by an answer of HTTP"
}

// simplePath is a path into JSON that mishap has too.
var simplePath = regexp.MustCompile(`^\$(\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])+$`)

// answerOf is what a tolerance of an own type expects of an answer.
func answerOf(t *part) (expect yaml.MapSlice, why string) {
	kind, target := t.text("type"), t.text("target")
	switch pattern, path := t.text("pattern"), t.text("path"); kind {
	case "regex":
		_, err := regexp.Compile(pattern)
		if err == nil && target == "body" && len(t.left()) == 0 {
			return yaml.MapSlice{{Key: "bodyMatches", Value: pattern}}, ""
		}
	case "jsonpath":
		value, has := t.take("expect")
		if list, is := value.([]any); is && len(list) == 1 {
			value = list[0]
		}
		_, isList := value.([]any)
		_, isObject := value.(yaml.MapSlice)
		if has && !isList && !isObject && !comparison(value) && target == "body" && simplePath.MatchString(path) && len(t.left()) == 0 {
			return yaml.MapSlice{{Key: "json", Value: yaml.MapSlice{{Key: path, Value: value}}}}, ""
		}
	case "range":
		limits, _ := t.take("range")
		if list, is := limits.([]any); is && len(list) == 2 && target == "status" && len(t.left()) == 0 {
			return yaml.MapSlice{{Key: "status", Value: fmt.Sprintf("%v-%v", list[0], list[1])}}, ""
		}
	}
	return nil, "there is nothing like its tolerance: see `mishap catalog http` for what may be expected"
}

// comparison reports whether a text would be compared, and not be equal.
func comparison(value any) bool {
	text, is := value.(string)
	return is && strings.ContainsAny(text[:min(len(text), 1)], "<>=!")
}

// exitOf is what a tolerance expects of a command.
func exitOf(tolerance any) (expect yaml.MapSlice, why string) {
	switch t := tolerance.(type) {
	case nil:
		return nil, "it has no tolerance, and judges nothing"
	case int64, uint64:
		return yaml.MapSlice{{Key: "exit", Value: t}}, ""
	case []any:
		return yaml.MapSlice{{Key: "exit", Value: t}}, ""
	}
	return nil, "there is nothing like its tolerance: see `mishap catalog exec` for what may be expected"
}
