package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Protocol is how a service writes its calls.
type Protocol int

// The protocols of AWS.
const (
	EC2 Protocol = iota // forms, and XML without a result element
	Query
	JSON
	RESTJSON
	RESTXML
)

// Request is a call as it came.
type Request struct {
	Service, Region, Key string // who signed what for where
	Protocol             Protocol
	Action               string // empty in REST, where method and path say it
	Method, Host         string
	Path                 []string // unescaped
	Query                url.Values
	Header               http.Header
	In                   Doc
	Body                 []byte
	jsonVersion          string
}

// scope of a signature: who signed, and what for where.
var scope = regexp.MustCompile(`Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request`)

// Read takes a request apart. Only its signature says which service it is for.
func Read(r *http.Request) (Request, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return Request{}, fmt.Errorf("read request: %w", err)
		}
	}
	q := Request{Method: r.Method, Host: r.Host, Query: r.URL.Query(), Header: r.Header, Body: body, In: Doc{}}
	if q.Host == "" {
		q.Host = r.URL.Host
	}
	for part := range strings.SplitSeq(strings.Trim(r.URL.EscapedPath(), "/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return q, fmt.Errorf("read path: %w", err)
		}
		q.Path = append(q.Path, plain)
	}
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		return q, fmt.Errorf("read signature %q: it has no credential scope", r.Header.Get("Authorization"))
	}
	q.Key, q.Region, q.Service = signed[1], signed[2], signed[3]
	return q, q.decode()
}

func (q *Request) decode() error {
	kind := q.Header.Get("Content-Type")
	switch {
	case q.Service == "s3":
		q.Protocol = RESTXML
		return q.unchunk()
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		q.Protocol = Query
		if q.Service == "ec2" {
			q.Protocol = EC2
		}
		form, err := url.ParseQuery(string(q.Body))
		if err != nil {
			return fmt.Errorf("read form: %w", err)
		}
		q.Action, q.In = form.Get("Action"), unfold(form)
		return nil
	case q.Header.Get("X-Amz-Target") != "":
		q.Protocol, q.jsonVersion = JSON, kind
		_, q.Action, _ = strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	default:
		q.Protocol, q.jsonVersion = RESTJSON, "application/json"
	}
	if len(q.Body) == 0 || q.Body[0] != '{' {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(q.Body))
	decoder.UseNumber()
	return decoder.Decode(&q.In)
}

// unfold makes a document of "Filter.1.Value.2=x".
func unfold(form url.Values) Doc {
	all := Doc{}
	for name, values := range form {
		at, keys := all, strings.Split(name, ".")
		for _, key := range keys[:len(keys)-1] {
			below := AsDoc(at[key])
			if below == nil {
				below = Doc{}
				at[key] = below
			}
			at = below
		}
		at[keys[len(keys)-1]] = values[0]
	}
	return all
}

// unchunk takes the lengths and checksums out of a body that came in pieces.
func (q *Request) unchunk() error {
	if !strings.Contains(q.Header.Get("Content-Encoding"), "aws-chunked") {
		return nil
	}
	var whole bytes.Buffer
	for r := bufio.NewReader(bytes.NewReader(q.Body)); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n == 0 {
			q.Body = whole.Bytes()
			return err
		}
		if _, err := io.CopyN(&whole, r, n); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if _, err := r.ReadString('\n'); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
	}
}
