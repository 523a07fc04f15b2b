package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Flat is a list in XML whose members are not wrapped.
type Flat []Doc

// Error is a refusal, in AWS's words.
type Error struct {
	Status        int
	Code, Message string
	Query         string // its code before the service spoke JSON, if that differs
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Answer is what a client gets.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Answer writes the result of a call. What is in "_body", "_status" and
// "_header" of it is taken as it is.
func (q Request) Answer(out Doc, id string) Answer {
	a := Answer{Status: out.Int("_status", http.StatusOK), Header: http.Header{}}
	for name, value := range out.Map("_header") {
		a.Header.Set(name, value)
	}
	if raw, is := out["_body"].([]byte); is {
		a.Body = raw
		return a
	}
	switch q.Protocol {
	case EC2:
		result := maps.Clone(out)
		if result == nil {
			result = Doc{}
		}
		result["requestId"] = id
		a.xml(q.Action+"Response", result, "item")
	case Query:
		a.xml(q.Action+"Response", Doc{q.Action + "Result": out, "ResponseMetadata": Doc{"RequestId": id}}, "member")
	case RESTXML:
		for root, content := range out {
			if !strings.HasPrefix(root, "_") {
				a.xml(root, content, "member")
			}
		}
	case JSON, RESTJSON:
		a.Header.Set("Content-Type", q.jsonVersion)
		a.Header.Set("X-Amzn-Requestid", id)
		if a.Status != http.StatusNoContent {
			a.json(out)
		}
	}
	return a
}

// Refuse writes a refusal.
func (q Request) Refuse(e *Error, id string) Answer {
	a := Answer{Status: e.Status, Header: http.Header{}}
	if a.Status == 0 {
		a.Status = http.StatusBadRequest
	}
	said := Doc{"Code": e.Code, "Message": e.Message}
	switch q.Protocol {
	case EC2:
		a.xml("Response", Doc{"Errors": Doc{"Error": said}, "RequestID": id}, "item")
	case Query:
		said["Type"] = "Sender"
		a.xml("ErrorResponse", Doc{"Error": said, "RequestId": id}, "member")
	case RESTXML:
		if q.Method != http.MethodHead {
			a.xml("Error", said, "member")
		}
	case JSON, RESTJSON:
		a.Header.Set("Content-Type", q.jsonVersion)
		a.Header.Set("X-Amzn-Errortype", e.Code)
		if e.Query != "" {
			a.Header.Set("X-Amzn-Query-Error", e.Query+";Sender")
		}
		a.json(Doc{"__type": "com.amazonaws#" + e.Code, "message": e.Message, "Message": e.Message})
	}
	return a
}

func (a *Answer) json(out Doc) {
	a.Body, _ = json.Marshal(plain(out)) // of values that we made
}

// plain is v as JSON has it: times are seconds, and what is private is left out.
func plain(v any) any {
	switch v := v.(type) {
	case Doc:
		all := map[string]any{}
		for key, value := range v {
			if !strings.HasPrefix(key, "_") || key == "__type" {
				all[key] = plain(value)
			}
		}
		return all
	case map[string]any:
		return plain(Doc(v))
	case []Doc:
		all := []any{}
		for _, one := range v {
			all = append(all, plain(one))
		}
		return all
	case []any:
		all := []any{}
		for _, one := range v {
			all = append(all, plain(one))
		}
		return all
	case []string:
		if v == nil {
			return []string{}
		}
	case time.Time:
		return float64(v.UnixMilli()) / 1000
	}
	return v
}

func (a *Answer) xml(root string, content any, item string) {
	a.Header.Set("Content-Type", "text/xml")
	var b bytes.Buffer
	b.WriteString(xml.Header)
	element(&b, root, content, item)
	a.Body = b.Bytes()
}

func element(b *bytes.Buffer, name string, v any, item string) {
	switch v := v.(type) {
	case nil:
		return
	case Flat:
		for _, one := range v {
			element(b, name, one, item)
		}
		return
	case map[string]any:
		element(b, name, Doc(v), item)
		return
	}
	fmt.Fprintf(b, "<%s>", name)
	switch v := v.(type) {
	case Doc:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !strings.HasPrefix(key, "_") {
				element(b, key, v[key], item)
			}
		}
	case []Doc, []any, []string:
		for _, one := range items(v) {
			element(b, item, one, item)
		}
	default:
		_ = xml.EscapeText(b, []byte(text(v))) // a buffer takes all
	}
	fmt.Fprintf(b, "</%s>", name)
}
